// SPDX-License-Identifier: Apache-2.0
// Products of bf16 matrices in AMX's tile registers, from the stored rows as they are. Activations are split into three
// bf16 values, whose sum they are exactly, so that the products are those of f32, at a multiple of the speed of
// vectors.
//
// Order of the sum: in each block of matmul_block(w.cols) each of the three parts has its own sum over steps of 32
// values, to which an instruction adds the sum of 16 even and 16 odd products (TDPBF16PS); then the parts are added,
// the largest first, and blocks in order. Values below 2^-126 count as 0.
//
// Compiled where the kernels are compiled apart. (Highway 1.0.3 has no such target: dispatch.hpp asks the processor.)
#include <qwen35/kernels/integer_dot-inl.hpp>
#include <qwen35/kernels/matmul-inl.hpp>
#include <qwen35/kernels/split_decode-inl.hpp>

#if defined(QWEN35_KERNELS_MATMUL_AMX_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_MATMUL_AMX_INL_HPP
#undef QWEN35_KERNELS_MATMUL_AMX_INL_HPP
#else
#define QWEN35_KERNELS_MATMUL_AMX_INL_HPP
#endif

#if HWY_TARGET == HWY_AVX3 && defined(QWEN35_COMPILED_AMX)

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

// A tile of sums has 16 matrix rows and 16 columns: one part of 16 tokens, or for up to 4 tokens the three parts of
// each and one column that is not used. A tile of columns has 16 pairs of values of each: a step. With one token tiles
// are 4 columns wide.
inline constexpr std::size_t split_rows = 16, split_tokens = 16, split_few = 4, split_step = 32;
inline constexpr std::size_t split_tile_floats = 256, split_one_floats = 64;
constexpr std::size_t split_steps(std::size_t length) {
  return (length + split_step - 1) / split_step;
}

inline bool splits_tokens(const Matrix& w) {
  return w.format == Format::bf16 && w.scales.empty();
}

HWY_INLINE void configure_split_tiles(bool one) {
  struct alignas(64) Config {
    std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
    std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  };
  Config config;
  for (const std::size_t tile : {0, 6}) {
    config.row_bytes[tile] = one ? 16 : 64;
  }
  asm volatile("ldtilecfg %0" ::"m"(config));
}
HWY_INLINE void release_split_tiles() {
  asm volatile("tilerelease" ::);
}

// A vector of bf16 pairs from two of f32: the upper halves of their values.
HWY_INLINE Vec upper_halves(Vec low, Vec high) {
  const hn::Repartition<std::uint16_t, Tag> half;
  return hn::BitCast(Tag(), hn::ConcatOdd(half, hn::BitCast(half, high), hn::BitCast(half, low)));
}
// The largest part of values, which leaves the rest. (Nothing is left of infinities and NaN.)
HWY_INLINE Vec take_part(Vec& values) {
  const hn::Repartition<std::uint32_t, Tag> bits;
  const Vec part = hn::BitCast(Tag(), hn::And(hn::BitCast(bits, values), hn::Set(bits, 0xffff0000u)));
  values = hn::IfThenElseZero(hn::Lt(hn::Abs(values), broadcast(std::numeric_limits<float>::infinity())),
                              hn::Sub(values, part));
  return part;
}
struct SplitValues {
  Vec part[3];  // pairs of bf16 of 32 values
};
HWY_INLINE SplitValues split_values(const float* x, std::size_t count) {
  constexpr std::size_t half = split_step / 2;
  Vec low = count >= half ? load(x) : load_first(x, count);
  Vec high = count >= split_step ? load(x + half) : count > half ? load_first(x + half, count - half) : zero();
  // A NaN whose payload is in its lower half must not become an infinity.
  low = hn::IfThenElse(hn::Eq(low, low), low, broadcast(std::numeric_limits<float>::quiet_NaN()));
  high = hn::IfThenElse(hn::Eq(high, high), high, broadcast(std::numeric_limits<float>::quiet_NaN()));
  SplitValues out;
  QWEN35_UNROLL
  for (std::size_t p = 0; p < 3; ++p) {
    const Vec first = take_part(low);
    out.part[p] = upper_halves(first, take_part(high));
  }
  return out;
}

