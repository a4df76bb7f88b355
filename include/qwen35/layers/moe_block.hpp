// SPDX-License-Identifier: Apache-2.0
// Mixture of experts: a softmax router, the top K of E routed experts, and a shared expert behind a sigmoid gate.
// Source: reference `Qwen3_5MoeSparseMoeBlock`.
#pragma once

#include <qwen35/layers/mlp.hpp>
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

template <class Weights, class Visitor>
void visit_parameters(Weights& weights, const MoeSizes& sizes, const std::string& prefix, Visitor& visitor) {
  visitor(Parameter{prefix + "gate.weight", {sizes.experts, sizes.hidden_size}}, weights.gate);
  visitor(ExpertsParameter{prefix + "experts.", sizes.experts, sizes.intermediate, sizes.hidden_size}, weights.experts);
  visit_parameters(weights.shared_expert, MlpSizes{sizes.hidden_size, sizes.shared_intermediate},
                   prefix + "shared_expert.", visitor);
  visitor(Parameter{prefix + "shared_expert_gate.weight", {1, sizes.hidden_size}}, weights.shared_expert_gate);
}

template <std::size_t E, std::size_t K, std::size_t Intermediate = 512, std::size_t SharedIntermediate = Intermediate,
          Activation Act = Activation::silu>
class MoeBlock {
  static_assert(K >= 1 && K <= E, "MoeBlock<E, K>: K must be between 1 and E");
  static_assert(Intermediate > 0 && SharedIntermediate > 0, "MoeBlock: intermediate sizes must be positive");

 public:
  using Weights = MoeWeights;

  static constexpr std::size_t num_experts = E;
  static constexpr MoeSizes sizes(std::size_t hidden_size) {
    return {hidden_size, E, Intermediate, SharedIntermediate};
  }

  static constexpr std::size_t workspace_bytes(std::size_t tokens, std::size_t hidden_size) {
    ArenaMeter meter;
    const RouterScratch<ArenaMeter> router(meter, tokens);
    ProjectionScratch<ArenaMeter>(meter, tokens, hidden_size);
    const Scratch<ArenaMeter> scratch(meter, tokens, hidden_size);
    return meter.peak();
  }

  // x, y `[pass.tokens, hidden_size]`; pass.router_logits receives the raw router logits if it is not null.
  static void forward(const Weights& weights, const float* x, float* y, const Pass& pass, Arena& arena) {
    const std::size_t tokens = pass.tokens;
    const std::size_t hidden_size = weights.gate.cols;
    const RouterScratch<Arena> router(arena, tokens);
    float* const logits = pass.router_logits != nullptr ? pass.router_logits : router.logits;
    const Projection routers[] = {{weights.gate, logits, E}, {weights.shared_expert_gate, router.shared_gate, 1}};
    project(routers, x, tokens, arena);

    Scratch<Arena> own(arena, tokens, hidden_size);
    Routes<Arena>& routes = own.routes;
    route(logits, tokens, routes);
    // One token reads x itself for every expert; many tokens are gathered, so that an expert's tokens are consecutive
    // rows.
    const float* rows = x;
    std::size_t row_stride = 0;
    if (tokens > 1) {
      parallel_ranges(tokens * K, 64, [&](std::size_t begin, std::size_t end) {
        for (std::size_t p = begin; p < end; ++p) {
          std::memcpy(own.gathered + p * hidden_size, x + routes.token[p] * hidden_size, hidden_size * sizeof(float));
        }
      });
      rows = own.gathered;
      row_stride = hidden_size;
    }

    over_experts(routes, Intermediate, SharedIntermediate,
                 2 * tokens * hidden_size * (K * Intermediate + SharedIntermediate),
                 [&](std::size_t expert, std::size_t begin, std::size_t end) {
                   if (expert == E) {
                     detail::gate_up<Act>(weights.shared_expert, begin, end, x, hidden_size, tokens, own.shared_gate,
                                          own.shared_hidden, SharedIntermediate);
                     return;
                   }
                   const std::size_t p = routes.begin[expert];
                   detail::gate_up<Act>(weights.experts[expert], begin, end, rows + p * row_stride, row_stride,
                                        routes.begin[expert + 1] - p, own.gate + p * Intermediate,
                                        own.hidden + p * Intermediate, Intermediate);
                 });
    over_experts(
        routes, hidden_size, hidden_size, tokens * hidden_size * (K * Intermediate + SharedIntermediate),
        [&](std::size_t expert, std::size_t begin, std::size_t end) {
          if (expert == E) {
            kernels::matmul({weights.shared_expert.down_proj, begin, end, own.shared_hidden, SharedIntermediate, tokens,
                             own.shared_out, hidden_size});
            return;
          }
          const std::size_t p = routes.begin[expert];
          kernels::matmul({weights.experts[expert].down_proj, begin, end, own.hidden + p * Intermediate, Intermediate,
                           routes.begin[expert + 1] - p, own.expert_out + p * hidden_size, hidden_size});
        });
    // The sum over a token's experts runs in top-k order, whatever else is in the batch.
    parallel_ranges(tokens, 8, [&](std::size_t begin, std::size_t end) {
      for (std::size_t t = begin; t < end; ++t) {
        float* const out = y + t * hidden_size;
        std::memset(out, 0, hidden_size * sizeof(float));
        for (std::size_t slot = 0; slot < K; ++slot) {
          math::scale_add(routes.weight[t * K + slot], own.expert_out + routes.place[t * K + slot] * hidden_size,
                          hidden_size, out);
        }
        math::scale_add(math::sigmoid(router.shared_gate[t]), own.shared_out + t * hidden_size, hidden_size, out);
      }
    });
  }

