// SPDX-License-Identifier: Apache-2.0
// Products of stored matrices with rows of activations. The order of each sum is given in kernels.hpp; every path below keeps it.
#include <qwen35/kernels/tile-inl.hpp>

#if defined(QWEN35_KERNELS_MATMUL_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_MATMUL_INL_HPP
#undef QWEN35_KERNELS_MATMUL_INL_HPP
#else
#define QWEN35_KERNELS_MATMUL_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

// Up to four values: to = from, or to += from.
HWY_INLINE void put_sums(const float* from, std::size_t count, bool first, float* to) {
  const hn::CappedTag<float, 4> tag;
  if (count == 4) {
    for (std::size_t r = 0; r < 4; r += hn::MaxLanes(tag)) {
      const auto sums = hn::LoadU(tag, from + r);
      hn::StoreU(first ? sums : hn::Add(hn::LoadU(tag, to + r), sums), tag, to + r);
    }
    return;
  }
  for (std::size_t r = 0; r < count; ++r) {
    to[r] = first ? from[r] : to[r] + from[r];
  }
}

template <class Format>
HWY_INLINE void dot_rows(const std::byte* const* w, const float* const* x, std::size_t columns, std::size_t k, std::size_t length, std::size_t ahead,
                         float* sums) {
  if (columns == 1 || tile_columns == 1) {
    dot_rows<1, Format>(w, x, k, length, ahead, sums);
  } else if (columns == 2) {
    dot_rows<2, Format>(w, x, k, length, ahead, sums);
  } else if (tile_columns == 3) {
    dot_rows<tile_columns == 3 ? 3 : 1, Format>(w, x, k, length, ahead, sums);
  } else if (columns <= 4) {
    dot_rows<tile_columns == 6 ? 4 : 1, Format>(w, x, k, length, ahead, sums);
  } else {
    dot_rows<tile_columns == 6 ? 6 : 1, Format>(w, x, k, length, ahead, sums);
  }
}

// Up to this many tokens reading the rows once matters more than what it costs to decode them again for each tile of tokens. (Measured on
// Zen 4: at 16 tokens 84 % of the peak against 50 % for packed panels, at 64 80 % against 70 %, at 256 77 % against 82 %.)
inline constexpr std::size_t few_tokens = 128;
inline constexpr std::size_t fetch_ahead = 512;  // 256 to 4096 bytes are alike within a few per cent

// The rows are read as four plain streams, a quarter of the range each, which the processor recognises and runs ahead of. (Four neighbouring rows
// at a time gave 40 % of the bandwidth for rows of 1 KiB: each stream ended before it was recognised.)
template <class Format>
HWY_NOINLINE void multiply_streams(const Matrix& w, std::size_t row_begin, std::size_t row_end, const float* x, std::size_t x_stride,
                                   std::size_t tokens, float* y, std::size_t y_stride) {
  const std::size_t block = matmul_block(w.cols);
  const std::size_t quarter = (row_end - row_begin + 3) / 4;
  for (std::size_t step = 0; step < quarter && w.cols > 0; ++step) {
    std::size_t row[4];
    const std::byte* from[4];
    for (std::size_t r = 0; r < 4; ++r) {
      const std::size_t own = row_begin + r * quarter + step;
      row[r] = own < row_end ? own : row_end - 1;  // the last row again, with the same result
      from[r] = w.data + row[r] * w.cols * Format::bytes;
    }
    float total[4 * few_tokens];
    for (std::size_t k = 0; k < w.cols; k += block) {
      const std::size_t length = w.cols - k < block ? w.cols - k : block;
      for (std::size_t token = 0; token < tokens; token += tile_columns) {
        const std::size_t columns = tokens - token < tile_columns ? tokens - token : tile_columns;
        const float* column[6];
        for (std::size_t c = 0; c < 6; ++c) {
          column[c] = x + (token + (c < columns ? c : columns - 1)) * x_stride;
        }
        float sums[4 * tile_columns];
        dot_rows<Format>(from, column, columns, k, length, fetch_ahead, sums);
        for (std::size_t i = 0; i < 4 * columns; ++i) {
          total[token * 4 + i] = k == 0 ? sums[i] : total[token * 4 + i] + sums[i];
        }
      }
    }
    for (std::size_t token = 0; token < tokens; ++token) {
      for (std::size_t r = 0; r < 4; ++r) {
        y[token * y_stride + row[r]] = total[token * 4 + r];
      }
    }
  }
}

