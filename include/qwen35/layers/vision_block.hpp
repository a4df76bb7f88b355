// SPDX-License-Identifier: Apache-2.0
// One block of the vision tower: LayerNorm, attention inside each frame, LayerNorm, feed-forward. Source: reference
// `Qwen3_5MoeVisionBlock`.
#pragma once

#include <qwen35/config/vision_config.hpp>
#include <qwen35/layers/parameter.hpp>
#include <qwen35/layers/pass.hpp>
#include <qwen35/layers/projection.hpp>
#include <qwen35/layers/workspace.hpp>
#include <qwen35/math/activations.hpp>
#include <qwen35/math/elementwise.hpp>
#include <qwen35/math/norms.hpp>
#include <qwen35/math/rotary.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

QWEN35_BEGIN_NAMESPACE

struct LayerNormWeights {
  const float* weight = nullptr;  // [size]
  const float* bias = nullptr;    // [size]
};

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

template <class Weights, class Visitor>
void visit_layer_norm(Weights& weights, std::size_t size, const std::string& name, Visitor& visitor) {
  visitor(Parameter{name + ".weight", {size}, Initial::ones}, weights.weight);
  visitor(Parameter{name + ".bias", {size}, Initial::zeros}, weights.bias);
}

// `shape`: of the weight, [out, ...].
template <class Weights, class Visitor>
void visit_linear(Weights& weights, const Shape& shape, const std::string& name, Visitor& visitor) {
  visitor(Parameter{name + ".weight", shape}, weights.weight);
  visitor(Parameter{name + ".bias", {shape[0]}, Initial::zeros}, weights.bias);
}

struct VisionBlockSizes {
  std::size_t hidden_size = 0;
  std::size_t intermediate = 0;
};

template <class Weights, class Visitor>
void visit_parameters(Weights& weights, const VisionBlockSizes& sizes, const std::string& prefix, Visitor& visitor) {
  const std::size_t hidden = sizes.hidden_size;
  visit_layer_norm(weights.norm1, hidden, prefix + "norm1", visitor);
  visit_layer_norm(weights.norm2, hidden, prefix + "norm2", visitor);
  visit_linear(weights.qkv, {3 * hidden, hidden}, prefix + "attn.qkv", visitor);
  visit_linear(weights.proj, {hidden, hidden}, prefix + "attn.proj", visitor);
  visit_linear(weights.linear_fc1, {sizes.intermediate, hidden}, prefix + "mlp.linear_fc1", visitor);
  visit_linear(weights.linear_fc2, {hidden, sizes.intermediate}, prefix + "mlp.linear_fc2", visitor);
}

// Rows [first, first + count) see each other: the patches of one frame.
struct Frame {
  std::size_t first = 0;
  std::size_t count = 0;
};

namespace detail {

inline constexpr float vision_norm_eps = 1e-6f;

// Rows that go through the products of a layer at once: their activations stay in the cache, and memory grows with the
// picture by three rows of hidden_size a patch alone (the hidden state, keys, values). Chunks of 512 to 2304 rows are
// alike in speed within 3 %.
inline constexpr std::size_t vision_chunk_limit = 768;

// The fewest chunks that keep to the limit, evenly long.
constexpr std::size_t vision_chunk(std::size_t rows) {
  const std::size_t chunks = (rows + vision_chunk_limit - 1) / vision_chunk_limit;
  return chunks == 0 ? 0 : (rows + chunks - 1) / chunks;
}

// fn(first, count) for each chunk of rows.
template <class F>
inline void each_vision_chunk(std::size_t rows, const F& fn) {
  const std::size_t chunk = vision_chunk(rows);
  for (std::size_t first = 0; first < rows; first += chunk) {
    fn(first, std::min(chunk, rows - first));
  }
}

// y `[rows, size]` = LayerNorm(x)
inline void layer_norm_rows(const LayerNormWeights& norm, const float* x, std::size_t rows, std::size_t size,
                            float* y) {
  parallel_ranges(rows, 16, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      math::layer_norm(x + i * size, norm.weight, norm.bias, size, vision_norm_eps, y + i * size);
    }
  });
}

