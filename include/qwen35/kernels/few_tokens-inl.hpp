// SPDX-License-Identifier: Apache-2.0
// Products of rows that are stored as floats with a few dozen tokens, which is what the experts of a prompt have.
#include <qwen35/kernels/packed_rows-inl.hpp>

#if defined(QWEN35_KERNELS_FEW_TOKENS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_FEW_TOKENS_INL_HPP
#undef QWEN35_KERNELS_FEW_TOKENS_INL_HPP
#else
#define QWEN35_KERNELS_FEW_TOKENS_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

// Tokens in shares that are equal but for one token.
struct Shares {
  std::size_t count, size, larger;
  Shares(std::size_t tokens, std::size_t limit)
      : count((tokens + limit - 1) / limit), size(tokens / count), larger(tokens % count) {}
  std::size_t operator[](std::size_t i) const { return size + (i < larger ? 1 : 0); }
};

// AVX2: the tokens' block is packed, rows are multiplied as they are stored, two of them at a time with four to six
// tokens, which stay in the first-level cache while a panel of rows passes. (Of 16 tokens this makes 41 G
// multiply-adds/s, four rows and three tokens at a time 34, of 52 that the processor can; at 12 tokens of rows from
// memory both are alike.)
#if HWY_TARGET == HWY_AVX2 && defined(QWEN35_KERNELS_SOURCE)

template <Format F>
inline constexpr bool has_pairs = !is_f32<F> && requires {
  VectorsOf<F>::streams;
};
inline constexpr std::size_t pair_panel_rows = 32;

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
  if (task.tokens < 9 || task.tokens > few_tokens) {
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

// AVX-512, whose register tile has room for four rows: a block of theirs is decoded once for all tiles of tokens, and
// tokens are packed once for all rows. (bf16 from memory, 16, 24 and 64 tokens: 53, 55 and 65 G multiply-adds/s, rows
// as they are stored 50, 46 and 46, of 89 that the processor can; below nine tokens those are faster. Emerald Rapids.)
#if HWY_TARGET <= HWY_AVX3 && defined(QWEN35_KERNELS_SOURCE)

// Lines of a block of the next rows, some at each call.
class NextRows {
 public:
  // Four rows from `rows` on, in so many calls.
  HWY_INLINE NextRows(const std::byte* rows, std::size_t row_bytes, std::size_t bytes, std::size_t calls)
      : at_(rows),
        row_bytes_(row_bytes),
        left_((bytes + 63) / 64),
        step_(calls == 0 ? left_ : (left_ + calls - 1) / calls) {}
  HWY_INLINE void operator()() {
    const std::size_t lines = left_ < step_ ? left_ : step_;
    for (std::size_t i = 0; i < lines; ++i, at_ += 64) {
      fetch_near(at_, 0);
      fetch_near(at_, row_bytes_);
      fetch_near(at_, 2 * row_bytes_);
      fetch_near(at_, 3 * row_bytes_);
    }
    left_ -= lines;
  }

 private:
  const std::byte* at_;
  std::size_t row_bytes_, left_, step_;
};

template <std::size_t Columns>
inline QWEN35_TILE_FUNCTION void multiply_four(const float* w, const float* x, std::size_t vectors, NextRows& next,
                                               Sink to) {
  sum_tile<Columns>(dot_packed<Columns>(w, x, vectors, [&next]() HWY_ATTR { next(); }), to);
}

// False: not of so many tokens.
inline bool multiply_decoded_fours(const MatmulTask& task) {
  if (task.tokens < 9 || task.tokens > few_tokens) {
    return false;
  }
  HWY_ALIGN float packed[few_tokens * matmul_block_limit], decoded[4 * matmul_block_limit];
  const Matrix& w = task.w;
  const std::size_t cols = w.cols, block = matmul_block(cols);
  const Shares tiles(task.tokens, tile_columns);
  for (std::size_t k = 0; k < cols; k += block) {
    const std::size_t end = cols - k < block ? cols : k + block, length = end - k, depth = packed_depth(length);
    for (std::size_t i = 0, token = 0; i < tiles.count; token += tiles[i++]) {
      pack_tile(task.x + k + token * task.x_stride, task.x_stride, task.tokens - token, length, tiles[i],
                packed + token * depth);
    }
    const Sink to{task.y, task.y_stride, k == 0, end == cols ? task.bias : nullptr};
    const std::size_t start = row_bytes(w.format, k);
    for (std::size_t row = task.row_begin; row < task.row_end; row += 4) {
      const std::size_t rows = task.row_end - row < 4 ? task.row_end - row : 4;
      for (std::size_t r = 0; r < 4; ++r) {
        decode_vectors(w, row + (r < rows ? r : rows - 1), k, length, 4, decoded + r * lanes);
      }
      NextRows next(row + 4 < task.row_end ? w.row(row + 4) + start : w.row(task.row_begin) + row_bytes(w.format, end),
                    w.row_bytes, row_bytes(w.format, length), tiles.count * (depth / lanes / 4));
      for (std::size_t i = 0, token = 0; i < tiles.count; token += tiles[i++]) {
        const auto multiply = tiles[i] <= 3   ? multiply_four<3>
                              : tiles[i] == 4 ? multiply_four<4>
                              : tiles[i] == 5 ? multiply_four<5>
                                              : multiply_four<6>;
        const float* const columns = packed + token * depth;
        const Sink own = to.at(token, row);
        if (rows == 4) {
          multiply(decoded, columns, depth / lanes, next, own);
          continue;
        }
        float sums[4 * tile_columns];
        multiply(decoded, columns, depth / lanes, next, {sums, 4, true, nullptr});
        for (std::size_t c = 0; c < tiles[i]; ++c) {
          own.put(c, sums + 4 * c, rows);
        }
      }
    }
  }
  return true;
}

#else
inline bool multiply_decoded_fours(const MatmulTask&) {
  return false;
}
#endif

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
