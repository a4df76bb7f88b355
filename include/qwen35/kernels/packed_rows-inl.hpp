// SPDX-License-Identifier: Apache-2.0
// Rows and tokens packed as f32, vector by vector, and the products of register tiles of them.
#include <qwen35/kernels/matmul_blocks.hpp>
#include <qwen35/kernels/scaled_rows-inl.hpp>
#include <qwen35/kernels/tile-inl.hpp>

#if defined(QWEN35_KERNELS_PACKED_ROWS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_PACKED_ROWS_INL_HPP
#undef QWEN35_KERNELS_PACKED_ROWS_INL_HPP
#else
#define QWEN35_KERNELS_PACKED_ROWS_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

// Where a block's products go: y = or y += them, and the last block's bring the bias along.
struct Sink {
  float* y;  // of the first token and row
  std::size_t stride;
  bool first;
  const float* bias;  // of the first row, or null

  Sink at(std::size_t token, std::size_t row) const {
    return {y + token * stride + row, stride, first, bias == nullptr ? nullptr : bias + row};
  }
  // A token's products with four rows.
  HWY_INLINE void operator()(std::size_t token, Sums sums) const {
    float* const to = y + token * stride;
    sums = first ? sums : add_sums(load_sums(to), sums);
    store_sums(bias == nullptr ? sums : add_sums(sums, load_sums(bias)), to);
  }
  // With fewer.
  HWY_INLINE void put(std::size_t token, const float* sums, std::size_t rows) const {
    for (std::size_t r = 0; r < rows; ++r) {
      float& value = y[token * stride + r];
      value = first ? sums[r] : value + sums[r];
      value = bias == nullptr ? value : value + bias[r];
    }
  }
};

// Four packed rows times packed tokens, tile by tile.
inline QWEN35_TILE_FUNCTION void multiply_tiles(const float* w, const float* tiles, std::size_t count,
                                                std::size_t vectors, Sink to) {
  for (std::size_t i = 0; i < count; ++i, tiles += tile_columns * vectors * lanes, to.y += tile_columns * to.stride) {
#if HWY_TARGET == HWY_AVX2  // sums of 8192 rows come from memory: worth 5 %
    for (std::size_t c = 0; c < tile_columns; ++c) {
      fetch(reinterpret_cast<const std::byte*>(to.y + c * to.stride), 0);
    }
#endif
    sum_tile<tile_columns>(dot_packed<tile_columns>(w, tiles, vectors), to);
  }
}

// One tile, of which only `rows` and `columns` count.
inline void multiply_edge(const float* w, std::size_t rows, const float* tile, std::size_t columns, std::size_t vectors,
                          const Sink& to) {
  float sums[4 * tile_columns];
  multiply_tiles(w, tile, 1, vectors, {sums, 4, true, nullptr});
  for (std::size_t c = 0; c < columns; ++c) {
    to.put(c, sums + c * 4, rows);
  }
}

// A packed panel of rows times packed tokens.
inline void multiply_group(const float* panel, std::size_t rows, const float* tiles, std::size_t tokens,
                           std::size_t depth, const Sink& to) {
  const std::size_t vectors = depth / lanes;
  for (std::size_t row = 0; row < rows; row += 4) {
    const std::size_t left = rows - row < 4 ? rows - row : 4;
    const std::size_t whole = left == 4 ? tokens / tile_columns : 0;
    multiply_tiles(panel + row * depth, tiles, whole, vectors, to.at(0, row));
    for (std::size_t token = whole * tile_columns; token < tokens; token += tile_columns) {
      multiply_edge(panel + row * depth, left, tiles + token * depth,
                    tokens - token < tile_columns ? tokens - token : tile_columns, vectors, to.at(token, row));
    }
  }
}

// Values of a block take whole vectors.
constexpr std::size_t packed_depth(std::size_t length) {
  return (length + lanes - 1) / lanes * lanes;
}

// Blocks of rows lie apart in memory, each too short for the processor to run ahead of it.
inline constexpr std::size_t rows_ahead = 8;
inline void fetch_row(const std::byte* row, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; i += 64) {
    fetch(row, i);
  }
}

inline void pack_panel(const Matrix& w, std::size_t row, std::size_t rows, std::size_t k, std::size_t length,
                       float* panel) {
  const std::size_t depth = packed_depth(length);
  const std::size_t start = row_bytes(w.format, k), bytes = row_bytes(w.format, length);
  for (std::size_t r = 0; r < (rows + 3) / 4 * 4; ++r) {
    if (r + rows_ahead < rows) {
      fetch_row(w.row(row + r + rows_ahead) + start, bytes);
    }
    decode_vectors(w, row + (r < rows ? r : rows - 1), k, length, 4, panel + r / 4 * 4 * depth + r % 4 * lanes);
  }
}

// A tile of `length` values of each token; columns beyond the last of `tokens` repeat it.
inline void pack_tile(const float* x, std::size_t x_stride, std::size_t tokens, std::size_t length, std::size_t columns,
                      float* tile) {
  for (std::size_t c = 0; c < columns; ++c) {
    const float* const from = x + (c < tokens ? c : tokens - 1) * x_stride;
    if (c + rows_ahead < tokens) {
      fetch_row(reinterpret_cast<const std::byte*>(from + rows_ahead * x_stride), length * sizeof(float));
    }
    decode_vectors<Format::f32>(reinterpret_cast<const std::byte*>(from), 0, length, columns, tile + c * lanes);
  }
}

inline void pack_tiles(const float* x, std::size_t x_stride, std::size_t tokens, std::size_t length, float* tiles) {
  for (std::size_t token = 0; token < tokens; token += tile_columns, tiles += tile_columns * packed_depth(length)) {
    pack_tile(x + token * x_stride, x_stride, tokens - token, length, tile_columns, tiles);
  }
}

inline void pack_tokens(const PackTokensTask& task) {
  pack_tiles(task.x + task.begin * task.x_stride, task.x_stride, task.end - task.begin, task.length,
             task.packed + task.begin * packed_depth(task.length));
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
