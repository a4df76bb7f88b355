// SPDX-License-Identifier: Apache-2.0
// Rows of activations in 8 bits.
#include <qwen35/kernels/integer_dot-inl.hpp>

#include <bit>
#include <limits>

#if defined(QWEN35_KERNELS_QUANTIZE_ROWS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_QUANTIZE_ROWS_INL_HPP
#undef QWEN35_KERNELS_QUANTIZE_ROWS_INL_HPP
#else
#define QWEN35_KERNELS_QUANTIZE_ROWS_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

// The largest size of 32 values, as bits: they are ordered as sizes are, infinity and NaN last.
inline std::uint32_t largest_size(const float* x) {
  std::uint32_t largest = 0;
  for (std::size_t i = 0; i < quantized_group; ++i) {
    const std::uint32_t size = std::bit_cast<std::uint32_t>(x[i]) & 0x7fffffffu;
    largest = size > largest ? size : largest;
  }
  return largest;
}

// Codes of 16 values, and their sum.
inline std::int32_t quantize_half(const float* x, float inverse, std::int8_t* codes) {
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < 16; ++i) {
    codes[i] = static_cast<std::int8_t>(std::lrint(x[i] * inverse));
    sum += codes[i];
  }
  return sum;
}

// One group of a block.
inline void quantize_group(const float* x, std::size_t group, QuantizedBlock& to) {
  std::int8_t* const codes = to.codes + group * quantized_group;
  const std::uint32_t bits = largest_size(x);
  const float size = std::bit_cast<float>(bits);
  float scale = 0.0f;
  std::int32_t sums[2] = {0, 0};
  if (bits >= 0x7f800000u) {
    scale = std::numeric_limits<float>::quiet_NaN();
    std::memset(codes, 0, quantized_group);
  } else if (size < smallest_quantized) {
    std::memset(codes, 0, quantized_group);
  } else {
    scale = size / 127.0f;
    sums[0] = quantize_half(x, 127.0f / size, codes);
    sums[1] = quantize_half(x + 16, 127.0f / size, codes + 16);
  }
  to.scales[group] = scale;
  to.sums[group] = scale * static_cast<float>(sums[0] + sums[1]);
  to.negated[group] = -128 * (sums[0] + sums[1]);
  for (std::size_t i = 0; i < 2; ++i) {
    to.scales16[2 * group + i] = scale;
    to.sums16[2 * group + i] = scale * static_cast<float>(sums[i]);
    to.negated16[2 * group + i] = -128 * sums[i];
  }
}

#ifdef QWEN35_INTEGER_VECTORS

// Lanes that stand in the same place of each piece, added or compared down to one piece.
#if HWY_TARGET == HWY_NEON
HWY_INLINE IntVec fold_sums(IntVec v) {
  return v;
}
HWY_INLINE IntVec fold_largest(IntVec v) {
  return v;
}
#else
HWY_INLINE hn::Vec<hn::Full128<std::int32_t> > fold_sums(IntVec v) {
  const hn::Half<IntTag> half;
  const auto sum = hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v));
#if HWY_TARGET <= HWY_AVX3
  const hn::Half<decltype(half)> quarter;
  return hn::Add(hn::LowerHalf(quarter, sum), hn::UpperHalf(quarter, sum));
#else
  return sum;
#endif
}
HWY_INLINE hn::Vec<hn::Full128<std::int32_t> > fold_largest(IntVec v) {
  const hn::Half<IntTag> half;
  const auto largest = hn::Max(hn::LowerHalf(half, v), hn::UpperHalf(half, v));
#if HWY_TARGET <= HWY_AVX3
  const hn::Half<decltype(half)> quarter;
  return hn::Max(hn::LowerHalf(quarter, largest), hn::UpperHalf(quarter, largest));
#else
  return largest;
#endif
}
#endif
HWY_INLINE IntVec largest_pieces(const Quad& v) {
  const Quad t = transpose(v);
  return hn::Max(hn::Max(t.a, t.b), hn::Max(t.c, t.d));
}

// The sizes of a group's values, in lanes.
HWY_INLINE IntVec sizes_of(const float* x) {
  IntVec largest = hn::BitCast(IntTag(), hn::Abs(load(x)));
  QWEN35_UNROLL
  for (std::size_t i = lanes; i < quantized_group; i += lanes) {
    largest = hn::Max(largest, hn::BitCast(IntTag(), hn::Abs(load(x + i))));
  }
  return largest;
}
HWY_INLINE IntVec quantize_lanes(const float* x, Vec inverse, std::int8_t* codes) {
  const hn::Rebind<std::int8_t, Tag> narrow;
  IntVec sum = hn::Zero(IntTag());
  QWEN35_UNROLL
  for (std::size_t i = 0; i < 16; i += lanes) {
    const IntVec own = hn::NearestInt(hn::Mul(load(x + i), inverse));
    hn::StoreU(hn::DemoteTo(narrow, own), narrow, codes + i);
    sum = hn::Add(sum, own);
  }
  return sum;
}

