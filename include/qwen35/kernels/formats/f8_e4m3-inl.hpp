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

template <>
struct VectorsOf<Format::f8_e4m3> {
  static HWY_INLINE Vec load(const std::byte* row, std::size_t i) {
#if HWY_TARGET == HWY_SCALAR
    return load_scalar<Format::f8_e4m3>(row, i);
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
