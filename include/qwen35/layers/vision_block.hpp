// SPDX-License-Identifier: Apache-2.0
// One block of the vision tower: LayerNorm, attention inside each frame, LayerNorm, feed-forward. Source: reference
// `Qwen3_5MoeVisionBlock`.
#pragma once

#include <qwen35/config/vision_config.hpp>
#include <qwen35/layers/norm.hpp>
#include <qwen35/layers/parameter.hpp>
#include <qwen35/layers/pass.hpp>
#include <qwen35/layers/rows.hpp>
#include <qwen35/layers/vision_chunks.hpp>
#include <qwen35/math/elementwise.hpp>
#include <qwen35/math/rotary.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

QWEN35_BEGIN_NAMESPACE

struct LinearWeights {
  Matrix weight;                // [out, in]
  const float* bias = nullptr;  // [out]
};

struct VisionBlockWeights {
  LayerNormWeights norm1, norm2;
  LinearWeights qkv;         // [3 * hidden_size, hidden_size]: all of q, then k, then v
  LinearWeights proj;        // [hidden_size, hidden_size]
  LinearWeights linear_fc1;  // [intermediate_size, hidden_size]
  LinearWeights linear_fc2;  // [hidden_size, intermediate_size]
};

// `shape`: of the weight, [out, ...].
void visit_linear(LinearWeights& weights, const Shape& shape, const std::string& name, ParameterVisitor& visitor);

struct VisionBlockSizes {
  std::size_t hidden_size = 0;
  std::size_t intermediate = 0;
};

void visit_parameters(VisionBlockWeights& weights, const VisionBlockSizes& sizes, const std::string& prefix,
                      ParameterVisitor& visitor);

// Rows [first, first + count) see each other: the patches of one frame.
struct Frame {
  std::size_t first = 0;
  std::size_t count = 0;
};

template <std::size_t NumHeads, std::size_t HeadDim, Activation Act = Activation::gelu_pytorch_tanh>
class VisionBlock {
  static_assert(
      NumHeads > 0 && HeadDim > 0 && HeadDim % 4 == 0,
      "VisionBlock<Heads, HeadDim>: the two-dimensional rotary embedding needs heads of a multiple of 4 values");

 public:
  using Weights = VisionBlockWeights;

  static constexpr std::size_t hidden_size = NumHeads * HeadDim;

  static constexpr std::size_t workspace_bytes(std::size_t rows, std::size_t frames, std::size_t intermediate_size) {
    ArenaMeter meter;
    const Scratch<ArenaMeter> scratch(meter, rows, intermediate_size);
    AttentionScratch<ArenaMeter>(meter, rows, frames);
    FeedForwardScratch<ArenaMeter>(meter, rows, intermediate_size);
    return meter.peak();
  }

  // x `[rows, hidden_size]` is updated in place. `frames` cover the rows in order; rotary: a row of HeadDim / 2 for
  // each. attended, if any: `[rows, hidden_size]`, what the attention adds to x.
  static void forward(const Weights& weights, float* x, std::size_t rows, std::span<const Frame> frames,
                      const RotaryTable& rotary, Arena& arena, float* attended = nullptr) {
    const Scratch<Arena> scratch(arena, rows, weights.linear_fc1.weight.rows);
    attention(weights, x, rows, frames, rotary, scratch, arena, attended);
    feed_forward(weights, x, rows, scratch, arena);
  }

 private:
  // Queries of one head that a thread works on at once, so that a key read once serves them all. A head's tasks follow
  // each other, so that its keys and values are still in the cache for the next.
  static constexpr std::size_t queries_per_task = 256;

  struct QueryBlock {
    std::size_t first, count;  // rows
    Frame frame;
  };

  static constexpr std::size_t blocks_bound(std::size_t chunk, std::size_t frames) {
    return (chunk + queries_per_task - 1) / queries_per_task + std::min(chunk, frames + 1);
  }

  template <class A>
  struct Scratch {
    typename A::Scope scope;
    float* normed;  // [chunk, hidden_size]
    float* update;  // [chunk, hidden_size]
    RowsScratch<A> rows;

    constexpr Scratch(A& arena, std::size_t all_rows, std::size_t intermediate_size)
        : scope(arena),
          normed(arena.template take<float>(vision_chunk(all_rows) * hidden_size)),
          update(arena.template take<float>(vision_chunk(all_rows) * hidden_size)),
          rows(arena, vision_chunk(all_rows), std::max(hidden_size, intermediate_size)) {}
  };

