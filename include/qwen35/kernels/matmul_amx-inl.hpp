// SPDX-License-Identifier: Apache-2.0
// Products of bf16 matrices in AMX's tile registers, from the stored rows as they are, with activations split into
// three bf16 values (split_tiles-inl.hpp), so that the products are those of f32, at a multiple of the speed of
// vectors.
//
// Order of the sum: in each block of matmul_block(w.cols) each of the three parts has its own sum over steps of 32
// values, to which an instruction adds the sum of 16 even and 16 odd products (TDPBF16PS); then the parts are added,
// the largest first, and blocks in order. Values below 2^-126 count as 0; an infinite weight gives NaN, because parts
// of the activations are 0.
//
// Compiled where the kernels are compiled apart.
#include <qwen35/kernels/matmul-inl.hpp>
#include <qwen35/kernels/split_tiles-inl.hpp>

#if defined(QWEN35_KERNELS_MATMUL_AMX_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_MATMUL_AMX_INL_HPP
#undef QWEN35_KERNELS_MATMUL_AMX_INL_HPP
#else
#define QWEN35_KERNELS_MATMUL_AMX_INL_HPP
#endif

#ifdef QWEN35_AMX_TILES

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

// Sixteen rows of a matrix, of which those from `wanted` on count, up to `end`; a matrix may end before them.
struct RowTile {
  std::size_t start, wanted, end;

  RowTile(const Matrix& w, std::size_t row, std::size_t row_end)
      : start(row + split_rows <= w.rows ? row
              : w.rows < split_rows      ? 0
                                         : w.rows - split_rows),
        wanted(row),
        end(row_end - row < split_rows ? row_end : row + split_rows) {}

  // `values` from k on, or as many as a step has. What is not whole is copied, with zeros.
  SplitRows rows(const Matrix& w, std::size_t k, std::size_t values, std::byte* copied) const {
    if (values >= split_step && w.rows >= split_rows) {
      return {w.row(start) + 2 * k, w.row_bytes};
    }
    std::memset(copied, 0, split_rows * 64);
    for (std::size_t r = 0; r < split_rows && start + r < w.rows; ++r) {
      std::memcpy(copied + r * 64, w.row(start + r) + 2 * k, (values < split_step ? values : split_step) * 2);
    }
    return {copied, 64};
  }

  // A token's sums with the 16 rows.
  HWY_INLINE void put(Vec sums, std::size_t token, const Sink& to) const {
    const Sink at = to.at(token, wanted);
    if (wanted == start && end - start == split_rows) {
      const Vec sum = at.first ? sums : hn::Add(load(at.y), sums);
      store(at.bias == nullptr ? sum : hn::Add(sum, load(at.bias)), at.y);
      return;
    }
    alignas(64) float each[lanes];
    store(sums, each);
    for (std::size_t r = wanted; r < end; ++r) {
      const float own = each[r - start], sum = at.first ? own : at.y[r - wanted] + own;
      at.y[r - wanted] = at.bias == nullptr ? sum : sum + at.bias[r - wanted];
    }
  }

  // parts: three tiles of sums.
  void put_group(const float* parts, std::size_t tokens, const Sink& to) const {
    alignas(64) float sums[split_tile_floats], turned[split_tile_floats];
    for (std::size_t i = 0; i < split_tile_floats; i += lanes) {
      store(hn::Add(hn::Add(load(parts + i), load(parts + split_tile_floats + i)),
                    load(parts + 2 * split_tile_floats + i)),
            sums + i);
    }
    turn_tile(sums, turned);
    for (std::size_t token = 0; token < tokens; ++token) {
      put(load(turned + token * lanes), token, to);
    }
  }
  // sums: [rows, 4].
  void put_one(const float* sums, const Sink& to) const {
    Vec large, middle, small, unused;
    hn::LoadInterleaved4(Tag(), sums, large, middle, small, unused);
    put(hn::Add(hn::Add(large, middle), small), 0, to);
  }
  void put_few(const float* sums, std::size_t tokens, const Sink& to) const {
    alignas(64) float turned[split_tile_floats];
    turn_tile(sums, turned);
    for (std::size_t token = 0; token < tokens; ++token) {
      const float* const own = turned + token * split_few * lanes;
      put(hn::Add(hn::Add(load(own), load(own + lanes)), load(own + 2 * lanes)), token, to);
    }
  }
};

