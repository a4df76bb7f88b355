// SPDX-License-Identifier: Apache-2.0
// bf16 in vectors.
#include <qwen35/formats/bf16.hpp>
#include <qwen35/kernels/vectors-inl.hpp>

#if defined(QWEN35_KERNELS_FORMATS_BF16_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_FORMATS_BF16_INL_HPP
#undef QWEN35_KERNELS_FORMATS_BF16_INL_HPP
#else
#define QWEN35_KERNELS_FORMATS_BF16_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

template <>
struct VectorsOf<Format::bf16> {
  static constexpr bool streams = true;
  static HWY_INLINE Vec load(const std::byte* row, std::size_t i) {
#if HWY_TARGET == HWY_SCALAR
    return load_scalar<Format::bf16>(row, i);
#elif HWY_TARGET == HWY_AVX2
    // One shuffle; widening and shifting take three of the slots that multiply-adds want. Which byte goes where is read
    // from memory each time: a register tile leaves no register for it, and the compiler would spill others.
    alignas(32) static constexpr std::uint8_t places[32] = {128, 128, 0,   1,   128, 128, 2,   3,   128, 128, 4,
                                                            5,   128, 128, 6,   7,   128, 128, 8,   9,   128, 128,
                                                            10,  11,  128, 128, 12,  13,  128, 128, 14,  15};
    const std::uint8_t* place = places;
    asm("" : "+r"(place));
    const hn::Repartition<std::uint8_t, Tag> bytes;
    const auto both = hn::LoadDup128(bytes, reinterpret_cast<const std::uint8_t*>(row) + 2 * i);
    return hn::BitCast(Tag(), hn::TableLookupBytesOr0(both, hn::Load(bytes, place)));
#else
    const hn::RebindToUnsigned<Tag> wide;
    const hn::Rebind<std::uint16_t, Tag> narrow;
    return hn::BitCast(Tag(), hn::ShiftLeft<16>(hn::PromoteTo(
                                  wide, hn::LoadU(narrow, reinterpret_cast<const std::uint16_t*>(row) + i))));
#endif
  }
#if HWY_TARGET != HWY_SCALAR
  static HWY_INLINE void store(Vec v, std::byte* row, std::size_t i) {
    const hn::RebindToUnsigned<Tag> wide;
    const hn::RebindToSigned<Tag> wide_signed;
    const hn::Rebind<std::uint16_t, Tag> narrow;
    const auto bits = hn::BitCast(wide, v);
    const auto high = hn::ShiftRight<16>(bits);
    const auto half = hn::Add(hn::Set(wide, 0x7fffu), hn::And(high, hn::Set(wide, 1u)));
    // (Ne of a value with itself is false for NaN on x86.)
    const auto magnitude = hn::BitCast(wide_signed, hn::And(bits, hn::Set(wide, 0x7fffffffu)));
    const auto nan = hn::RebindMask(wide, hn::Gt(magnitude, hn::Set(wide_signed, 0x7f800000)));
    const auto rounded =
        hn::IfThenElse(nan, hn::Or(high, hn::Set(wide, 0x40u)), hn::ShiftRight<16>(hn::Add(bits, half)));
    hn::StoreU(hn::DemoteTo(narrow, hn::BitCast(wide_signed, rounded)), narrow,
               reinterpret_cast<std::uint16_t*>(row) + i);
  }
#endif
};

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
