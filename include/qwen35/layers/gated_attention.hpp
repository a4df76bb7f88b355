// SPDX-License-Identifier: Apache-2.0
// Gated full attention: grouped queries, normalised q and k, partial rotary embedding, a sigmoid gate on the output.
// Source: reference `Qwen3_5MoeAttention`.
#pragma once

#include <qwen35/core/part_clock.hpp>
#include <qwen35/layers/attention_queries.hpp>
#include <qwen35/layers/norm.hpp>
#include <qwen35/layers/parameter.hpp>
#include <qwen35/layers/pass.hpp>
#include <qwen35/layers/rows.hpp>
#include <qwen35/math/activations.hpp>
#include <qwen35/math/norms.hpp>
#include <qwen35/math/rotary.hpp>

#include <cstring>

QWEN35_BEGIN_NAMESPACE

struct GatedAttentionWeights {
  Matrix q_proj;          // [2 * heads * head_dim, hidden_size]: per head head_dim query rows, then head_dim gate rows
  Matrix k_proj, v_proj;  // [kv heads * head_dim, hidden_size]
  Matrix o_proj;          // [hidden_size, heads * head_dim]
  const float* q_bias = nullptr;  // the biases are null without attention_bias
  const float* k_bias = nullptr;
  const float* v_bias = nullptr;
  const float* o_bias = nullptr;
  RmsNormWeights q_norm, k_norm;  // [head_dim]: 1 + w
};

struct GatedAttentionSizes {
  std::size_t hidden_size = 0;
  std::size_t query_size = 0;
  std::size_t kv_size = 0;
  std::size_t head_dim = 0;
  bool bias = false;
};

void visit_parameters(GatedAttentionWeights& weights, const GatedAttentionSizes& sizes, const std::string& prefix,
                      ParameterVisitor& visitor);

template <std::size_t NumHeads, std::size_t NumKeyValueHeads, std::size_t HeadDim>
class GatedAttention {
  static_assert(NumHeads > 0 && NumKeyValueHeads > 0 && NumHeads % NumKeyValueHeads == 0,
                "GatedAttention<Heads, KvHeads, HeadDim>: Heads must be a multiple of KvHeads");
  static_assert(HeadDim > 0, "GatedAttention: head_dim must be positive");

 public:
  using Weights = GatedAttentionWeights;
  using State = GatedAttentionState;
  using Queries = AttentionQueries<NumHeads, NumKeyValueHeads, HeadDim>;
  static constexpr Part part = Part::attention;

  static constexpr std::size_t query_size = NumHeads * HeadDim;
  static constexpr std::size_t kv_size = NumKeyValueHeads * HeadDim;
  static constexpr GatedAttentionSizes sizes(std::size_t hidden_size, bool bias) {
    return {hidden_size, query_size, kv_size, HeadDim, bias};
  }

  // Bytes of keys and values for each slot of one sequence.
  static constexpr std::size_t state_bytes(Format format) { return 2 * NumKeyValueHeads * row_bytes(format, HeadDim); }

  // Bytes of arena that a pass over `tokens` tokens takes.
  static constexpr std::size_t workspace_bytes(std::size_t tokens, std::size_t hidden_size) {
    ArenaMeter meter;
    const Scratch<ArenaMeter> scratch(meter, tokens, hidden_size);
    Queries::measure(meter, tokens);
    return meter.peak();
  }

  // x, y `[pass.tokens, hidden_size]`; states: one per sequence, whose slots of the spans are written.
  // A token outside the spans, or one that sees no key, has attention output 0.
  static void forward(const Weights& weights, const float* x, float* y, const Pass& pass, std::span<const State> states,
                      Arena& arena) {
    const std::size_t hidden_size = weights.q_proj.cols;
    const std::size_t tokens = pass.tokens;
    const Scratch<Arena> scratch(arena, tokens, hidden_size);
    float* const qg = scratch.qg;
    float* const k = scratch.k;
    float* const v = scratch.v;
    float* const attended = scratch.attended;

    const Projection inputs[] = {{weights.q_proj, qg, 2 * query_size, weights.q_bias},
                                 {weights.k_proj, k, kv_size, weights.k_bias},
                                 {weights.v_proj, v, kv_size, weights.v_bias}};
    project(Rows(x, tokens, hidden_size, scratch.rows), inputs);
    std::memset(attended, 0, tokens * query_size * sizeof(float));
    for (const TokenSpan& span : pass.spans) {
      parallel_tasks(span.count * 3 * (query_size + kv_size) * 4, span.count, [&](std::size_t i) {
        prepare_token(weights, span, i, qg, k, v, pass.rotary, states[span.sequence]);
      });
    }
    Queries::attend(pass, states, qg, attended, arena);
    if (pass.probabilities != nullptr) {
      Queries::record(pass, states, qg);
    }
    parallel_ranges(tokens, 16, [&](std::size_t begin, std::size_t end) {
      for (std::size_t t = begin; t < end; ++t) {
        for (std::size_t h = 0; h < NumHeads; ++h) {
          float* const out = attended + t * query_size + h * HeadDim;
          math::sigmoid_multiply(out, qg + (t * NumHeads + h) * 2 * HeadDim + HeadDim, HeadDim, out);
        }
      }
    });
    project(Rows(attended, tokens, query_size, scratch.rows), {{weights.o_proj, y, hidden_size, weights.o_bias}});
  }

