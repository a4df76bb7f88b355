// SPDX-License-Identifier: Apache-2.0
// Which queries see which keys, and how both are spread over the threads.
#pragma once

#include <qwen35/core/arena.hpp>
#include <qwen35/kernels/kernels.hpp>
#include <qwen35/layers/pass.hpp>
#include <qwen35/math/softmax.hpp>
#include <qwen35/parallel/parallel_for.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

QWEN35_BEGIN_NAMESPACE

// The keys and values of one sequence in one layer, in pages of kernels::attention_split slots: slot s stands in page
// s / attention_split. A page holds `[kv heads][attention_split][head_dim]` of each, keys after norm and rotation, so
// many bytes behind its start.
struct GatedAttentionState {
  std::byte* const* pages = nullptr;
  std::size_t key_offset = 0;
  std::size_t value_offset = 0;
  Format format = Format::f32;
};

// The attention of a pass's queries over the keys and values of their sequences, and which of them each token sees.
template <std::size_t NumHeads, std::size_t NumKeyValueHeads, std::size_t HeadDim>
class AttentionQueries {
 public:
  using State = GatedAttentionState;
  static constexpr std::size_t query_size = NumHeads * HeadDim;
  static constexpr std::size_t group = NumHeads / NumKeyValueHeads;

  // What `attend` takes for spans of up to `tokens` tokens.
  static constexpr void measure(ArenaMeter& meter, std::size_t tokens) {
    AttendScratch<ArenaMeter>(meter, tokens);
    SpansScratch<ArenaMeter>{meter};
  }