// One token, or up to 4: a tile of columns for each step.
inline void split_token(const float* x, std::size_t length, float* to) {
  for (std::size_t k = 0; k < length; k += split_step, to += split_one_floats) {
    const SplitValues values = split_values(x + k, length - k);
    hn::StoreInterleaved4(values.part[0], values.part[1], values.part[2], zero(), Tag(), to);
  }
}
inline void split_few_tokens(const float* x, std::size_t x_stride, std::size_t tokens, std::size_t length, float* to) {
  std::memset(to, 0, split_steps(length) * split_tile_floats * sizeof(float));
  for (std::size_t token = 0; token < tokens; ++token) {
    float* own = to + token * split_few;
    for (std::size_t k = 0; k < length; k += split_step, own += split_tile_floats) {
      const SplitValues values = split_values(x + token * x_stride + k, length - k);
      put_columns(values.part[0], values.part[1], values.part[2], zero(), own);
    }
  }
}

// Up to 16 tokens: the tiles of columns of all steps for each part.
inline void split_group(const float* x, std::size_t x_stride, std::size_t tokens, std::size_t length, float* to) {
  const std::size_t part = split_steps(length) * split_tile_floats;
  if (tokens + 4 <= split_tokens) {
    std::memset(to, 0, 3 * part * sizeof(float));
  }
  for (std::size_t token = 0; token < tokens; token += 4) {
    const float* from[4];
    for (std::size_t i = 0; i < 4; ++i) {
      from[i] = x + (token + i < tokens ? token + i : tokens - 1) * x_stride;
    }
    float* own = to + token;
    for (std::size_t k = 0; k < length; k += split_step, own += split_tile_floats) {
      const SplitValues a = split_values(from[0] + k, length - k), b = split_values(from[1] + k, length - k);
      const SplitValues c = split_values(from[2] + k, length - k), d = split_values(from[3] + k, length - k);
      QWEN35_UNROLL
      for (std::size_t p = 0; p < 3; ++p) {
        put_columns(a.part[p], b.part[p], c.part[p], d.part[p], own + p * part);
      }
    }
  }
}

// The values of 16 rows in a step: in the matrix, or copied.
struct SplitRows {
  const std::byte* first;
  std::size_t stride;
};

// The rows of tile register 4, and of 5, are multiplied with a tile of columns and added to sums 0 to 2, or 0 to 3.
HWY_INLINE void load_rows(const SplitRows& rows) {
  asm volatile("tileloadd (%0,%1,1), %%tmm4" ::"r"(rows.first), "r"(rows.stride) : "memory");
}
HWY_INLINE void add_few(const float* columns, std::size_t line) {
  asm volatile("tileloadd (%0,%1,1), %%tmm6\n\ttdpbf16ps %%tmm6, %%tmm4, %%tmm0" ::"r"(columns), "r"(line) : "memory");
}
HWY_INLINE void add_parts(const float* columns, std::size_t part) {
  add_few(columns, 64);
  asm volatile(
      "tileloadd (%0,%2,1), %%tmm7\n\ttdpbf16ps %%tmm7, %%tmm4, %%tmm1\n\t"
      "tileloadd (%1,%2,1), %%tmm6\n\ttdpbf16ps %%tmm6, %%tmm4, %%tmm2" ::"r"(columns + part),
      "r"(columns + 2 * part), "r"(std::size_t{64})
      : "memory");
}
HWY_INLINE void add_square(const std::byte* rows, const std::byte* more_rows, const float* columns,
                           const float* more_columns) {
  asm volatile(
      "tileloadd (%0,%4,1), %%tmm4\n\t"
      "tileloadd (%2,%4,1), %%tmm6\n\t"
      "tdpbf16ps %%tmm6, %%tmm4, %%tmm0\n\t"
      "tileloadd (%1,%4,1), %%tmm5\n\t"
      "tdpbf16ps %%tmm6, %%tmm5, %%tmm1\n\t"
      "tileloadd (%3,%4,1), %%tmm7\n\t"
      "tdpbf16ps %%tmm7, %%tmm4, %%tmm2\n\t"
      "tdpbf16ps %%tmm7, %%tmm5, %%tmm3" ::"r"(rows),
      "r"(more_rows), "r"(columns), "r"(more_columns), "r"(std::size_t{64})
      : "memory");
}
HWY_INLINE void clear_sums() {
  asm volatile("tilezero %%tmm0\n\ttilezero %%tmm1\n\ttilezero %%tmm2\n\ttilezero %%tmm3" ::);
}
HWY_INLINE void store_tiles(float* a, float* b, float* c, float* d) {
  asm volatile(
      "tilestored %%tmm0, (%0,%4,1)\n\t"
      "tilestored %%tmm1, (%1,%4,1)\n\t"
      "tilestored %%tmm2, (%2,%4,1)\n\t"
      "tilestored %%tmm3, (%3,%4,1)" ::"r"(a),
      "r"(b), "r"(c), "r"(d), "r"(std::size_t{64})
      : "memory");
}