  // What kernels::attention is told of the queries of a task.
  template <class A>
  struct TaskScratch {
    const float** q;
    float** out;
    std::size_t* key_begin;
    std::size_t* key_end;
    float* kernel;

    constexpr explicit TaskScratch(A& arena)
        : q(arena.template take<const float*>(queries_per_task)),
          out(arena.template take<float*>(queries_per_task)),
          key_begin(arena.template take<std::size_t>(queries_per_task)),
          key_end(arena.template take<std::size_t>(queries_per_task)),
          kernel(arena.template take<float>(kernels::attention_scratch(queries_per_task, HeadDim))) {}
  };

  template <class A>
  struct AttentionScratch {
    static constexpr std::size_t task_bytes = scratch_bytes<TaskScratch<ArenaMeter>>();
    typename A::Scope scope;
    float* keys;         // [heads, rows, HeadDim], rotated
    float* values;       // [heads, rows, HeadDim]
    float* q;            // [chunk, hidden_size]
    float* attended;     // [chunk, hidden_size]
    QueryBlock* blocks;  // of a chunk
    std::byte* tasks;

    constexpr AttentionScratch(A& arena, std::size_t rows, std::size_t frames)
        : scope(arena),
          keys(arena.template take<float>(rows * hidden_size)),
          values(arena.template take<float>(rows * hidden_size)),
          q(arena.template take<float>(vision_chunk(rows) * hidden_size)),
          attended(arena.template take<float>(vision_chunk(rows) * hidden_size)),
          blocks(arena.template take<QueryBlock>(blocks_bound(vision_chunk(rows), frames))),
          tasks(arena.template take<std::byte>(blocks_bound(vision_chunk(rows), frames) * NumHeads * task_bytes)) {}
    std::span<std::byte> of(std::size_t task) const { return {tasks + task * task_bytes, task_bytes}; }
  };

  template <class A>
  struct FeedForwardScratch {
    typename A::Scope scope;
    float* hidden;  // [chunk, intermediate_size]

    constexpr FeedForwardScratch(A& arena, std::size_t rows, std::size_t intermediate_size)
        : scope(arena), hidden(arena.template take<float>(vision_chunk(rows) * intermediate_size)) {}
  };

  static void add_update(const float* update, std::size_t count, float* x) {
    parallel_ranges(count, 16, [&](std::size_t begin, std::size_t end) {
      math::add(x + begin * hidden_size, update + begin * hidden_size, (end - begin) * hidden_size,
                x + begin * hidden_size);
    });
  }

