// SPDX-License-Identifier: Apache-2.0
// f8_e4m3 in vectors.
#include <qwen35/formats/f8_e4m3.hpp>
#include <qwen35/kernels/vectors-inl.hpp>

#if defined(QWEN35_KERNELS_FORMATS_F8_E4M3_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_FORMATS_F8_E4M3_INL_HPP
#undef QWEN35_KERNELS_FORMATS_F8_E4M3_INL_HPP
#else
#define QWEN35_KERNELS_FORMATS_F8_E4M3_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2
// A value's sign, exponent and mantissa stand in the upper half of an f16 with a bias of 15 in place of 7: that f16 is
// the value times 2^-8, subnormals too, and is widened in one instruction. Moved up, the sign stands in bit 14 as well;
// one more in the last bit of the mantissa carries into bit 14 where all below it are set: exclusive or with that
// clears the sign's copy there, and for the one code of NaN sets it, which is f16's NaN.
template <class Tag16>
HWY_INLINE hn::Vec<hn::Rebind<hwy::float16_t, Tag16>> f8_e4m3_as_f16(Tag16 tag, const std::byte* from) {
  const hn::Rebind<std::int8_t, Tag16> narrow;
  const auto codes = hn::PromoteTo(tag, hn::LoadU(narrow, reinterpret_cast<const std::int8_t*>(from)));
  const auto moved = hn::ShiftLeft<7>(codes);
  const auto carried = hn::And(hn::Add(moved, hn::Set(tag, 0x80)), hn::Set(tag, 0x4000));
  return hn::BitCast(hn::Rebind<hwy::float16_t, Tag16>(), hn::Xor(moved, carried));
}

// Values i, i + 1, ... of a row, two vectors of them, times 2^-8.
struct VecPair {
  Vec low, high;
};
HWY_INLINE VecPair load_f8_e4m3_pair(const std::byte* row, std::size_t i) {
  const hn::ScalableTag<hwy::float16_t> whole;
  const hn::Half<decltype(whole)> half;
  const auto halves = f8_e4m3_as_f16(hn::ScalableTag<std::int16_t>(), row + i);
  return {hn::PromoteTo(Tag(), hn::LowerHalf(half, halves)), hn::PromoteTo(Tag(), hn::UpperHalf(half, halves))};
}
#endif

template <>
struct VectorsOf<Format::f8_e4m3> {
  static HWY_INLINE Vec load(const std::byte* row, std::size_t i) {
#if HWY_TARGET == HWY_SCALAR
    return load_scalar<Format::f8_e4m3>(row, i);
#elif HWY_TARGET <= HWY_AVX2
    const auto halves = f8_e4m3_as_f16(hn::Rebind<std::int16_t, Tag>(), row + i);
    return hn::Mul(hn::PromoteTo(Tag(), halves), broadcast(0x1p8f));
#else
    const Tag tag;
    const hn::RebindToUnsigned<Tag> wide;
    const hn::RebindToSigned<Tag> wide_signed;
    const hn::Rebind<std::uint8_t, Tag> narrow;
    const auto bits = hn::PromoteTo(wide, hn::LoadU(narrow, reinterpret_cast<const std::uint8_t*>(row) + i));
    const auto magnitude = hn::And(bits, hn::Set(wide, 0x7fu));
    const auto sign = hn::ShiftLeft<24>(hn::Xor(bits, magnitude));
    const auto shifted = hn::ShiftLeft<20>(magnitude);
    const auto normal = hn::Add(shifted, hn::Set(wide, 120u << 23));
    // A subnormal's three bits beside 2^-6, which is then taken away.
    const auto subnormal =
        hn::BitCast(wide, hn::Sub(hn::BitCast(tag, hn::Add(shifted, hn::Set(wide, 121u << 23))), broadcast(0x1p-6f)));
    const auto code = hn::BitCast(wide_signed, magnitude);
    const auto small = hn::RebindMask(wide, hn::Lt(code, hn::Set(wide_signed, 8)));
    const auto nan = hn::RebindMask(wide, hn::Eq(code, hn::Set(wide_signed, 0x7f)));
    const auto value = hn::IfThenElse(small, subnormal, hn::IfThenElse(nan, hn::Set(wide, 0x7fc00000u), normal));
    return hn::BitCast(tag, hn::Or(value, sign));
#endif
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