 private:
  template <class A>
  struct Scratch {
    typename A::Scope scope;
    float* qg;        // [tokens, heads, 2, head_dim]: queries and gates
    float* k;         // [tokens, kv heads, head_dim]
    float* v;         // [tokens, kv heads, head_dim]
    float* attended;  // [tokens, heads, head_dim]
    RowsScratch<A> rows;

    constexpr Scratch(A& arena, std::size_t tokens, std::size_t hidden_size)
        : scope(arena),
          qg(arena.template take<float>(tokens * 2 * query_size)),
          k(arena.template take<float>(tokens * kv_size)),
          v(arena.template take<float>(tokens * kv_size)),
          attended(arena.template take<float>(tokens * query_size)),
          rows(arena, tokens, std::max(hidden_size, query_size)) {}
  };

  static void prepare_token(const Weights& weights, const TokenSpan& span, std::size_t i, float* qg, float* k,
                            const float* v, const RotaryTable& rotary, const State& state) {
    const std::size_t t = span.first + i;
    const float* const cos = rotary.cos + t * rotary.half;
    const float* const sin = rotary.sin + t * rotary.half;
    for (std::size_t h = 0; h < NumHeads; ++h) {
      float* const q = qg + (t * NumHeads + h) * 2 * HeadDim;
      math::rms_norm(q, weights.q_norm.weight, HeadDim, weights.q_norm.eps, q);
      math::rotate_half(q, cos, sin, rotary.half, q);
    }
    for (std::size_t h = 0; h < NumKeyValueHeads; ++h) {
      float* const key = k + t * kv_size + h * HeadDim;
      math::rms_norm(key, weights.k_norm.weight, HeadDim, weights.k_norm.eps, key);
      math::rotate_half(key, cos, sin, rotary.half, key);
      std::byte* const own = Queries::slot_at(state, h, span.slot + i);
      kernels::encode_row({state.format, key, HeadDim, own + state.key_offset});
      kernels::encode_row({state.format, v + t * kv_size + h * HeadDim, HeadDim, own + state.value_offset});
    }
  }
};

#if QWEN35_BODIES

QWEN35_BODY void visit_parameters(GatedAttentionWeights& weights, const GatedAttentionSizes& sizes,
                                  const std::string& prefix, ParameterVisitor& visitor) {
  const auto projection = [&](const char* name, std::size_t rows, std::size_t cols, auto& weight, auto& bias) {
    visitor(Parameter{prefix + name, ".weight", {rows, cols}}, weight);
    if (sizes.bias) {
      visitor(Parameter{prefix + name, ".bias", {rows}, Initial::zeros}, bias);
    }
  };
  const auto norm = [&](const char* name, auto& weight) {
    visitor.norm(Parameter{prefix, name, {sizes.head_dim}, Initial::zeros, Meaning::one_plus}, weight);
  };
  projection("q_proj", 2 * sizes.query_size, sizes.hidden_size, weights.q_proj, weights.q_bias);
  projection("k_proj", sizes.kv_size, sizes.hidden_size, weights.k_proj, weights.k_bias);
  projection("v_proj", sizes.kv_size, sizes.hidden_size, weights.v_proj, weights.v_bias);
  projection("o_proj", sizes.hidden_size, sizes.query_size, weights.o_proj, weights.o_bias);
  norm("q_norm.weight", weights.q_norm);
  norm("k_norm.weight", weights.k_norm);
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