inline void pack_tokens_amx(const PackTokensTask& task) {
  if (task.format != Format::bf16) {
    HWY_NAMESPACE::pack_tokens(task);
    return;
  }
  for (std::size_t token = task.begin; token < task.end; token += split_tokens) {
    split_group(task.x + token * task.x_stride, task.x_stride,
                task.end - token < split_tokens ? task.end - token : split_tokens, task.length,
                task.packed + token / split_tokens * 3 * split_steps(task.length) * split_tile_floats);
  }
}

// Two tiles of rows, copied so that their lines do not collide in the caches: [steps, 2, 16, 64 bytes].
inline void copy_rows(const Matrix& w, const RowTile* tiles, std::size_t k, std::size_t length, std::byte* to) {
  for (std::size_t at = 0; at < length; at += split_step) {
    for (std::size_t i = 0; i < 2; ++i, to += split_rows * 64) {
      const SplitRows rows = tiles[i].rows(w, k + at, length - at, to);
      for (std::size_t r = 0; r < split_rows && rows.first != to; ++r) {
        std::memcpy(to + r * 64, rows.first + r * rows.stride, 64);
      }
    }
  }
}

// Tokens go by 256 at a time, whose parts stay in the second-level cache while all rows pass; rows go by 32, and meet
// two tiles of columns at a time. Takes 60 KiB of stack.
inline void matmul_packed_amx(const PackedMatmulTask& task) {
  if (packed_for(task.w) != Format::bf16) {
    HWY_NAMESPACE::matmul_packed(task);
    return;
  }
  constexpr std::size_t tile_bytes = split_rows * 64, batch = 256;
  alignas(64) std::byte rows[split_steps(matmul_block_limit) * 2 * tile_bytes];
  alignas(64) float sums[2][6 * split_tile_floats];  // of both tiles of rows: the parts of two groups
  const std::size_t cols = task.w.cols, block = matmul_block(cols);
  const std::size_t length = cols - task.k < block ? cols - task.k : block, steps = split_steps(length);
  const std::size_t column_floats = steps * split_tile_floats;
  const Sink to{task.y, task.y_stride, task.k == 0, task.k + length == cols ? task.bias : nullptr};
  configure_split_amx(false);
  for (std::size_t first = 0; first < task.tokens; first += batch) {
    const std::size_t tokens = task.tokens - first < batch ? task.tokens - first : batch;
    const std::size_t columns = (tokens + split_tokens - 1) / split_tokens * 3;
    const float* const packed = task.packed + first / split_tokens * 3 * column_floats;
    for (std::size_t row = task.row_begin; row < task.row_end; row += 2 * split_rows) {
      const bool two = row + split_rows < task.row_end;
      const RowTile tiles[2] = {RowTile(task.w, row, task.row_end),
                                RowTile(task.w, two ? row + split_rows : row, task.row_end)};
      copy_rows(task.w, tiles, task.k, length, rows);
      for (std::size_t column = 0; column < columns; column += 2) {
        for (std::size_t r = 0; r < 2 && first == 0; ++r) {  // what is copied next comes meanwhile
          const std::size_t next = row + 2 * split_rows + column + r;
          if (column < 2 * split_rows && next < task.row_end) {
            fetch_row(task.w.row(next) + 2 * task.k, 2 * length);
          }
        }
        const float* one = packed + column * column_floats;
        const float* other = column + 1 < columns ? one + column_floats : one;
        const std::byte* own = rows;
        clear_sums();
        for (std::size_t step = 0; step < steps; ++step, own += 2 * tile_bytes) {
          add_square(own, own + tile_bytes, one, other);
          one += split_tile_floats;
          other += split_tile_floats;
        }
        const std::size_t part = column % 6 * split_tile_floats, next = part + split_tile_floats;
        store_tiles(sums[0] + part, sums[1] + part, sums[0] + next, sums[1] + next);
        const std::size_t group = column / 6 * 2;
        for (std::size_t g = 0; g < 2 && (column % 6 == 4 || column + 2 >= columns); ++g) {
          const std::size_t token = (group + g) * split_tokens;
          for (std::size_t i = 0; i < (two ? 2u : 1u) && token < tokens; ++i) {
            tiles[i].put_group(sums[i] + g * 3 * split_tile_floats,
                               tokens - token < split_tokens ? tokens - token : split_tokens, to.at(first + token, 0));
          }
        }
      }
    }
  }
  release_amx();
}

// What will be read soon: lines of the same rows, and at their end of the 16 rows that come next. (Rows of 4 KiB at
// such strides are read at 95 % of the speed of plain streams, at four fifths of it without; into the second-level
// cache, or from further on, is slower.)
struct FetchAhead {
  static constexpr std::size_t ahead = 192;
  std::size_t begin, end;  // values of the rows that are read
  std::size_t stride;      // bytes between rows