// Many tokens compute. Rows of a panel are packed as f32 once; they meet each tile of tokens, packed too, while that is in the first-level cache.
// Packing frees the rest from strides that collide in the cache. A panel takes 160 KiB of stack.
inline constexpr std::size_t panel_rows = 64;

inline void multiply_panel(const float* panel, std::size_t rows, std::size_t length, const float* x, std::size_t x_stride, std::size_t tokens,
                           float* y, std::size_t y_stride, bool first) {
  HWY_ALIGN float tile[tile_columns * matmul_block_limit];
  const std::size_t vectors = (length + lanes - 1) / lanes;
  const std::size_t lines = (length * sizeof(float) + 63) / 64;  // of a token
  for (std::size_t token = 0; token < tokens; token += tile_columns) {
    const std::size_t left = tokens - token;
    const std::size_t columns = left < tile_columns ? left : tile_columns;
    const std::size_t packed = packed_columns(columns);
    for (std::size_t c = 0; c < packed; ++c) {
      const float* const from = x + (token + (c < columns ? c : columns - 1)) * x_stride;
      pack_as<F32>(reinterpret_cast<const std::byte*>(from), length, packed, tile + c * lanes);
    }
    const std::size_t following = left - columns < tile_columns ? left - columns : tile_columns;
    const std::size_t share = (following * lines * 4 + rows - 1) / rows;  // of the lines of the next tile, for each four rows
    const float* next = x + (token + tile_columns) * x_stride;
    std::size_t to_fetch = following * lines, line = 0;
    for (std::size_t row = 0; row < rows; row += 4) {
      // The tokens of the next tile come into the cache while this one computes: without it 1000 tokens lose a quarter of the speed.
      for (std::size_t i = 0; i < share && to_fetch > 0; ++i, --to_fetch) {
        fetch(reinterpret_cast<const std::byte*>(next), line * 64);
        if (++line == lines) {
          line = 0;
          next += x_stride;
        }
      }
      float sums[4 * tile_columns];
      dot_packed(panel + row * vectors * lanes, tile, columns, vectors, sums);
      for (std::size_t c = 0; c < columns; ++c) {
        put_sums(sums + c * 4, rows - row < 4 ? rows - row : 4, first, y + (token + c) * y_stride + row);
      }
    }
  }
}

inline void multiply_many(const Matrix& w, std::size_t row_begin, std::size_t row_end, const float* x, std::size_t x_stride, std::size_t tokens,
                          float* y, std::size_t y_stride) {
  HWY_ALIGN float panel[panel_rows * matmul_block_limit];
  const std::size_t block = matmul_block(w.cols);
  for (std::size_t row = row_begin; row < row_end; row += panel_rows) {
    const std::size_t rows = row_end - row < panel_rows ? row_end - row : panel_rows;
    for (std::size_t k = 0; k < w.cols; k += block) {
      const std::size_t length = w.cols - k < block ? w.cols - k : block;
      const std::size_t vectors = (length + lanes - 1) / lanes;
      for (std::size_t r = 0; r < (rows + 3) / 4 * 4; ++r) {
        const std::byte* const from = w.row(row + (r < rows ? r : rows - 1)) + row_bytes(w.dtype, k);
        pack_row(w.dtype, from, length, 4, panel + (r / 4 * 4 * vectors + r % 4) * lanes);
      }
      multiply_panel(panel, rows, length, x + k, x_stride, tokens, y + row, y_stride, k == 0);
    }
  }
}

inline void matmul(const Matrix& w, std::size_t row_begin, std::size_t row_end, const float* x, std::size_t x_stride, std::size_t tokens, float* y,
                   std::size_t y_stride, const float* bias) {
  if (tokens > few_tokens) {
    multiply_many(w, row_begin, row_end, x, x_stride, tokens, y, y_stride);
  } else if (tokens > 0) {
    switch (w.dtype) {
      case DType::f32: multiply_streams<F32>(w, row_begin, row_end, x, x_stride, tokens, y, y_stride); break;
      case DType::f16: multiply_streams<F16>(w, row_begin, row_end, x, x_stride, tokens, y, y_stride); break;
      case DType::bf16: multiply_streams<BF16>(w, row_begin, row_end, x, x_stride, tokens, y, y_stride); break;
    }
  }
  for (std::size_t token = 0; token < tokens && (bias != nullptr || w.cols == 0); ++token) {
    for (std::size_t row = row_begin; row < row_end; ++row) {
      float& value = y[token * y_stride + row];
      value = (w.cols == 0 ? 0.0f : value) + (bias == nullptr ? 0.0f : bias[row]);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
