// SPDX-License-Identifier: Apache-2.0
// Mixture of experts: a softmax router, the top K of E routed experts, and a shared expert behind a sigmoid gate.
// Source: reference `Qwen3_5MoeSparseMoeBlock`.
#pragma once

#include <qwen35/layers/mlp.hpp>
#include <qwen35/math/activations.hpp>
#include <qwen35/math/elementwise.hpp>
#include <qwen35/math/softmax.hpp>

#include <cstring>
#include <vector>

QWEN35_BEGIN_NAMESPACE

struct MoeWeights {
  Matrix gate;                      // [E, hidden_size]: the router
  std::vector<MlpWeights> experts;  // [E]
  MlpWeights shared_expert;
  Matrix shared_expert_gate;  // [1, hidden_size]
};

struct MoeSizes {
  std::size_t hidden_size = 0;
  std::size_t experts = 0;
  std::size_t intermediate = 0;
  std::size_t shared_intermediate = 0;
};

void visit_parameters(MoeWeights& weights, const MoeSizes& sizes, const std::string& prefix, ParameterVisitor& visitor);

template <std::size_t E, std::size_t K, std::size_t Intermediate = 512, std::size_t SharedIntermediate = Intermediate,
          Activation Act = Activation::silu>
class MoeBlock {
  static_assert(K >= 1 && K <= E, "MoeBlock<E, K>: K must be between 1 and E");
  static_assert(Intermediate > 0 && SharedIntermediate > 0, "MoeBlock: intermediate sizes must be positive");

 public:
  using Weights = MoeWeights;
  static constexpr Part part = Part::router;  // until the experts are chosen

  static constexpr std::size_t num_experts = E;
  static constexpr MoeSizes sizes(std::size_t hidden_size) {
    return {hidden_size, E, Intermediate, SharedIntermediate};
  }

  static constexpr std::size_t workspace_bytes(std::size_t tokens, std::size_t hidden_size) {
    return scratch_bytes<Scratch<ArenaMeter>>(tokens, hidden_size);
  }

  // x, y `[pass.tokens, hidden_size]`; pass.router_logits receives the raw router logits if it is not null.
  static void forward(const Weights& weights, const float* x, float* y, const Pass& pass, Arena& arena) {
    const std::size_t tokens = pass.tokens;
    const std::size_t hidden_size = weights.gate.cols;
    Scratch<Arena> own(arena, tokens, hidden_size);
    float* const logits = pass.router_logits != nullptr ? pass.router_logits : own.logits;
    const Rows in(x, tokens, hidden_size, own.rows);
    project(in, {{weights.gate, logits, E}, {weights.shared_expert_gate, own.shared_weight, 1}});

    Routes<Arena>& routes = own.routes;
    route(logits, tokens, routes);
    // An expert's tokens are consecutive rows of those that are gathered. They are copied only where a product reads
    // them as f32; one token's are x itself.
    const bool copied = reads_values(weights.experts, {routes.active, routes.active_count});
    const Rows many = in.gather({routes.token, tokens == 1 ? 0 : tokens * K}, copied ? own.gathered : nullptr);
    const Rows& gathered = tokens == 1 ? in : many;
    PartClock::enter(Part::experts);
    // The shared expert has all tokens, so its tasks are the largest: they go first.
    own.products[0] = {
        &in, 0, tokens,
        gated_projection(weights.shared_expert, Act, own.shared_gate, own.shared_hidden, SharedIntermediate)};
    for (std::size_t i = 0; i < routes.active_count; ++i) {
      const std::size_t expert = routes.active[i], first = routes.begin[expert];
      own.products[1 + i] = {&gathered, tokens == 1 ? 0 : first, routes.begin[expert + 1] - first,
                             gated_projection(weights.experts[expert], Act, own.gate + first * Intermediate,
                                              own.hidden + first * Intermediate, Intermediate)};
    }
    project({own.products, 1 + routes.active_count});

    const Rows hidden(own.hidden, tokens * K, Intermediate, own.hidden_rows),
        shared_hidden(own.shared_hidden, tokens, SharedIntermediate, own.shared_hidden_rows);
    own.products[0] = {&shared_hidden, 0, tokens, {weights.shared_expert.down_proj, own.shared_out, hidden_size}};
    for (std::size_t i = 0; i < routes.active_count; ++i) {
      const std::size_t expert = routes.active[i], first = routes.begin[expert];
      own.products[1 + i] = {&hidden,
                             first,
                             routes.begin[expert + 1] - first,
                             {weights.experts[expert].down_proj, own.expert_out + first * hidden_size, hidden_size}};
    }
    project({own.products, 1 + routes.active_count});
    // The sum over a token's experts runs in top-k order, whatever else is in the batch.
    parallel_ranges(tokens, 8, [&](std::size_t begin, std::size_t end) {
      for (std::size_t t = begin; t < end; ++t) {
        float* const out = y + t * hidden_size;
        std::memset(out, 0, hidden_size * sizeof(float));
        for (std::size_t slot = 0; slot < K; ++slot) {
          math::scale_add(routes.weight[t * K + slot], own.expert_out + routes.row[t * K + slot] * hidden_size,
                          hidden_size, out);
        }
        math::scale_add(math::sigmoid(own.shared_weight[t]), own.shared_out + t * hidden_size, hidden_size, out);
      }
    });
  }

