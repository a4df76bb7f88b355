// SPDX-License-Identifier: Apache-2.0
// The formats of integers with a scale and a zero point a group, see group_blocks.hpp, or with a scale and an offset,
// see affine_blocks.hpp, as integers in vectors.
#include <qwen35/kernels/formats/integer_blocks-inl.hpp>

#if defined(QWEN35_KERNELS_FORMATS_INTEGER_GROUPS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_FORMATS_INTEGER_GROUPS_INL_HPP
#undef QWEN35_KERNELS_FORMATS_INTEGER_GROUPS_INL_HPP
#else
#define QWEN35_KERNELS_FORMATS_INTEGER_GROUPS_INL_HPP
#endif

#ifdef QWEN35_INTEGER_VECTORS

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

// Of the heads of the blocks in which groups 4 m to 4 m + 3 are four bytes from byte `At` on, a piece for each row.
template <Format F, std::size_t At = 0>
HWY_INLINE IntVec group_heads(const std::uint8_t* const* rows, std::size_t m) {
  constexpr std::size_t parts = 128 / format_info(F).block_values, each = 16 / parts;
  IntVec heads = hn::Zero(IntTag());
  QWEN35_UNROLL
  for (std::size_t part = 0; part < parts; ++part) {
    alignas(16) std::uint8_t from[16];
    for (std::size_t i = 0; i < 16; ++i) {
      from[i] = static_cast<std::uint8_t>(i / each == part ? i % 4 : 0x80);
    }
    const ByteVec bytes = load_pieces(rows, (m * parts + part) * format_info(F).block_bytes + At);
    heads = hn::Or(heads, hn::BitCast(IntTag(), hn::TableLookupBytesOr0(bytes, hn::LoadDup128(ByteTag(), from))));
  }
  return heads;
}

// Where the codes of group g begin, of `Bits` bits each.
template <Format F, std::size_t Bits>
constexpr std::size_t group_place(std::size_t g) {
  constexpr FormatInfo info = format_info(F);
  constexpr std::size_t head = info.block_bytes - info.block_values * Bits / 8;
  return g * 32 / info.block_values * info.block_bytes + head + g * 32 % info.block_values * Bits / 8;
}

template <Format F>
struct GroupReader4 {
  using Kind = CodeKind<32, true, 15>;
  static constexpr std::size_t bytes = row_bytes(F, quantized_values);
  template <class Load, class Put>
  static HWY_INLINE void codes(const Load& load, const Put& put) {
    QWEN35_UNROLL
    for (std::size_t g = 0; g < 8; ++g) {
      const auto halves = load(group_place<F, 4>(g));
      put(g, masked(halves, 15), shift_right<4>(halves, 15));
    }
  }
  static HWY_INLINE GroupScales<Kind> scales(const std::uint8_t* const* rows) {
    const IntVec heads[2] = {group_heads<F>(rows, 0), group_heads<F>(rows, 1)};
    const auto scale = [&heads](std::size_t m) HWY_ATTR { return hn::BitCast(Tag(), masked_bits(heads[m], ~511)); };
    const auto offset = [&](std::size_t m) HWY_ATTR {
      return hn::Mul(hn::Neg(scale(m)), hn::ConvertTo(Tag(), masked_bits(heads[m], 31)));
    };
    return {{scale(0), scale(1)}, {offset(0), offset(1)}};
  }
};

template <Format F>
struct GroupReader8 {
  using Kind = CodeKind<32, true, 0>;
  static constexpr std::size_t bytes = row_bytes(F, quantized_values);
  template <class Load, class Put>
  static HWY_INLINE void codes(const Load& load, const Put& put) {
    QWEN35_UNROLL
    for (std::size_t g = 0; g < 8; ++g) {
      const std::size_t place = group_place<F, 8>(g);
      put(g, from_signed(load(place)), from_signed(load(place + 16)));
    }
  }
  static HWY_INLINE GroupScales<Kind> scales(const std::uint8_t* const* rows) {
    const IntVec heads[2] = {group_heads<F>(rows, 0), group_heads<F>(rows, 1)};
    const auto scale = [&heads](std::size_t m) HWY_ATTR { return hn::BitCast(Tag(), masked_bits(heads[m], ~511)); };
    const auto offset = [&](std::size_t m) HWY_ATTR {
      const IntVec zero = hn::Sub(hn::Set(IntTag(), 128), masked_bits(heads[m], 511));
      return hn::Mul(scale(m), hn::ConvertTo(Tag(), zero));
    };
    return {{scale(0), scale(1)}, {offset(0), offset(1)}};
  }
};

template <Format F>
struct AffineReader4 : GroupReader4<F> {
  static HWY_INLINE GroupScales<typename GroupReader4<F>::Kind> scales(const std::uint8_t* const* rows) {
    const auto scale = [rows](std::size_t m)
                           HWY_ATTR { return hn::BitCast(Tag(), hn::ShiftLeft<12>(group_heads<F>(rows, m))); };
    const auto offset = [rows](std::size_t m)
                            HWY_ATTR { return hn::BitCast(Tag(), masked_bits(group_heads<F, 1>(rows, m), ~4095)); };
    return {{scale(0), scale(1)}, {offset(0), offset(1)}};
  }
};

template <Format F>
struct AffineReader8 : GroupReader8<F> {
  static HWY_INLINE GroupScales<typename GroupReader8<F>::Kind> scales(const std::uint8_t* const* rows) {
    auto out = AffineReader4<F>::scales(rows);
    QWEN35_UNROLL
    for (std::size_t m = 0; m < 2; ++m) {
      out.offsets[m] = hn::MulAdd(hn::Set(Tag(), 128.0f), out.scales[m], out.offsets[m]);
    }
    return {{out.scales[0], out.scales[1]}, {out.offsets[0], out.offsets[1]}};
  }
};

template <>
struct IntegerReader<Format::i4_32> : GroupReader4<Format::i4_32> {};
template <>
struct IntegerReader<Format::i4_64> : GroupReader4<Format::i4_64> {};
template <>
struct IntegerReader<Format::i4_128> : GroupReader4<Format::i4_128> {};
template <>
struct IntegerReader<Format::i8_32> : GroupReader8<Format::i8_32> {};
template <>
struct IntegerReader<Format::i8_128> : GroupReader8<Format::i8_128> {};
template <>
struct IntegerReader<Format::a4_32> : AffineReader4<Format::a4_32> {};
template <>
struct IntegerReader<Format::a4_64> : AffineReader4<Format::a4_64> {};
template <>
struct IntegerReader<Format::a8_32> : AffineReader8<Format::a8_32> {};
template <>
struct IntegerReader<Format::a8_64> : AffineReader8<Format::a8_64> {};

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QWEN35_INTEGER_VECTORS

#endif
