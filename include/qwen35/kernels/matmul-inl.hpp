// SPDX-License-Identifier: Apache-2.0
// Products of stored matrices with rows of activations. The order of each sum is given in kernels.hpp; every path below
// keeps it.
#include <qwen35/kernels/few_tokens-inl.hpp>

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

// Widths between one column and a whole tile are compiled only where that is done once: elsewhere a tile takes them, in
// which the last column stands again.
#if defined(QWEN35_KERNELS_SOURCE)
inline constexpr bool has_narrow_tiles = true;
#else
inline constexpr bool has_narrow_tiles = false;
#endif

template <Format F>
HWY_INLINE void dot_rows(const std::byte* const* w, const float* const* x, std::size_t columns, std::size_t begin,
                         std::size_t end, std::size_t ahead, float* sums) {
  if (columns == 1 || tile_columns == 1) {
    dot_rows<1, F>(w, x, begin, end, ahead, sums);
    return;
  }
  if constexpr (has_narrow_tiles && tile_columns > 2) {
    if (columns == 2) {
      dot_rows<2, F>(w, x, begin, end, ahead, sums);
      return;
    }
  }
  if constexpr (has_narrow_tiles && tile_columns > 4) {
    if (columns <= 4) {
      dot_rows<4, F>(w, x, begin, end, ahead, sums);
      return;
    }
  }
  if constexpr (tile_columns > 1) {
    dot_rows<tile_columns, F>(w, x, begin, end, ahead, sums);
  }
}

inline constexpr std::size_t fetch_ahead = 512;  // 256 to 4096 bytes are alike within a few per cent

// Are products of few tokens made from the stored values as they are? Others are decoded a block of the sum at a time,
// and multiplied as f32.
inline bool is_streamed(const Matrix& w, std::size_t tokens) {
  return !has_blocks(w.format) && visit(w.format, [&]<Format F>(StoredAs<F>) {
    if constexpr (ScaledRows<F>::stream) {
      return tokens == 1 && is_streamed_scaled(w);
    } else {
      return w.scales.empty() && requires {
        VectorsOf<F>::streams;
      };
    }
  });
}

// The rows are read as four plain streams, a quarter of the range each, which the processor recognises and runs ahead
// of. (Four neighbouring rows at a time gave 40 % of the bandwidth for rows of 1 KiB: each stream ended before it was
// recognised.)
template <Format F>
QWEN35_TILE_FUNCTION void multiply_streams(const MatmulTask& task) {
  const std::size_t cols = task.w.cols, tokens = task.tokens;
  const std::size_t block = matmul_block(cols);
  const std::size_t quarter = (task.row_end - task.row_begin + 3) / 4;
  HWY_ALIGN float decoded[is_f32<F> ? 4 * matmul_block_limit : 1];
  [[maybe_unused]] const bool decodes = !is_streamed(task.w, tokens);
  for (std::size_t step = 0; step < quarter && cols > 0; ++step) {
    std::size_t row[4];
    const std::byte* from[4];
    for (std::size_t r = 0; r < 4; ++r) {
      const std::size_t own = task.row_begin + r * quarter + step;
      row[r] = own < task.row_end ? own : task.row_end - 1;  // the last row again, with the same result
      from[r] = task.w.row(row[r]);
    }
    [[maybe_unused]] const float* factors[4];
    for (std::size_t r = 0; r < 4 && ScaledRows<F>::stream; ++r) {
      factors[r] = task.w.scales.data + task.w.scales.place(row[r]);
    }
    float total[4 * few_tokens];
    for (std::size_t k = 0; k < cols; k += block) {
      const std::size_t end = cols - k < block ? cols : k + block;
      if constexpr (is_f32<F>) {
        for (std::size_t r = 0; r < 4 && decodes; ++r) {
          decode_vectors(task.w, row[r], k, end - k, 1, decoded + r * matmul_block_limit);
          from[r] = reinterpret_cast<const std::byte*>(decoded + r * matmul_block_limit) - k * sizeof(float);
        }
      }
      for (std::size_t token = 0; token < tokens; token += tile_columns) {
        const std::size_t columns = tokens - token < tile_columns ? tokens - token : tile_columns;
        const float* column[6];
        for (std::size_t c = 0; c < 6; ++c) {
          column[c] = task.x + (token + (c < columns ? c : columns - 1)) * task.x_stride;
        }
        float sums[4 * tile_columns];
        if constexpr (ScaledRows<F>::stream) {
          ScaledRows<F>::dot(from, factors, task.w.scales.cols, column[0], k, end, fetch_ahead, sums);
        } else {
          dot_rows<F>(from, column, columns, k, end, fetch_ahead, sums);
        }
        for (std::size_t i = 0; i < 4 * columns; ++i) {
          total[token * 4 + i] = k == 0 ? sums[i] : total[token * 4 + i] + sums[i];
        }
      }
    }
    for (std::size_t token = 0; token < tokens; ++token) {
      for (std::size_t r = 0; r < 4; ++r) {
        task.y[token * task.y_stride + row[r]] = total[token * 4 + r];
      }
    }
  }
}