// A whole block, unless there are values in it that are not finite.
inline bool quantize_finite(const float* x, QuantizedBlock& to) {
  const hn::Full128<std::int32_t> integers;
  const hn::Full128<float> floats;
  for (std::size_t g = 0; g < 8; g += 4) {
    const float* const own = x + g * quantized_group;
    const auto bits =
        fold_largest(largest_pieces({sizes_of(own), sizes_of(own + 32), sizes_of(own + 64), sizes_of(own + 96)}));
    if (!hn::AllFalse(integers, hn::Gt(bits, hn::Set(integers, 0x7f7fffff)))) {
      return false;
    }
    const auto size = hn::BitCast(floats, bits);
    const auto usable = hn::Ge(size, hn::Set(floats, smallest_quantized));
    const auto scale = hn::IfThenElseZero(usable, hn::Div(size, hn::Set(floats, 127.0f)));
    HWY_ALIGN float inverse[4];
    hn::Store(hn::IfThenElseZero(usable, hn::Div(hn::Set(floats, 127.0f), size)), floats, inverse);
    IntVec sums[8];
    QWEN35_UNROLL
    for (std::size_t i = 0; i < 8; ++i) {
      const std::size_t at = (2 * g + i) * 16;
      sums[i] = quantize_lanes(x + at, broadcast(inverse[i / 2]), to.codes + at);
    }
    const auto first = fold_sums(sum_pieces({sums[0], sums[1], sums[2], sums[3]}));
    const auto second = fold_sums(sum_pieces({sums[4], sums[5], sums[6], sums[7]}));
    const auto minus128 = hn::Set(integers, -128);
    hn::StoreU(scale, floats, to.scales + g);
    const auto pairs = hn::Add(hn::ConcatEven(integers, second, first), hn::ConcatOdd(integers, second, first));
    hn::StoreU(hn::Mul(scale, hn::ConvertTo(floats, pairs)), floats, to.sums + g);
    hn::StoreU(hn::Mul(pairs, minus128), integers, to.negated + g);
    const auto low = hn::InterleaveLower(floats, scale, scale), high = hn::InterleaveUpper(floats, scale, scale);
    hn::StoreU(low, floats, to.scales16 + 2 * g);
    hn::StoreU(high, floats, to.scales16 + 2 * g + 4);
    hn::StoreU(hn::Mul(low, hn::ConvertTo(floats, first)), floats, to.sums16 + 2 * g);
    hn::StoreU(hn::Mul(high, hn::ConvertTo(floats, second)), floats, to.sums16 + 2 * g + 4);
#if HWY_TARGET != HWY_AVX2
    hn::StoreU(hn::Mul(first, minus128), integers, to.negated16 + 2 * g);
    hn::StoreU(hn::Mul(second, minus128), integers, to.negated16 + 2 * g + 4);
#endif
  }
  return true;
}

#endif

#if HWY_TARGET == HWY_AVX2
// negated16 of a block's codes.
HWY_INLINE void negate_pairs(QuantizedBlock& block) {
  const auto pairs = [&block](std::size_t i) HWY_ATTR {
    const auto codes = hn::LoadU(SignedTag(), block.codes + i * vector_bytes);
    return IntVec{_mm256_maddubs_epi16(_mm256_set1_epi8(32), codes.raw)};
  };
  for (std::size_t i = 0; i < 2; ++i) {
    const IntVec sums = sum_pieces<ShortTag>({pairs(4 * i), pairs(4 * i + 1), pairs(4 * i + 2), pairs(4 * i + 3)});
    hn::StoreU(hn::BitCast(IntTag(), hn::Neg(hn::BitCast(ShortTag(), sums))), IntTag(), block.negated16 + 8 * i);
  }
}
#endif

// As many of `left` values as a block has.
inline void quantize_block(const float* x, std::size_t left, QuantizedBlock& to) {
#ifdef QWEN35_INTEGER_VECTORS
  if (left >= quantized_values && quantize_finite(x, to)) {
    return;
  }
#endif
  if (left < quantized_values) {
    std::memset(&to, 0, sizeof(to));
  }
  const std::size_t groups = (left < quantized_values ? left : quantized_values) / quantized_group;
  for (std::size_t group = 0; group < groups; ++group) {
    quantize_group(x + group * quantized_group, group, to);
  }
}

inline void quantize_rows(const QuantizeRowsTask& task) {
  const std::size_t blocks = quantized_blocks(task.width);
  for (std::size_t i = task.begin; i < task.end; ++i) {
    const float* const x = task.x + i / blocks * task.width;
    const std::size_t first = i % blocks * quantized_values, left = task.width - first;
    quantize_block(x + first, left, task.out[i]);
#if HWY_TARGET == HWY_AVX2
    negate_pairs(task.out[i]);
#endif
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