// In place.
template <Activation Act>
inline void activate_rows(float* x, std::size_t rows, std::size_t size) {
  parallel_ranges(rows, 1, [&](std::size_t begin, std::size_t end) {
    float* const first = x + begin * size;
    const std::size_t count = (end - begin) * size;
    if constexpr (Act == Activation::gelu_pytorch_tanh) {
      kernels::gelu_tanh(first, count, first);
    } else if constexpr (Act == Activation::silu) {
      math::silu(first, count, first);
    } else {
      math::gelu_erf(first, count, first);
    }
  });
}

}  // namespace detail

template <std::size_t NumHeads, std::size_t HeadDim, Activation Act = Activation::gelu_pytorch_tanh>
class VisionBlock {
  static_assert(
      NumHeads > 0 && HeadDim > 0 && HeadDim % 4 == 0,
      "VisionBlock<Heads, HeadDim>: the two-dimensional rotary embedding needs heads of a multiple of 4 values");

 public:
  using Weights = VisionBlockWeights;

  static constexpr std::size_t hidden_size = NumHeads * HeadDim;

  static constexpr std::size_t workspace_bytes(std::size_t rows, std::size_t frames, std::size_t intermediate_size) {
    const std::size_t chunk = detail::vision_chunk(rows);
    const std::size_t attention =
        2 * Arena::cost<float>(rows * hidden_size) + 2 * Arena::cost<float>(chunk * hidden_size) +
        Arena::cost<QueryBlock>(blocks_bound(chunk, frames)) + blocks_bound(chunk, frames) * NumHeads * task_bytes() +
        projection_bytes(chunk, hidden_size);
    const std::size_t feed_forward =
        Arena::cost<float>(chunk * intermediate_size) +
        std::max(projection_bytes(chunk, hidden_size), projection_bytes(chunk, intermediate_size));
    return 2 * Arena::cost<float>(chunk * hidden_size) + std::max(attention, feed_forward);
  }