 private:
  // The chosen experts. Rows [begin[e], begin[e + 1]) belong to expert e, in token order.
  template <class A>
  struct Routes {
    float* weight;          // [tokens, K]: renormalised probabilities, largest first
    std::uint32_t* row;     // [tokens, K]: the token's row among those of all experts
    std::uint32_t* token;   // [tokens * K]: the token of each row
    std::uint32_t* begin;   // [E + 1]
    std::uint32_t* active;  // [active_count]: experts with tokens
    std::size_t active_count = 0;

    constexpr Routes(A& arena, std::size_t tokens)
        : weight(arena.template take<float>(tokens * K)),
          row(arena.template take<std::uint32_t>(tokens * K)),
          token(arena.template take<std::uint32_t>(tokens * K)),
          begin(arena.template take<std::uint32_t>(E + 1)),
          active(arena.template take<std::uint32_t>(E)) {}
  };

  template <class A>
  struct Scratch {
    typename A::Scope scope;
    RowsScratch<A> rows, hidden_rows, shared_hidden_rows;
    float* logits;         // [tokens, E]
    float* shared_weight;  // [tokens]: what the shared expert's gate gives
    Routes<A> routes;
    float* gathered;       // [tokens * K, hidden_size]: rows of x, expert after expert; unused for one token
    float* gate;           // [tokens * K, Intermediate]
    float* hidden;         // [tokens * K, Intermediate]
    float* shared_gate;    // [tokens, SharedIntermediate]
    float* shared_hidden;  // [tokens, SharedIntermediate]
    float* expert_out;     // [tokens * K, hidden_size]
    float* shared_out;     // [tokens, hidden_size]
    Product* products;     // [E + 1]: of the shared expert, then of the active ones

    constexpr Scratch(A& arena, std::size_t tokens, std::size_t hidden_size)
        : scope(arena),
          rows(arena, tokens, hidden_size),
          hidden_rows(arena, tokens * K, Intermediate, false),
          shared_hidden_rows(arena, tokens, SharedIntermediate, false),
          logits(arena.template take<float>(tokens * E)),
          shared_weight(arena.template take<float>(tokens)),
          routes(arena, tokens),
          gathered(arena.template take<float>(tokens > 1 ? tokens * K * hidden_size : 0)),
          gate(arena.template take<float>(tokens * K * Intermediate)),
          hidden(arena.template take<float>(tokens * K * Intermediate)),
          shared_gate(arena.template take<float>(tokens * SharedIntermediate)),
          shared_hidden(arena.template take<float>(tokens * SharedIntermediate)),
          expert_out(arena.template take<float>(tokens * K * hidden_size)),
          shared_out(arena.template take<float>(tokens * hidden_size)),
          products(arena.template take<Product>(E + 1)) {}
  };

  static bool reads_values(const std::vector<MlpWeights>& experts, std::span<const std::uint32_t> active) {
    return std::any_of(active.begin(), active.end(), [&experts](std::uint32_t expert) {
      const MlpWeights& own = experts[expert];
      return !kernels::has_integer_products(own.gate_proj.format) || !kernels::has_integer_products(own.up_proj.format);
    });
  }

  static void route(const float* logits, std::size_t tokens, Routes<Arena>& routes) {
    std::memset(routes.begin, 0, (E + 1) * sizeof(std::uint32_t));
    for (std::size_t t = 0; t < tokens; ++t) {
      top_k(logits + t * E, routes.weight + t * K,
            routes.row + t * K);  // `row` holds the expert until the counts are known
      for (std::size_t slot = 0; slot < K; ++slot) {
        ++routes.begin[routes.row[t * K + slot] + 1];
      }
    }
    for (std::size_t e = 0; e < E; ++e) {
      if (routes.begin[e + 1] > 0) {
        routes.active[routes.active_count++] = static_cast<std::uint32_t>(e);
      }
      routes.begin[e + 1] += routes.begin[e];
    }
    std::uint32_t next[E];
    std::memcpy(next, routes.begin, E * sizeof(std::uint32_t));
    for (std::size_t t = 0; t < tokens; ++t) {
      for (std::size_t slot = 0; slot < K; ++slot) {
        std::uint32_t& row = routes.row[t * K + slot];
        row = next[row]++;
        routes.token[row] = static_cast<std::uint32_t>(t);
      }
    }
  }

  // Softmax over all experts, the K largest in descending order (the lower id wins a tie), renormalised to sum 1.
  static void top_k(const float* logits, float* weight, std::uint32_t* expert) {
    float p[E];
    math::softmax(logits, E, p);
    float total = 0.0f;
    for (std::size_t slot = 0; slot < K; ++slot) {
      std::size_t best = 0;
      for (std::size_t e = 1; e < E; ++e) {
        best = p[e] > p[best] ? e : best;
      }
      weight[slot] = p[best];
      expert[slot] = static_cast<std::uint32_t>(best);
      total += p[best];
      p[best] = -1.0f;
    }
    for (std::size_t slot = 0; slot < K; ++slot) {
      weight[slot] /= total;
    }
  }
};

#if QWEN35_BODIES

QWEN35_BODY void visit_parameters(MoeWeights& weights, const MoeSizes& sizes, const std::string& prefix,
                                  ParameterVisitor& visitor) {
  visitor(Parameter{prefix, "gate.weight", {sizes.experts, sizes.hidden_size}}, weights.gate);
  visitor(ExpertsParameter{prefix + "experts.", sizes.experts, sizes.intermediate, sizes.hidden_size}, weights.experts);
  visit_parameters(weights.shared_expert, MlpSizes{sizes.hidden_size, sizes.shared_intermediate},
                   prefix + "shared_expert.", visitor);
  visitor(Parameter{prefix, "shared_expert_gate.weight", {1, sizes.hidden_size}}, weights.shared_expert_gate);
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
