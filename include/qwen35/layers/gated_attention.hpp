// SPDX-License-Identifier: Apache-2.0
// Gated full attention: grouped queries, normalised q and k, partial rotary embedding, a sigmoid gate on the output.
// Source: reference `Qwen3_5MoeAttention`.
#pragma once

#include <qwen35/core/part_clock.hpp>
#include <qwen35/layers/norm.hpp>
#include <qwen35/layers/parameter.hpp>
#include <qwen35/layers/pass.hpp>
#include <qwen35/layers/rows.hpp>
#include <qwen35/math/activations.hpp>
#include <qwen35/math/norms.hpp>
#include <qwen35/math/rotary.hpp>
#include <qwen35/math/softmax.hpp>

#include <cmath>
#include <cstring>
#include <limits>

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

// The keys and values of one sequence in one layer, in pages of kernels::attention_split slots: slot s stands in page
// s / attention_split. A page holds `[kv heads][attention_split][head_dim]` of each, keys after norm and rotation, so
// many bytes behind its start.
struct GatedAttentionState {
  std::byte* const* pages = nullptr;
  std::size_t key_offset = 0;
  std::size_t value_offset = 0;
  Format format = Format::f32;
};

template <std::size_t NumHeads, std::size_t NumKeyValueHeads, std::size_t HeadDim>
class GatedAttention {
  static_assert(NumHeads > 0 && NumKeyValueHeads > 0 && NumHeads % NumKeyValueHeads == 0,
                "GatedAttention<Heads, KvHeads, HeadDim>: Heads must be a multiple of KvHeads");
  static_assert(HeadDim > 0, "GatedAttention: head_dim must be positive");

 public:
  using Weights = GatedAttentionWeights;
  using State = GatedAttentionState;
  static constexpr Part part = Part::attention;

  static constexpr std::size_t query_size = NumHeads * HeadDim;
  static constexpr std::size_t kv_size = NumKeyValueHeads * HeadDim;
  static constexpr std::size_t group = NumHeads / NumKeyValueHeads;
  static constexpr GatedAttentionSizes sizes(std::size_t hidden_size, bool bias) {
    return {hidden_size, query_size, kv_size, HeadDim, bias};
  }

  // Bytes of keys and values for each slot of one sequence.
  static constexpr std::size_t state_bytes(Format format) { return 2 * NumKeyValueHeads * row_bytes(format, HeadDim); }

  // Bytes of arena that a pass over `tokens` tokens takes.
  static constexpr std::size_t workspace_bytes(std::size_t tokens, std::size_t hidden_size) {
    ArenaMeter meter;
    const Scratch<ArenaMeter> scratch(meter, tokens, hidden_size);
    AttendScratch<ArenaMeter>(meter, tokens);
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
    attend(pass, states, qg, attended, arena);
    if (pass.probabilities != nullptr) {
      record(pass, states, qg);
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
  // Query rows of one task: the heads of a group for a few tokens, so that a key row read once serves them all.
  static constexpr std::size_t tokens_per_task = group >= 32 ? 1 : 32 / group;
  static constexpr std::size_t rows_per_task = tokens_per_task * group;
  static constexpr std::size_t tasks_of(std::size_t tokens) {
    return (tokens + tokens_per_task - 1) / tokens_per_task * NumKeyValueHeads;
  }

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

  // What kernels::attention is told of the query rows of a task.
  template <class A>
  struct TaskScratch {
    const float** q;
    float** out;
    const float** bias;
    std::size_t* key_begin;
    std::size_t* key_end;
    float* kernel;

    constexpr explicit TaskScratch(A& arena)
        : q(arena.template take<const float*>(rows_per_task)),
          out(arena.template take<float*>(rows_per_task)),
          bias(arena.template take<const float*>(rows_per_task)),
          key_begin(arena.template take<std::size_t>(rows_per_task)),
          key_end(arena.template take<std::size_t>(rows_per_task)),
          kernel(arena.template take<float>(kernels::attention_scratch(rows_per_task, HeadDim))) {}
  };

  // The tasks of one span of `tokens` tokens.
  template <class A>
  struct AttendScratch {
    static constexpr std::size_t task_bytes = scratch_bytes<TaskScratch<ArenaMeter>>();
    typename A::Scope scope;
    std::byte* tasks;

    constexpr AttendScratch(A& arena, std::size_t tokens)
        : scope(arena), tasks(arena.template take<std::byte>(tasks_of(tokens) * task_bytes)) {}
    std::span<std::byte> of(std::size_t task) const { return {tasks + task * task_bytes, task_bytes}; }
  };

  static const float* query(const float* qg, std::size_t t, std::size_t head) {
    return qg + (t * NumHeads + head) * 2 * HeadDim;
  }

  // Where a slot's key or value of a head stands, but for its offset.
  static std::byte* slot_at(const State& state, std::size_t kv_head, std::size_t slot) {
    constexpr std::size_t page = kernels::attention_split;
    return state.pages[slot / page] + (kv_head * page + slot % page) * row_bytes(state.format, HeadDim);
  }

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
      std::byte* const own = slot_at(state, h, span.slot + i);
      kernels::encode_row({state.format, key, HeadDim, own + state.key_offset});
      kernels::encode_row({state.format, v + t * kv_size + h * HeadDim, HeadDim, own + state.value_offset});
    }
  }