  // x `[rows, hidden_size]` is updated in place. `frames` cover the rows in order; rotary: a row of HeadDim / 2 for
  // each.
  static void forward(const Weights& weights, float* x, std::size_t rows, std::span<const Frame> frames,
                      const RotaryTable& rotary, Arena& arena) {
    const Arena::Scope scope(arena);
    const std::size_t chunk = detail::vision_chunk(rows);
    float* const normed = arena.take<float>(chunk * hidden_size);
    float* const update = arena.take<float>(chunk * hidden_size);
    attention(weights, x, rows, frames, rotary, normed, update, arena);
    feed_forward(weights, x, rows, normed, update, arena);
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
  static constexpr std::size_t task_bytes() {
    return 2 * Arena::cost<const float*>(queries_per_task) + 2 * Arena::cost<std::size_t>(queries_per_task) +
           Arena::cost<float>(kernels::attention_scratch(queries_per_task, HeadDim));
  }

  static void add_update(const float* update, std::size_t count, float* x) {
    parallel_ranges(count, 16, [&](std::size_t begin, std::size_t end) {
      math::add(x + begin * hidden_size, update + begin * hidden_size, (end - begin) * hidden_size,
                x + begin * hidden_size);
    });
  }

  static void attention(const Weights& weights, float* x, std::size_t rows, std::span<const Frame> frames,
                        const RotaryTable& rotary, float* normed, float* update, Arena& arena) {
    const Arena::Scope scope(arena);
    const std::size_t chunk = detail::vision_chunk(rows);
    float* const keys = arena.take<float>(rows * hidden_size);    // [heads, rows, HeadDim], rotated
    float* const values = arena.take<float>(rows * hidden_size);  // [heads, rows, HeadDim]
    float* const q = arena.take<float>(chunk * hidden_size);
    float* const attended = arena.take<float>(chunk * hidden_size);
    QueryBlock* const blocks = arena.take<QueryBlock>(blocks_bound(chunk, frames.size()));
    std::byte* const scratch = arena.take<std::byte>(blocks_bound(chunk, frames.size()) * NumHeads * task_bytes());
    const auto part = [&](std::size_t index, float* y) {
      return Projection{weights.qkv.weight.slice(index * hidden_size, hidden_size), y, hidden_size,
                        weights.qkv.bias + index * hidden_size};
    };

    detail::each_vision_chunk(rows, [&](std::size_t first, std::size_t count) {
      detail::layer_norm_rows(weights.norm1, x + first * hidden_size, count, hidden_size, normed);
      const Projection projections[] = {part(1, q), part(2, attended)};
      project(projections, normed, count, arena);
      parallel_ranges(count, 16, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
          for (std::size_t h = 0; h < NumHeads; ++h) {
            const std::size_t place = (h * rows + first + i) * HeadDim;
            rotate(q + i * hidden_size + h * HeadDim, rotary, first + i, keys + place);
            std::memcpy(values + place, attended + i * hidden_size + h * HeadDim, HeadDim * sizeof(float));
          }
        }
      });
    });
    std::size_t frame = 0;
    detail::each_vision_chunk(rows, [&](std::size_t first, std::size_t count) {
      detail::layer_norm_rows(weights.norm1, x + first * hidden_size, count, hidden_size, normed);
      project(part(0, q), normed, count, arena);
      std::size_t used = 0;
      for (std::size_t row = first; row < first + count;) {
        while (row >= frames[frame].first + frames[frame].count) {
          ++frame;
        }
        const std::size_t end =
            std::min({row + queries_per_task, first + count, frames[frame].first + frames[frame].count});
        blocks[used++] = {row, end - row, frames[frame]};
        row = end;
      }
      detail::share(count * hidden_size * 4 * frames[frame].count, used * NumHeads, [&](std::size_t task) {
        attend(blocks[task % used], task / used, first, rows, rotary, q, keys, values, attended,
               std::span<std::byte>(scratch + task * task_bytes(), task_bytes()));
      });
      project({weights.proj.weight, update, hidden_size, weights.proj.bias}, attended, count, arena);
      add_update(update, count, x + first * hidden_size);
    });
  }

  static void rotate(const float* in, const RotaryTable& rotary, std::size_t row, float* out) {
    math::rotate_half(in, rotary.cos + row * rotary.half, rotary.sin + row * rotary.half, rotary.half, out);
  }

  // One head of a block of queries against the keys of its frame. Rows of q and attended count from `first`.
  static void attend(const QueryBlock& block, std::size_t head, std::size_t first, std::size_t rows,
                     const RotaryTable& rotary, float* q, const float* keys, const float* values, float* attended,
                     std::span<std::byte> memory) {
    Arena arena(memory);
    const float** const queries = arena.take<const float*>(block.count);
    float** const out = arena.take<float*>(block.count);
    std::size_t* const begin = arena.take<std::size_t>(block.count);
    std::size_t* const end = arena.take<std::size_t>(block.count);
    for (std::size_t i = 0; i < block.count; ++i) {
      const std::size_t place = (block.first - first + i) * hidden_size + head * HeadDim;
      rotate(q + place, rotary, block.first + i, q + place);
      queries[i] = q + place;
      out[i] = attended + place;
      begin[i] = 0;
      end[i] = block.frame.count;
    }
    const std::size_t start = (head * rows + block.frame.first) * HeadDim;
    kernels::attention({.q = queries,
                        .out = out,
                        .key_begin = begin,
                        .key_end = end,
                        .queries = block.count,
                        .head_dim = HeadDim,
                        .k = reinterpret_cast<const std::byte*>(keys + start),
                        .v = reinterpret_cast<const std::byte*>(values + start),
                        .format = Format::f32,
                        .k_stride_bytes = HeadDim * sizeof(float),
                        .v_stride_bytes = HeadDim * sizeof(float),
                        .scale = 1.0f / std::sqrt(static_cast<float>(HeadDim)),
                        .scratch = arena.take<float>(kernels::attention_scratch(block.count, HeadDim))});
  }

  static void feed_forward(const Weights& weights, float* x, std::size_t rows, float* normed, float* update,
                           Arena& arena) {
    const Arena::Scope scope(arena);
    const std::size_t width = weights.linear_fc1.weight.rows;
    float* const hidden = arena.take<float>(detail::vision_chunk(rows) * width);
    detail::each_vision_chunk(rows, [&](std::size_t first, std::size_t count) {
      detail::layer_norm_rows(weights.norm2, x + first * hidden_size, count, hidden_size, normed);
      project({weights.linear_fc1.weight, hidden, width, weights.linear_fc1.bias}, normed, count, arena);
      detail::activate_rows<Act>(hidden, count, width);
      project({weights.linear_fc2.weight, update, hidden_size, weights.linear_fc2.bias}, hidden, count, arena);
      add_update(update, count, x + first * hidden_size);
    });
  }
};

QWEN35_END_NAMESPACE