  // qg `[tokens, heads, 2, head_dim]`: queries and gates; out `[tokens, heads, head_dim]`, 0 for a token that sees no
  // key.
  static void attend(const Pass& pass, std::span<const State> states, const float* qg, float* out, Arena& arena) {
    for (const TokenSpan& span : pass.spans) {
      const Visible visible(pass.mask, span.sequence);
      const SpanQueries queries{span, visible, states[span.sequence], qg, out};
      if (span.count == 1 && visible.end(span.slot) > visible.begin(span.first) + kernels::attention_span &&
          static_cast<std::size_t>(num_threads()) > NumKeyValueHeads) {
        attend_spans(queries, arena);
        continue;
      }
      const AttendScratch<Arena> scratch(arena, span.count);
      const std::size_t multiply_adds = span.count * query_size * 2 * (span.slot + span.count);
      parallel_tasks(multiply_adds, tasks_of(span.count), [&](std::size_t task) {
        Arena memory(scratch.of(task));
        const TaskScratch<Arena> own(memory);
        const std::size_t begin = task / NumKeyValueHeads * tokens_per_task;
        kernels::attention(
            queries.task(begin, std::min(begin + tokens_per_task, span.count), task % NumKeyValueHeads, own));
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

  // Where a slot's key or value of a head stands, but for its offset.
  static std::byte* slot_at(const State& state, std::size_t kv_head, std::size_t slot) {
    constexpr std::size_t page = kernels::attention_split;
    return state.pages[slot / page] + (kv_head * page + slot % page) * row_bytes(state.format, HeadDim);
  }

 private:
  // Query rows of one task: the heads of a group for a few tokens, so that a key row read once serves them all.
  static constexpr std::size_t tokens_per_task = group >= 32 ? 1 : 32 / group;
  static constexpr std::size_t rows_per_task = tokens_per_task * group;
  static constexpr std::size_t tasks_of(std::size_t tokens) {
    return (tokens + tokens_per_task - 1) / tokens_per_task * NumKeyValueHeads;
  }

  // One token of a long context is so many tasks of each key/value head at once, if there are threads for them.
  static constexpr std::size_t spans_at_once = 8;

  // What kernels::attention is told of the query rows of a task.
  template <class A>
  struct TaskScratch {
    const float** q;
    float** out;
    const float** bias;
    std::size_t* key_begin;
    std::size_t* key_end;
    float* kernel;

    constexpr explicit TaskScratch(A& arena, std::size_t rows = rows_per_task)
        : q(arena.template take<const float*>(rows)),
          out(arena.template take<float*>(rows)),
          bias(arena.template take<const float*>(rows)),
          key_begin(arena.template take<std::size_t>(rows)),
          key_end(arena.template take<std::size_t>(rows)),
          kernel(arena.template take<float>(kernels::attention_scratch(rows, HeadDim))) {}
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

  // The tasks of one token and `spans_at_once` spans of its keys.
  template <class A>
  struct SpansScratch {
    static constexpr std::size_t task_bytes = scratch_bytes<TaskScratch<ArenaMeter>>(group);
    static constexpr std::size_t span_sums = group * kernels::attention_sums(HeadDim);
    typename A::Scope scope;
    std::byte* tasks;
    float* sums;   // [kv heads, spans_at_once, group, attention_sums]
    float* state;  // [heads, 2]

    constexpr explicit SpansScratch(A& arena)
        : scope(arena),
          tasks(arena.template take<std::byte>(NumKeyValueHeads * spans_at_once * task_bytes)),
          sums(arena.template take<float>(NumKeyValueHeads * spans_at_once * span_sums)),
          state(arena.template take<float>(2 * NumHeads)) {}
  };

  static const float* query(const float* qg, std::size_t t, std::size_t head) {
    return qg + (t * NumHeads + head) * 2 * HeadDim;
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

  // The query rows of a span of tokens.
  struct SpanQueries {
    const TokenSpan& span;
    const Visible& visible;
    const State& state;
    const float* qg;
    float* out;

    // Of tokens [begin, end) and one key/value head.
    kernels::AttentionTask task(std::size_t begin, std::size_t end, std::size_t kv_head,
                                const TaskScratch<Arena>& own) const {
      const std::size_t row = row_bytes(state.format, HeadDim);
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
      return {.q = own.q,
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
              .scale = 1.0f / std::sqrt(static_cast<float>(HeadDim)),
              .scratch = own.kernel};
    }
  };

  // One token, whose keys are spread over the threads: the bits of a single task for each key/value head.
  static void attend_spans(const SpanQueries& queries, Arena& arena) {
    const SpansScratch<Arena> scratch(arena);
    const std::size_t begin = queries.visible.begin(queries.span.first), end = queries.visible.end(queries.span.slot);
    const std::size_t spans = (end - begin + kernels::attention_span - 1) / kernels::attention_span;
    for (std::size_t done = 0; done < spans; done += spans_at_once) {
      const std::size_t count = std::min(spans_at_once, spans - done);
      parallel_for(NumKeyValueHeads * count, [&](std::size_t task) {
        const std::size_t kv_head = task % NumKeyValueHeads, place = task / NumKeyValueHeads;
        Arena memory({scratch.tasks + task * scratch.task_bytes, scratch.task_bytes});
        const TaskScratch<Arena> own(memory, group);
        kernels::AttentionTask part = queries.task(0, 1, kv_head, own);
        const std::size_t first = begin + (done + place) * kernels::attention_span;
        for (std::size_t row = 0; row < group; ++row) {
          own.key_begin[row] = first;
          own.key_end[row] = std::min(end, first + kernels::attention_span);
        }
        part.sums = scratch.sums + (kv_head * spans_at_once + place) * scratch.span_sums;
        kernels::attention(part);
      });
      for (std::size_t kv_head = 0; kv_head < NumKeyValueHeads; ++kv_head) {
        float* out[group];
        for (std::size_t row = 0; row < group; ++row) {
          out[row] = queries.out + queries.span.first * query_size + (kv_head * group + row) * HeadDim;
        }
        kernels::merge_attention({.sums = scratch.sums + kv_head * spans_at_once * scratch.span_sums,
                                  .out = out,
                                  .state = scratch.state + 2 * kv_head * group,
                                  .spans = count,
                                  .queries = group,
                                  .head_dim = HeadDim,
                                  .first = done == 0,
                                  .last = done + count == spans});
      }
    }
  }
};

QWEN35_END_NAMESPACE