  // What the tokens of a span see.
  struct Visible {
    const AdditiveMask* additive = nullptr;  // null: causality
    const std::size_t* first_key = nullptr;
    const std::uint8_t* valid = nullptr;

    Visible(const KeyMask& mask, std::size_t sequence) {
      if (mask.additive != nullptr && mask.additive[sequence].data != nullptr) {
        additive = &mask.additive[sequence];
        return;
      }
      first_key = mask.first_key;
      valid = mask.key_valid != nullptr ? mask.key_valid[sequence] : nullptr;
    }
    std::size_t begin(std::size_t token) const { return first_key != nullptr ? first_key[token] : 0; }
    std::size_t end(std::size_t slot) const { return additive != nullptr ? additive->keys : slot + 1; }
    const float* bias(std::size_t slot, std::size_t head) const {
      return additive == nullptr
                 ? nullptr
                 : additive->data + head * additive->head_stride + (slot - additive->first_slot) * additive->row_stride;
    }
  };

  static void attend(const Pass& pass, std::span<const State> states, const float* qg, float* out, Arena& arena) {
    const float scale = 1.0f / std::sqrt(static_cast<float>(HeadDim));
    for (const TokenSpan& span : pass.spans) {
      const Visible visible(pass.mask, span.sequence);
      const State& state = states[span.sequence];
      const std::size_t row = row_bytes(state.format, HeadDim);
      const AttendScratch<Arena> scratch(arena, span.count);
      const std::size_t multiply_adds = span.count * query_size * 2 * (span.slot + span.count);
      parallel_tasks(multiply_adds, tasks_of(span.count), [&](std::size_t task) {
        Arena memory(scratch.of(task));
        const TaskScratch<Arena> own(memory);
        const std::size_t kv_head = task % NumKeyValueHeads;
        const std::size_t begin = task / NumKeyValueHeads * tokens_per_task;
        const std::size_t end = std::min(begin + tokens_per_task, span.count);
        std::size_t rows = 0;
        for (std::size_t i = begin; i < end; ++i) {
          const std::size_t t = span.first + i;
          for (std::size_t h = kv_head * group; h < (kv_head + 1) * group; ++h, ++rows) {
            own.q[rows] = query(qg, t, h);
            own.out[rows] = out + t * query_size + h * HeadDim;
            own.key_begin[rows] = visible.begin(t);
            own.key_end[rows] = visible.end(span.slot + i);
            own.bias[rows] = visible.bias(span.slot + i, h);
          }
        }
        kernels::attention({.q = own.q,
                            .out = own.out,
                            .key_begin = own.key_begin,
                            .key_end = own.key_end,
                            .queries = rows,
                            .head_dim = HeadDim,
                            .pages = state.pages,
                            .k_offset = state.key_offset + kv_head * kernels::attention_split * row,
                            .v_offset = state.value_offset + kv_head * kernels::attention_split * row,
                            .format = state.format,
                            .k_stride_bytes = row,
                            .v_stride_bytes = row,
                            .split_origin = own.key_begin[0],
                            .key_valid = visible.valid,
                            .bias = visible.additive != nullptr ? own.bias : nullptr,
                            .scale = scale,
                            .scratch = own.kernel});
      });
    }
  }

  // The probabilities written out, for `output_attentions`: a plain second pass, off the hot path.
  static void record(const Pass& pass, std::span<const State> states, const float* qg) {
    const float scale = 1.0f / std::sqrt(static_cast<float>(HeadDim));
    for (const TokenSpan& span : pass.spans) {
      const Visible visible(pass.mask, span.sequence);
      const AttentionProbabilities& out = pass.probabilities[span.sequence];
      const State& state = states[span.sequence];
      parallel_for(span.count * NumHeads, [&](std::size_t task) {
        const std::size_t i = task / NumHeads;
        const std::size_t h = task % NumHeads;
        const std::size_t t = span.first + i;
        const float* const q = query(qg, t, h);
        const std::size_t begin = visible.begin(t);
        const std::size_t end = visible.end(span.slot + i);
        const float* const bias = visible.bias(span.slot + i, h);
        float* const p = out.data + h * out.head_stride + (span.slot + i - out.first_slot) * out.row_stride;
        float key[HeadDim];
        bool any = false;
        for (std::size_t slot = begin; slot < end; ++slot) {
          float score = -std::numeric_limits<float>::infinity();
          if (visible.valid == nullptr || visible.valid[slot] != 0) {
            kernels::decode_row({state.format, slot_at(state, h / group, slot) + state.key_offset, HeadDim, key});
            score = 0.0f;
            for (std::size_t d = 0; d < HeadDim; ++d) {
              score += q[d] * key[d];
            }
            score = score * scale + (bias != nullptr ? bias[slot] : 0.0f);
          }
          any = any || score > -std::numeric_limits<float>::infinity();
          p[slot] = score;
        }
        if (any) {
          math::softmax(p + begin, end - begin, p + begin);
        } else {
          std::memset(p + begin, 0, (end - begin) * sizeof(float));
        }
      });
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