// Many tokens compute. Rows of a panel are packed as f32 once, and tokens are packed too, which frees both from strides
// that collide in the cache. Of the two sides of a register tile the narrower one streams from the second-level cache
// past the other, which stays in the first: four rows past each tile of six tokens, or a group of tiles of three tokens
// past each four rows (worth 6 % with AVX2). A panel takes 160 KiB of stack.
inline constexpr std::size_t panel_rows = 64;
inline constexpr std::size_t group_tokens = tile_columns > 4 ? tile_columns : 16 * tile_columns;

inline void matmul_packed(const PackedMatmulTask& task) {
  HWY_ALIGN float panel[panel_rows * matmul_block_limit];
  const std::size_t cols = task.w.cols, block = matmul_block(cols);
  const std::size_t length = cols - task.k < block ? cols - task.k : block;
  const std::size_t depth = packed_depth(length);
  const Sink to{task.y, task.y_stride, task.k == 0, task.k + length == cols ? task.bias : nullptr};
  for (std::size_t row = task.row_begin; row < task.row_end; row += panel_rows) {
    const std::size_t rows = task.row_end - row < panel_rows ? task.row_end - row : panel_rows;
    pack_panel(task.w, row, rows, task.k, length, panel);
    for (std::size_t token = 0; token < task.tokens; token += group_tokens) {
      const std::size_t count = task.tokens - token < group_tokens ? task.tokens - token : group_tokens;
      multiply_group(panel, rows, task.packed + token * depth, count, depth, to.at(token, row));
    }
  }
}

// The same when nobody else packs the tokens: a few of them at a time, anew for each panel.
inline void multiply_decoded(const MatmulTask& task) {
  constexpr std::size_t own_tokens = tile_columns > 4 ? tile_columns : 4 * tile_columns;
  HWY_ALIGN float panel[panel_rows * matmul_block_limit];
  HWY_ALIGN float tiles[own_tokens * matmul_block_limit];
  const std::size_t cols = task.w.cols, block = matmul_block(cols);
  for (std::size_t row = task.row_begin; row < task.row_end; row += panel_rows) {
    const std::size_t rows = task.row_end - row < panel_rows ? task.row_end - row : panel_rows;
    for (std::size_t k = 0; k < cols; k += block) {
      const std::size_t length = cols - k < block ? cols - k : block;
      const Sink to{task.y, task.y_stride, k == 0, k + length == cols ? task.bias : nullptr};
      pack_panel(task.w, row, rows, k, length, panel);
      for (std::size_t token = 0; token < task.tokens; token += own_tokens) {
        const std::size_t count = task.tokens - token < own_tokens ? task.tokens - token : own_tokens;
        pack_tiles(task.x + token * task.x_stride + k, task.x_stride, count, length, tiles);
        multiply_group(panel, rows, tiles, count, packed_depth(length), to.at(token, row));
      }
    }
  }
}

// y = bias, or y += bias after a product that did not add it.
inline void add_bias(const MatmulTask& task, bool fresh) {
  for (std::size_t token = 0; token < task.tokens && (task.bias != nullptr || fresh); ++token) {
    for (std::size_t row = task.row_begin; row < task.row_end; ++row) {
      float& value = task.y[token * task.y_stride + row];
      value = (fresh ? 0.0f : value) + (task.bias == nullptr ? 0.0f : task.bias[row]);
    }
  }
}

inline void matmul(const MatmulTask& task) {
  if (task.tokens == 0) {
    return;
  }
  if (task.w.cols == 0) {
    add_bias(task, true);
    return;
  }
  if (multiply_decoded_fours(task)) {
    return;
  }
  visit(is_streamed(task.w, task.tokens) ? task.w.format : Format::f32, [&task]<Format F>(StoredAs<F>) {
    if constexpr (has_pairs<F>) {
      if (multiply_row_pairs<F>(task)) {
        return;
      }
    }
    if constexpr (ScaledRows<F>::stream || requires { VectorsOf<F>::streams; }) {
      if (task.tokens <= few_tokens) {
        multiply_streams<F>(task);
        add_bias(task, false);
        return;
      }
    }
    multiply_decoded(task);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
