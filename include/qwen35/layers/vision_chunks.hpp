// SPDX-License-Identifier: Apache-2.0
// The rows of a picture go through a layer of the vision tower chunk by chunk.
#pragma once

#include <qwen35/layers/activation.hpp>

#include <algorithm>
#include <cstddef>

#if QWEN35_BODIES
#include <qwen35/parallel/parallel_for.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

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

// x `[rows, size]` = act(x)
void activate_rows(Activation activation, float* x, std::size_t rows, std::size_t size);

#if QWEN35_BODIES

QWEN35_BODY void activate_rows(Activation activation, float* x, std::size_t rows, std::size_t size) {
  parallel_ranges(rows, 1, [&](std::size_t begin, std::size_t end) {
    activate(activation, x + begin * size, (end - begin) * size, x + begin * size);
  });
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
