// SPDX-License-Identifier: Apache-2.0
// Products of stored matrices with rows of activations. The order of each sum is given in kernels.hpp; every path below
// keeps it.
#include <qwen35/kernels/matmul_blocks.hpp>
#include <qwen35/kernels/scaled_rows-inl.hpp>
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

// A few dozen tokens, AVX2: what the experts of a prompt have. Their block is packed, rows are multiplied as they are
// stored, two of them at a time with four to six tokens, which stay in the first-level cache while a panel of rows
// passes. (Of 16 tokens this makes 41 G multiply-adds/s, four rows and three tokens at a time 34, of 52 that the
// processor can; at 12 tokens of rows from memory both are alike.)
#if HWY_TARGET == HWY_AVX2 && defined(QWEN35_KERNELS_SOURCE)

template <Format F>
inline constexpr bool has_pairs = !is_f32<F> && requires {
  VectorsOf<F>::streams;
};
inline constexpr std::size_t pair_panel_rows = 32;

// Tokens in shares that are equal but for one token.
struct Shares {
  std::size_t count, size, larger;
  Shares(std::size_t tokens, std::size_t limit)
      : count((tokens + limit - 1) / limit), size(tokens / count), larger(tokens % count) {}
  std::size_t operator[](std::size_t i) const { return size + (i < larger ? 1 : 0); }
};

// A token's products with two rows.
using PairTag = hn::CappedTag<float, 2>;
HWY_INLINE void put_pair(hn::Vec<PairTag> sums, std::size_t token, const Sink& to) {
  float* const y = to.y + token * to.stride;
  sums = to.first ? sums : hn::Add(hn::LoadU(PairTag(), y), sums);
  hn::StoreU(to.bias == nullptr ? sums : hn::Add(sums, hn::LoadU(PairTag(), to.bias)), PairTag(), y);
}
HWY_INLINE void put_two(Sums sums, std::size_t token, const Sink& to) {
  put_pair(hn::LowerHalf(PairTag(), sums), token, to);
  put_pair(hn::UpperHalf(PairTag(), sums), token + 1, to);
}

template <std::size_t Columns, Format F>
inline QWEN35_TILE_FUNCTION void multiply_pair(const std::byte* w0, const std::byte* w1, std::size_t begin,
                                               std::size_t end, const float* x, const Sink& to) {
  const PairTile tile = dot_pair<Columns, F>(w0, w1, begin, end, x);
  put_two(sum_lanes(tile.r0.c0, tile.r1.c0, tile.r0.c1, tile.r1.c1), 0, to);
  put_two(sum_lanes(tile.r0.c2, tile.r1.c2, tile.r0.c3, tile.r1.c3), 2, to);
  if constexpr (Columns == 5) {
    put_pair(hn::LowerHalf(PairTag(), sum_lanes(tile.r0.c4, tile.r1.c4, tile.r0.c4, tile.r1.c4)), 4, to);
  }
  if constexpr (Columns == 6) {
    put_two(sum_lanes(tile.r0.c4, tile.r1.c4, tile.r0.c5, tile.r1.c5), 4, to);
  }
}

// False: not of so many tokens. (All tiles have at least four; of more than few_tokens rows that are decoded once are
// 1.1 to 1.3 times as fast.)
template <Format F>
inline bool multiply_row_pairs(const MatmulTask& task) {
  if (task.tokens < 13 || task.tokens > few_tokens) {
    return false;
  }
  HWY_ALIGN float packed[few_tokens * matmul_block_limit];
  const Matrix& w = task.w;
  const std::size_t cols = w.cols, block = matmul_block(cols);
  const Shares tiles(task.tokens, 6);
  for (std::size_t k = 0; k < cols; k += block) {
    const std::size_t end = cols - k < block ? cols : k + block, length = end - k, depth = packed_depth(length);
    const float* const x = task.x + k;
    for (std::size_t i = 0, token = 0; i < tiles.count; token += tiles[i++]) {
      pack_tile(x + token * task.x_stride, task.x_stride, task.tokens - token, length, tiles[i],
                packed + token * depth);
    }
    const Sink to{task.y, task.y_stride, k == 0, end == cols ? task.bias : nullptr};
    const std::size_t lines = row_bytes(F, length) / 64;
    for (std::size_t row = task.row_begin; row < task.row_end; row += pair_panel_rows) {
      const std::size_t row_end = task.row_end - row < pair_panel_rows ? task.row_end : row + pair_panel_rows;
      // Each tile fetches its share of the lines that the next panel has.
      const std::byte* const next =
          row_end < task.row_end ? w.row(row_end) + row_bytes(F, k) : w.row(task.row_begin) + row_bytes(F, end);
      for (std::size_t i = 0, token = 0; i < tiles.count; token += tiles[i++]) {
        const auto multiply = tiles[i] == 4   ? multiply_pair<4, F>
                              : tiles[i] == 5 ? multiply_pair<5, F>
                                              : multiply_pair<6, F>;
        const std::size_t from = i * lines / tiles.count * 64, until = (i + 1) * lines / tiles.count * 64;
        for (std::size_t r = row; r < row_end; r += 2) {
          for (std::size_t line = from; line < until; line += 64) {
            fetch(next, (r - row) * w.row_bytes + line);
            fetch(next, (r - row + 1) * w.row_bytes + line);
          }
          const float* const columns = packed + token * depth;
          const Sink own = to.at(token, r);
          if (r + 1 < row_end) {
            multiply(w.row(r), w.row(r + 1), k, end, columns, own);
            continue;
          }
          float sums[12];
          multiply(w.row(r), w.row(r), k, end, columns, {sums, 2, true, nullptr});
          for (std::size_t c = 0; c < tiles[i]; ++c) {
            own.put(c, sums + 2 * c, 1);
          }
        }
      }
    }
  }
  return true;
}

#else
template <Format F>
inline constexpr bool has_pairs = false;
#endif

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