  HWY_INLINE void operator()(const std::byte* rows, std::size_t k) const {
    const std::size_t next_rows = split_rows * stride - 2 * (end - begin);
    std::uintptr_t at = reinterpret_cast<std::uintptr_t>(rows) + ahead + (2 * k + ahead < 2 * end ? 0 : next_rows);
    QWEN35_UNROLL
    for (std::size_t r = 0; r < split_rows; r += 4, at += 4 * stride) {
      __builtin_prefetch(reinterpret_cast<const void*>(at));
      __builtin_prefetch(reinterpret_cast<const void*>(at + stride));
      __builtin_prefetch(reinterpret_cast<const void*>(at + 2 * stride));
      __builtin_prefetch(reinterpret_cast<const void*>(at + 3 * stride));
    }
  }
};

// Tokens that nobody else packs: 16 of them at a time, for as many blocks as there is room for. Takes 200 KiB of stack.
inline void matmul_amx(const MatmulTask& task) {
  if (packed_for(task.w) != Format::bf16 || task.tokens == 0 || task.w.cols == 0) {
    HWY_NAMESPACE::matmul(task);
    return;
  }
  constexpr std::size_t room = 192 * split_tile_floats;
  static_assert(room >= 3 * split_steps(matmul_block_limit) * split_tile_floats);
  alignas(64) float packed[room];
  alignas(64) float sums[4 * split_tile_floats] = {};
  alignas(64) std::byte copied[split_rows * 64];
  const std::size_t cols = task.w.cols, block = matmul_block(cols);
  const bool one = task.tokens == 1, few = task.tokens <= split_few;
  const std::size_t step_floats = one ? split_one_floats : split_tile_floats, line = one ? 16 : 64;
  const std::size_t block_floats = split_steps(block) * step_floats * (few ? 1 : 3);
  const std::size_t chunk = room / block_floats * block;
  configure_split_amx(one);
  for (std::size_t first = 0; first < task.tokens; first += split_tokens) {
    const std::size_t tokens = task.tokens - first < split_tokens ? task.tokens - first : split_tokens;
    for (std::size_t begin = 0; begin < cols; begin += chunk) {
      const std::size_t end = cols - begin < chunk ? cols : begin + chunk;
      const FetchAhead fetch_ahead{begin, end, task.w.row_bytes};
      for (std::size_t k = begin; k < end; k += block) {
        const std::size_t length = end - k < block ? end - k : block;
        float* const to = packed + (k - begin) / block * block_floats;
        const float* const x = task.x + first * task.x_stride + k;
        if (one) {
          split_token(x, length, to);
        } else if (few) {
          split_few_tokens(x, task.x_stride, tokens, length, to);
        } else {
          split_group(x, task.x_stride, tokens, length, to);
        }
      }
      for (std::size_t row = task.row_begin; row < task.row_end; row += split_rows) {
        const RowTile tile(task.w, row, task.row_end);
        for (std::size_t k = begin; k < end; k += block) {
          const std::size_t length = end - k < block ? end - k : block, part = split_steps(length) * split_tile_floats;
          const float* columns = packed + (k - begin) / block * block_floats;
          clear_sums();
          std::size_t at = k;
          const std::byte* rows = task.w.row(tile.start) + 2 * k;
          for (; at + split_step <= k + length && task.w.rows >= split_rows;
               at += split_step, rows += 2 * split_step, columns += step_floats) {
            fetch_ahead(rows, at);
            load_rows({rows, task.w.row_bytes});
            few ? add_few(columns, line) : add_parts(columns, part);
          }
          for (; at < k + length; at += split_step, columns += step_floats) {
            load_rows(tile.rows(task.w, at, k + length - at, copied));
            few ? add_few(columns, line) : add_parts(columns, part);
          }
          const Sink to{task.y + first * task.y_stride, task.y_stride, k == 0,
                        k + length == cols ? task.bias : nullptr};
          if (few) {
            asm volatile("tilestored %%tmm0, (%0,%1,1)" ::"r"(sums), "r"(line) : "memory");
            one ? tile.put_one(sums, to) : tile.put_few(sums, tokens, to);
          } else {
            store_tiles(sums, sums + split_tile_floats, sums + 2 * split_tile_floats, sums + 3 * split_tile_floats);
            tile.put_group(sums, tokens, to);
          }
        }
      }
    }
  }
  release_amx();
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // AMX

#endif