  static void attention(const Weights& weights, float* x, std::size_t rows, std::span<const Frame> frames,
                        const RotaryTable& rotary, const Scratch<Arena>& common, Arena& arena, float* updates) {
    const AttentionScratch<Arena> own(arena, rows, frames.size());
    float* const normed = common.normed;
    float* const q = own.q;
    float* const attended = own.attended;
    const auto part = [&](std::size_t index, float* y) {
      return Projection{weights.qkv.weight.slice(index * hidden_size, hidden_size), y, hidden_size,
                        weights.qkv.bias + index * hidden_size};
    };

    each_vision_chunk(rows, [&](std::size_t first, std::size_t count) {
      layer_norm_rows(weights.norm1, x + first * hidden_size, count, hidden_size, normed);
      const Projection projections[] = {part(1, q), part(2, attended)};
      project(Rows(normed, count, hidden_size, common.rows), projections);
      parallel_ranges(count, 16, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
          for (std::size_t h = 0; h < NumHeads; ++h) {
            const std::size_t offset = (h * rows + first + i) * HeadDim;
            rotate(q + i * hidden_size + h * HeadDim, rotary, first + i, own.keys + offset);
            std::memcpy(own.values + offset, attended + i * hidden_size + h * HeadDim, HeadDim * sizeof(float));
          }
        }
      });
    });
    std::size_t frame = 0;
    each_vision_chunk(rows, [&](std::size_t first, std::size_t count) {
      layer_norm_rows(weights.norm1, x + first * hidden_size, count, hidden_size, normed);
      project(Rows(normed, count, hidden_size, common.rows), {part(0, q)});
      std::size_t used = 0;
      for (std::size_t row = first; row < first + count;) {
        while (row >= frames[frame].first + frames[frame].count) {
          ++frame;
        }
        const std::size_t end =
            std::min({row + queries_per_task, first + count, frames[frame].first + frames[frame].count});
        own.blocks[used++] = {row, end - row, frames[frame]};
        row = end;
      }
      parallel_tasks(count * hidden_size * 4 * frames[frame].count, used * NumHeads, [&](std::size_t task) {
        attend(own.blocks[task % used], task / used, first, rows, rotary, own, own.of(task));
      });
      project(Rows(attended, count, hidden_size, common.rows),
              {{weights.proj.weight, common.update, hidden_size, weights.proj.bias}});
      if (updates != nullptr) {
        std::copy_n(common.update, count * hidden_size, updates + first * hidden_size);
      }
      add_update(common.update, count, x + first * hidden_size);
    });
  }

  static void rotate(const float* in, const RotaryTable& rotary, std::size_t row, float* out) {
    math::rotate_half(in, rotary.cos + row * rotary.half, rotary.sin + row * rotary.half, rotary.half, out);
  }

  // One head of a block of queries against the keys of its frame. Rows of q and attended count from `first`.
  static void attend(const QueryBlock& block, std::size_t head, std::size_t first, std::size_t rows,
                     const RotaryTable& rotary, const AttentionScratch<Arena>& scratch, std::span<std::byte> memory) {
    Arena arena(memory);
    const TaskScratch<Arena> own(arena);
    for (std::size_t i = 0; i < block.count; ++i) {
      const std::size_t offset = (block.first - first + i) * hidden_size + head * HeadDim;
      float* const q = scratch.q + offset;
      rotate(q, rotary, block.first + i, q);
      own.q[i] = q;
      own.out[i] = scratch.attended + offset;
      own.key_begin[i] = 0;
      own.key_end[i] = block.frame.count;
    }
    const std::size_t start = (head * rows + block.frame.first) * HeadDim;
    kernels::attention({.q = own.q,
                        .out = own.out,
                        .key_begin = own.key_begin,
                        .key_end = own.key_end,
                        .queries = block.count,
                        .head_dim = HeadDim,
                        .k = reinterpret_cast<const std::byte*>(scratch.keys + start),
                        .v = reinterpret_cast<const std::byte*>(scratch.values + start),
                        .format = Format::f32,
                        .k_stride_bytes = HeadDim * sizeof(float),
                        .v_stride_bytes = HeadDim * sizeof(float),
                        .scale = 1.0f / std::sqrt(static_cast<float>(HeadDim)),
                        .scratch = own.kernel});
  }

  static void feed_forward(const Weights& weights, float* x, std::size_t rows, const Scratch<Arena>& common,
                           Arena& arena) {
    const std::size_t width = weights.linear_fc1.weight.rows;
    const FeedForwardScratch<Arena> own(arena, rows, width);
    float* const normed = common.normed;
    float* const update = common.update;
    float* const hidden = own.hidden;
    each_vision_chunk(rows, [&](std::size_t first, std::size_t count) {
      layer_norm_rows(weights.norm2, x + first * hidden_size, count, hidden_size, normed);
      project(Rows(normed, count, hidden_size, common.rows),
              {{weights.linear_fc1.weight, hidden, width, weights.linear_fc1.bias}});
      activate_rows(Act, hidden, count, width);
      project(Rows(hidden, count, width, common.rows),
              {{weights.linear_fc2.weight, update, hidden_size, weights.linear_fc2.bias}});
      add_update(update, count, x + first * hidden_size);
    });
  }
};

#if QWEN35_BODIES

QWEN35_BODY void visit_linear(LinearWeights& weights, const Shape& shape, const std::string& name,
                              ParameterVisitor& visitor) {
  visitor(Parameter{name, ".weight", shape}, weights.weight);
  visitor(Parameter{name, ".bias", {shape[0]}, Initial::zeros}, weights.bias);
}

QWEN35_BODY void visit_parameters(VisionBlockWeights& weights, const VisionBlockSizes& sizes, const std::string& prefix,
                                  ParameterVisitor& visitor) {
  const std::size_t hidden = sizes.hidden_size;
  visit_layer_norm(weights.norm1, hidden, prefix + "norm1", visitor);
  visit_layer_norm(weights.norm2, hidden, prefix + "norm2", visitor);
  visit_linear(weights.qkv, {3 * hidden, hidden}, prefix + "attn.qkv", visitor);
  visit_linear(weights.proj, {hidden, hidden}, prefix + "attn.proj", visitor);
  visit_linear(weights.linear_fc1, {sizes.intermediate, hidden}, prefix + "mlp.linear_fc1", visitor);
  visit_linear(weights.linear_fc2, {hidden, sizes.intermediate}, prefix + "mlp.linear_fc2", visitor);
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
