// SPDX-License-Identifier: Apache-2.0
// What products of bf16 matrices in AMX's tile registers are made of: activations split into three bf16 values, whose
// sum they are exactly, and laid out as tiles of columns; and the instructions.
//
// Compiled where the kernels are compiled apart. (Highway 1.0.3 has no such target: dispatch.hpp asks the processor.)
#include <qwen35/kernels/amx_tiles-inl.hpp>
#include <qwen35/kernels/integer_dot-inl.hpp>
#include <qwen35/kernels/split_decode-inl.hpp>

#if defined(QWEN35_KERNELS_SPLIT_TILES_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_SPLIT_TILES_INL_HPP
#undef QWEN35_KERNELS_SPLIT_TILES_INL_HPP
#else
#define QWEN35_KERNELS_SPLIT_TILES_INL_HPP
#endif

#ifdef QWEN35_AMX_TILES

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

HWY_INLINE void configure_split_amx(bool one) {
  AmxConfig config;
  config.row_bytes[0] = config.row_bytes[6] = one ? 16 : 64;
  configure_amx(config);
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

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // AMX

#endif