 private:
  template <class A>
  struct RouterScratch {
    typename A::Scope scope;
    float* logits;       // [tokens, E]
    float* shared_gate;  // [tokens]

    constexpr RouterScratch(A& arena, std::size_t tokens)
        : scope(arena),
          logits(arena.template take<float>(tokens * E)),
          shared_gate(arena.template take<float>(tokens)) {}
  };

  // The chosen experts. Places [begin[e], begin[e + 1]) belong to expert e, in token order.
  template <class A>
  struct Routes {
    float* weight;          // [tokens, K]: renormalised probabilities, largest first
    std::uint32_t* place;   // [tokens, K]: where the token stands among the experts' rows
    std::uint32_t* token;   // [tokens * K]: the token at each place
    std::uint32_t* begin;   // [E + 1]
    std::uint32_t* active;  // [active_count]: experts with tokens
    std::size_t active_count = 0;

    constexpr Routes(A& arena, std::size_t tokens)
        : weight(arena.template take<float>(tokens * K)),
          place(arena.template take<std::uint32_t>(tokens * K)),
          token(arena.template take<std::uint32_t>(tokens * K)),
          begin(arena.template take<std::uint32_t>(E + 1)),
          active(arena.template take<std::uint32_t>(E)) {}
  };

  template <class A>
  struct Scratch {
    typename A::Scope scope;
    Routes<A> routes;
    float* gathered;       // [tokens * K, hidden_size]: rows of x, expert after expert; unused for one token
    float* gate;           // [tokens * K, Intermediate]
    float* hidden;         // [tokens * K, Intermediate]
    float* shared_gate;    // [tokens, SharedIntermediate]
    float* shared_hidden;  // [tokens, SharedIntermediate]
    float* expert_out;     // [tokens * K, hidden_size]
    float* shared_out;     // [tokens, hidden_size]

    constexpr Scratch(A& arena, std::size_t tokens, std::size_t hidden_size)
        : scope(arena),
          routes(arena, tokens),
          gathered(arena.template take<float>(tokens > 1 ? tokens * K * hidden_size : 0)),
          gate(arena.template take<float>(tokens * K * Intermediate)),
          hidden(arena.template take<float>(tokens * K * Intermediate)),
          shared_gate(arena.template take<float>(tokens * SharedIntermediate)),
          shared_hidden(arena.template take<float>(tokens * SharedIntermediate)),
          expert_out(arena.template take<float>(tokens * K * hidden_size)),
          shared_out(arena.template take<float>(tokens * hidden_size)) {}
  };

  static void route(const float* logits, std::size_t tokens, Routes<Arena>& routes) {
    std::memset(routes.begin, 0, (E + 1) * sizeof(std::uint32_t));
    for (std::size_t t = 0; t < tokens; ++t) {
      top_k(logits + t * E, routes.weight + t * K,
            routes.place + t * K);  // `place` holds the expert until the counts are known
      for (std::size_t slot = 0; slot < K; ++slot) {
        ++routes.begin[routes.place[t * K + slot] + 1];
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
        std::uint32_t& place = routes.place[t * K + slot];
        place = next[place]++;
        routes.token[place] = static_cast<std::uint32_t>(t);
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

  // Calls fn(expert, begin, end) for row ranges of each active expert and of the shared one (id E), in one parallel
  // region.
  template <class Fn>
  static void over_experts(const Routes<Arena>& routes, std::size_t rows, std::size_t shared_rows,
                           std::size_t multiply_adds, const Fn& fn) {
    const std::size_t step = detail::rows_per_task(routes.active_count * rows + shared_rows);
    const std::size_t blocks = (rows + step - 1) / step;
    const std::size_t shared_blocks = (shared_rows + step - 1) / step;
    // The shared expert has all tokens, so its tasks are the largest: they go first.
    detail::share(multiply_adds, shared_blocks + routes.active_count * blocks, [&](std::size_t task) {
      if (task < shared_blocks) {
        fn(E, task * step, std::min(task * step + step, shared_rows));
        return;
      }
      task -= shared_blocks;
      const std::size_t begin = task % blocks * step;
      fn(routes.active[task / blocks], begin, std::min(begin + step, rows));
    });
  }
};

QWEN35_END_NAMESPACE