// A tile of sums [rows, columns] turned: [columns, rows].
HWY_INLINE void turn_tile(const float* sums, float* to) {
  for (std::size_t r = 0; r < split_rows; r += 4) {
    put_columns(load(sums + r * lanes), load(sums + (r + 1) * lanes), load(sums + (r + 2) * lanes),
                load(sums + (r + 3) * lanes), to + r);
  }
}

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
  SplitRows rows(const Matrix& w, std::size_t stride, std::size_t k, std::size_t values, std::byte* copied) const {
    if (values >= split_step && w.rows >= split_rows) {
      return {w.row(start) + 2 * k, stride};
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
    if (end - start == split_rows) {
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
  void put_few(const float* sums, std::size_t tokens, const Sink& to) const {
    alignas(64) float turned[split_tile_floats];
    turn_tile(sums, turned);
    for (std::size_t token = 0; token < tokens; ++token) {
      const float* const own = turned + token * split_few * lanes;
      put(hn::Add(hn::Add(load(own), load(own + lanes)), load(own + 2 * lanes)), token, to);
    }
  }
};

inline std::size_t row_stride_of(const Matrix& w) {
  return w.rows > 1 ? static_cast<std::size_t>(w.row(1) - w.row(0)) : 0;
}

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

// 32 rows at a time are copied, so that their lines do not collide in the caches while all tokens pass; and multiplied
// with two tiles of columns at a time. Takes 60 KiB of stack.
inline void matmul_packed_amx(const PackedMatmulTask& task) {
  if (!splits_tokens(task.w)) {
    HWY_NAMESPACE::matmul_packed(task);
    return;
  }
  constexpr std::size_t tile_bytes = split_rows * 64, step_bytes = 2 * tile_bytes;
  alignas(64) std::byte copied[split_steps(matmul_block_limit) * step_bytes];
  alignas(64) float sums[2][6 * split_tile_floats];  // of both tiles of rows: the parts of two groups
  const std::size_t cols = task.w.cols, block = matmul_block(cols), stride = row_stride_of(task.w);
  const std::size_t length = cols - task.k < block ? cols - task.k : block, steps = split_steps(length);
  const std::size_t column_floats = steps * split_tile_floats,
                    columns = (task.tokens + split_tokens - 1) / split_tokens * 3;
  const Sink to{task.y, task.y_stride, task.k == 0, task.k + length == cols ? task.bias : nullptr};
  configure_split_tiles(false);
  for (std::size_t row = task.row_begin; row < task.row_end; row += 2 * split_rows) {
    const bool two = row + split_rows < task.row_end;
    const RowTile tiles[2] = {RowTile(task.w, row, task.row_end),
                              RowTile(task.w, two ? row + split_rows : row, task.row_end)};
    for (std::size_t step = 0; step < steps; ++step) {
      for (std::size_t i = 0; i < 2; ++i) {
        std::byte* const own = copied + step * step_bytes + i * tile_bytes;
        const SplitRows rows =
            tiles[i].rows(task.w, stride, task.k + step * split_step, length - step * split_step, own);
        for (std::size_t r = 0; r < split_rows && rows.first != own; ++r) {
          std::memcpy(own + r * 64, rows.first + r * rows.stride, 64);
        }
      }
    }
    for (std::size_t column = 0; column < columns; column += 2) {
      // What is copied next comes meanwhile.
      for (std::size_t r = row + 2 * split_rows + column;
           r < row + 2 * split_rows + column + 2 && column < 2 * split_rows; ++r) {
        if (r < task.row_end) {
          fetch_row(task.w.row(r) + 2 * task.k, 2 * length);
        }
      }
      const float* const first = task.packed + column * column_floats;
      const float* const second = column + 1 < columns ? first + column_floats : first;
      clear_sums();
      for (std::size_t step = 0; step < steps; ++step) {
        const std::byte* const rows = copied + step * step_bytes;
        add_square(rows, rows + tile_bytes, first + step * split_tile_floats, second + step * split_tile_floats);
      }
      const std::size_t own = column % 6 * split_tile_floats;
      store_tiles(sums[0] + own, sums[1] + own, sums[0] + own + split_tile_floats, sums[1] + own + split_tile_floats);
      if (column % 6 == 4 || column + 2 >= columns) {
        for (std::size_t group = column / 6 * 2; group < column / 6 * 2 + 2 && group * split_tokens < task.tokens;
             ++group) {
          const std::size_t token = group * split_tokens, left = task.tokens - token;
          for (std::size_t i = 0; i < (two ? 2u : 1u); ++i) {
            tiles[i].put_group(sums[i] + group % 2 * 3 * split_tile_floats, left < split_tokens ? left : split_tokens,
                               to.at(token, 0));
          }
        }
      }
    }
  }
  release_split_tiles();
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
  if (!splits_tokens(task.w) || task.tokens == 0 || task.w.cols == 0) {
    HWY_NAMESPACE::matmul(task);
    return;
  }
  constexpr std::size_t room = 192 * split_tile_floats;
  static_assert(room >= 3 * split_steps(matmul_block_limit) * split_tile_floats);
  alignas(64) float packed[room];
  alignas(64) float sums[4 * split_tile_floats] = {};
  alignas(64) std::byte copied[split_rows * 64];
  const std::size_t cols = task.w.cols, block = matmul_block(cols), stride = row_stride_of(task.w);
  const bool one = task.tokens == 1, few = task.tokens <= split_few;
  const std::size_t step_floats = one ? split_one_floats : split_tile_floats;
  const std::size_t block_floats = split_steps(block) * step_floats * (few ? 1 : 3);
  const std::size_t chunk = room / block_floats * block;
  configure_split_tiles(one);
  for (std::size_t first = 0; first < task.tokens; first += split_tokens) {
    const std::size_t tokens = task.tokens - first < split_tokens ? task.tokens - first : split_tokens;
    for (std::size_t begin = 0; begin < cols; begin += chunk) {
      const std::size_t end = cols - begin < chunk ? cols : begin + chunk;
      const FetchAhead fetch_ahead{begin, end, stride};
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
            load_rows({rows, stride});
            few ? add_few(columns, one ? 16 : 64) : add_parts(columns, part);
          }
          for (; at < k + length; at += split_step, columns += step_floats) {
            load_rows(tile.rows(task.w, stride, at, k + length - at, copied));
            few ? add_few(columns, one ? 16 : 64) : add_parts(columns, part);
          }
          const Sink to{task.y + first * task.y_stride, task.y_stride, k == 0,
                        k + length == cols ? task.bias : nullptr};
          if (few) {
            asm volatile("tilestored %%tmm0, (%0,%1,1)" ::"r"(sums), "r"(std::size_t{64}) : "memory");
            tile.put_few(sums, tokens, to);
          } else {
            store_tiles(sums, sums + split_tile_floats, sums + 2 * split_tile_floats, sums + 3 * split_tile_floats);
            tile.put_group(sums, tokens, to);
          }
        }
      }
    }
  }
  release_split_tiles();
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // AMX

#endif
