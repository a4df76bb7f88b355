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

// One token: rows straight from memory, four at a time.
template <class Format>
inline void matvec(const Matrix& w, std::size_t row_begin, std::size_t row_end, const float* x, float* y, const float* bias) {
  const std::size_t stride = w.cols * Format::bytes;
  for (std::size_t row = row_begin; row < row_end; row += 4) {
    const std::size_t rows = row_end - row < 4 ? row_end - row : 4;
    const std::byte* from[4];
    for (std::size_t r = 0; r < 4; ++r) {
      from[r] = w.data + (row + (r < rows ? r : rows - 1)) * stride;
    }
    float total[4] = {};
    for (std::size_t k = 0; k < w.cols; k += matmul_block) {
      const std::size_t length = w.cols - k < matmul_block ? w.cols - k : matmul_block;
      const std::byte* const block[4] = {from[0] + k * Format::bytes, from[1] + k * Format::bytes, from[2] + k * Format::bytes,
                                         from[3] + k * Format::bytes};
      const float* const column = x + k;
      float sums[4];
      dot_tile<1, Format>(block, &column, length, sums);
      for (std::size_t r = 0; r < 4; ++r) {
        total[r] += sums[r];
      }
    }
    for (std::size_t r = 0; r < rows; ++r) {
      y[row + r] = bias == nullptr ? total[r] : total[r] + bias[row + r];
    }
  }
}

// Rows of a panel: decoded together, they meet every token while a block of the tokens' values is in the first-level cache.
inline constexpr std::size_t panel_rows = 32;

inline void decode_panel(const Matrix& w, std::size_t row, std::size_t rows, std::size_t k, std::size_t length, float* panel) {
  for (std::size_t r = 0; r < rows; ++r) {
    const std::byte* const from = w.data + (row + r) * row_bytes(w.dtype, w.cols) + row_bytes(w.dtype, k);
    switch (w.dtype) {
      case DType::f32: decode_padded<F32>(from, length, panel + r * matmul_block); break;
      case DType::f16: decode_padded<F16>(from, length, panel + r * matmul_block); break;
      case DType::bf16: decode_padded<BF16>(from, length, panel + r * matmul_block); break;
    }
  }
}

// y (+)= panel times the tokens, one block of k.
inline void multiply_panel(const float* panel, std::size_t rows, std::size_t length, const float* x, std::size_t x_stride, std::size_t tokens,
                           float* y, std::size_t y_stride, bool first) {
  for (std::size_t token = 0; token < tokens; token += tile_columns) {
    const std::size_t columns = tokens - token < tile_columns ? tokens - token : tile_columns;
    const float* from[6];
    for (std::size_t c = 0; c < 6; ++c) {
      from[c] = x + (token + (c < columns ? c : columns - 1)) * x_stride;
    }
    for (std::size_t row = 0; row < rows; row += 4) {
      const std::size_t count = rows - row < 4 ? rows - row : 4;
      const std::byte* w[4];
      for (std::size_t r = 0; r < 4; ++r) {
        w[r] = reinterpret_cast<const std::byte*>(panel + (row + (r < count ? r : count - 1)) * matmul_block);
      }
      float sums[24];
      dot_columns(w, from, columns, length, sums);
      for (std::size_t c = 0; c < columns; ++c) {
        float* const out = y + (token + c) * y_stride + row;
        for (std::size_t r = 0; r < count; ++r) {
          out[r] = first ? sums[c * 4 + r] : out[r] + sums[c * 4 + r];
        }
      }
    }
  }
}

inline void matmul_panels(const Matrix& w, std::size_t row_begin, std::size_t row_end, const float* x, std::size_t x_stride, std::size_t tokens,
                          float* y, std::size_t y_stride, const float* bias) {
  HWY_ALIGN float panel[panel_rows * matmul_block];
  // Few tokens wait for memory: read four rows to their end. Many tokens compute: keep more rows of one block at hand.
  const std::size_t step = tokens <= tile_columns ? 4 : panel_rows;
  for (std::size_t row = row_begin; row < row_end; row += step) {
    const std::size_t rows = row_end - row < step ? row_end - row : step;
    for (std::size_t k = 0; k < w.cols; k += matmul_block) {
      const std::size_t length = w.cols - k < matmul_block ? w.cols - k : matmul_block;
      decode_panel(w, row, rows, k, length, panel);
      multiply_panel(panel, rows, length, x + k, x_stride, tokens, y + row, y_stride, k == 0);
    }
    for (std::size_t token = 0; bias != nullptr && token < tokens; ++token) {
      for (std::size_t r = row; r < row + rows; ++r) {
        y[token * y_stride + r] += bias[r];
      }
    }
  }
}

inline void matmul(const Matrix& w, std::size_t row_begin, std::size_t row_end, const float* x, std::size_t x_stride, std::size_t tokens, float* y,
                   std::size_t y_stride, const float* bias) {
  if (w.cols == 0) {  // an empty sum
    for (std::size_t token = 0; token < tokens; ++token) {
      for (std::size_t row = row_begin; row < row_end; ++row) {
        y[token * y_stride + row] = bias == nullptr ? 0.0f : bias[row];
      }
    }
    return;
  }
  if (tokens != 1) {
    matmul_panels(w, row_begin, row_end, x, x_stride, tokens, y, y_stride, bias);
    return;
  }
  switch (w.dtype) {
    case DType::f32: matvec<F32>(w, row_begin, row_end, x, y, bias); return;
    case DType::f16: matvec<F16>(w, row_begin, row_end, x, y, bias); return;
    case DType::bf16: matvec<BF16>(w, row_begin, row_end, x, y, bias); return;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
