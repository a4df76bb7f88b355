// SPDX-License-Identifier: Apache-2.0
// Where the patches of a picture stand: their order, the interpolated position table, the two-dimensional rotary
// embedding.
#pragma once

#include <qwen35/core/matrix.hpp>
#include <qwen35/kernels/kernels.hpp>

#include <vector>

#if QWEN35_BODIES
#include <qwen35/parallel/parallel_for.hpp>

#include <algorithm>
#include <cmath>
#endif

QWEN35_BEGIN_NAMESPACE

// One frame of h x w patches, both multiples of `merge`, in merge-block order: the merge x merge patches that become
// one token follow each other.
struct PatchGrid {
  std::size_t h = 0;
  std::size_t w = 0;
  std::size_t merge = 1;

  struct Cell {
    std::size_t row, col;
  };
  std::size_t size() const { return h * w; }
  Cell cell(std::size_t index) const;
  friend bool operator==(const PatchGrid&, const PatchGrid&) = default;
};

namespace detail {

// Where `count` patches fall on a side of `cells` table rows: the two rows around each, and how far it is from the
// first to the second. Source: the reference's torch.linspace in f32.
struct Interpolation {
  std::vector<std::size_t> low, high;
  std::vector<float> fraction;

  Interpolation(std::size_t cells, std::size_t count);
};

}  // namespace detail

// Adds to x `[frames * grid.size(), width]` the rows of the square table `[cells * cells, width]`, interpolated
// bilinearly over the frame. Source: reference `fast_pos_embed_interpolate`.
void add_position_embedding(const Matrix& table, const PatchGrid& grid, std::size_t frames, float* x);

// Writes the angles' cos and sin `[grid.size(), half]` of heads of 2 * half values: the first half / 2 pairs turn with
// the row, the others with the column. Source: reference `Qwen3_5MoeVisionRotaryEmbedding`, theta 10000.
void fill_vision_rotary(const PatchGrid& grid, std::size_t half, float* cos, float* sin);

#if QWEN35_BODIES

QWEN35_BODY PatchGrid::Cell PatchGrid::cell(std::size_t index) const {
  const std::size_t band = merge * w, block = index % band / (merge * merge), inside = index % (merge * merge);
  return {index / band * merge + inside / merge, block * merge + inside % merge};
}

namespace detail {

QWEN35_BODY Interpolation::Interpolation(std::size_t cells, std::size_t count)
    : low(count), high(count), fraction(count) {
  const float last = static_cast<float>(cells - 1);
  const float step = count > 1 ? last / static_cast<float>(count - 1) : 0.0f;
  for (std::size_t i = 0; i < count; ++i) {
    const float at =
        i < count / 2 || count == 1 ? step * static_cast<float>(i) : last - step * static_cast<float>(count - 1 - i);
    low[i] = std::min(static_cast<std::size_t>(std::max(at, 0.0f)), cells - 1);
    high[i] = std::min(low[i] + 1, cells - 1);
    fraction[i] = at - static_cast<float>(low[i]);
  }
}

}  // namespace detail

QWEN35_BODY void add_position_embedding(const Matrix& table, const PatchGrid& grid, std::size_t frames, float* x) {
  const auto cells = static_cast<std::size_t>(std::sqrt(static_cast<double>(table.rows)));
  const std::size_t width = table.cols;
  const detail::Interpolation rows(cells, grid.h), cols(cells, grid.w);
  parallel_ranges(grid.size(), 16, [&](std::size_t begin, std::size_t end) {
    std::vector<float> sum(width), corner(width);
    for (std::size_t i = begin; i < end; ++i) {
      const PatchGrid::Cell at = grid.cell(i);
      const float dy = rows.fraction[at.row], dx = cols.fraction[at.col];
      const std::size_t corners[] = {
          rows.low[at.row] * cells + cols.low[at.col], rows.low[at.row] * cells + cols.high[at.col],
          rows.high[at.row] * cells + cols.low[at.col], rows.high[at.row] * cells + cols.high[at.col]};
      const float weights[] = {(1.0f - dy) * (1.0f - dx), (1.0f - dy) * dx, dy * (1.0f - dx), dy * dx};
      std::fill(sum.begin(), sum.end(), 0.0f);
      for (std::size_t c = 0; c < 4; ++c) {
        kernels::decode_row({table, corners[c], corner.data()});
        for (std::size_t d = 0; d < width; ++d) {
          sum[d] += weights[c] * corner[d];
        }
      }
      for (std::size_t frame = 0; frame < frames; ++frame) {
        float* const out = x + (frame * grid.size() + i) * width;
        for (std::size_t d = 0; d < width; ++d) {
          out[d] += sum[d];
        }
      }
    }
  });
}

QWEN35_BODY void fill_vision_rotary(const PatchGrid& grid, std::size_t half, float* cos, float* sin) {
  const std::size_t quarter = half / 2, longest = std::max(grid.h, grid.w);
  std::vector<float> line_cos(longest * quarter), line_sin(longest * quarter);
  for (std::size_t j = 0; j < quarter; ++j) {
    const float frequency = 1.0f / std::pow(10000.0f, static_cast<float>(2 * j) / static_cast<float>(half));
    for (std::size_t i = 0; i < longest; ++i) {
      const float angle = static_cast<float>(i) * frequency;
      line_cos[i * quarter + j] = std::cos(angle);
      line_sin[i * quarter + j] = std::sin(angle);
    }
  }
  for (std::size_t i = 0; i < grid.size(); ++i) {
    const PatchGrid::Cell at = grid.cell(i);
    std::copy_n(line_cos.data() + at.row * quarter, quarter, cos + i * half);
    std::copy_n(line_cos.data() + at.col * quarter, quarter, cos + i * half + quarter);
    std::copy_n(line_sin.data() + at.row * quarter, quarter, sin + i * half);
    std::copy_n(line_sin.data() + at.col * quarter, quarter, sin + i * half + quarter);
  }
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
