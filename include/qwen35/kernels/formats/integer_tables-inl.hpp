// SPDX-License-Identifier: Apache-2.0
// The formats of indices into a table of integers, see table_blocks.hpp, as integers in vectors.
#include <qwen35/kernels/formats/integer_blocks-inl.hpp>

#if defined(QWEN35_KERNELS_FORMATS_INTEGER_TABLES_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_FORMATS_INTEGER_TABLES_INL_HPP
#undef QWEN35_KERNELS_FORMATS_INTEGER_TABLES_INL_HPP
#else
#define QWEN35_KERNELS_FORMATS_INTEGER_TABLES_INL_HPP
#endif

#ifdef QWEN35_INTEGER_VECTORS

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

// Codes of the table, without offsets. In a block of `Stride` bytes each group has 16 bytes behind `Skip` others: the
// low halves are its first 16 values.
template <std::size_t Stride, std::size_t Skip>
struct TableCodes {
  template <class Load, class Put>
  static HWY_INLINE void read(const std::int8_t* values, const Load& load, const Put& put) {
    const ByteVec table = from_signed(broadcast_piece(values));
    QWEN35_UNROLL
    for (std::size_t g = 0; g < 8; ++g) {
      const auto bytes = load(g * Stride + Skip);
      put(g, look_up(table, masked(bytes, 15)), look_up(table, shift_right<4>(bytes, 15)));
    }
  }
};

template <>
struct IntegerReader<Format::iq4_nl> {
  using Kind = CodeKind<32, false, 0>;
  static constexpr std::size_t bytes = row_bytes(Format::iq4_nl, quantized_values);
  template <class Load, class Put>
  static HWY_INLINE void codes(const Load& load, const Put& put) {
    TableCodes<18, 2>::read(coded::iq4_values, load, put);
  }
  static HWY_INLINE GroupScales<Kind> scales(const std::uint8_t* const* rows) {
    return {{halves_pieces<18>(rows, 0), halves_pieces<18>(rows, 72)}, {}};
  }
};

template <>
struct IntegerReader<Format::iq4_xs> {
  using Kind = CodeKind<32, false, 0>;
  static constexpr std::size_t bytes = row_bytes(Format::iq4_xs, quantized_values);
  template <class Load, class Put>
  static HWY_INLINE void codes(const Load& load, const Put& put) {
    TableCodes<16, 8>::read(coded::iq4_values, load, put);
  }
  static HWY_INLINE GroupScales<Kind> scales(const std::uint8_t* const* rows) {
    // Of the first eight bytes: the f16, two bits of each group, then four.
    const ByteVec head = load_pieces(rows, 0);
    const Vec scale = half_of_rows(rows, 0);
    return {{hn::Mul(scale, six_bits<0>(head)), hn::Mul(scale, six_bits<1>(head))}, {}};
  }

 private:
  // Of groups 4 m to 4 m + 3, minus 32.
  template <int M>
  static HWY_INLINE Vec six_bits(ByteVec head) {
    const hn::Repartition<std::uint32_t, Tag> numbers;
    alignas(16) static constexpr std::uint8_t places[16] = {2 + M, 4 + 2 * M, 128, 128, 2 + M, 4 + 2 * M, 128, 128,
                                                            2 + M, 5 + 2 * M, 128, 128, 2 + M, 5 + 2 * M, 128, 128};
    alignas(16) static constexpr std::uint32_t two[4] = {0, 2, 4, 6}, four[4] = {8, 12, 8, 12};
    const auto both = hn::BitCast(numbers, hn::TableLookupBytesOr0(head, hn::LoadDup128(ByteTag(), places)));
    const auto high = hn::And(both >> hn::LoadDup128(numbers, two), hn::Set(numbers, 3));
    const auto low = hn::And(both >> hn::LoadDup128(numbers, four), hn::Set(numbers, 15));
    const IntVec six = hn::BitCast(IntTag(), hn::Or(low, hn::ShiftLeft<4>(high)));
    return hn::ConvertTo(Tag(), hn::Sub(six, hn::Set(IntTag(), 32)));
  }
};

template <>
struct IntegerReader<Format::mxfp4> {
  using Kind = CodeKind<32, false, 0>;
  static constexpr std::size_t bytes = row_bytes(Format::mxfp4, quantized_values);
  template <class Load, class Put>
  static HWY_INLINE void codes(const Load& load, const Put& put) {
    TableCodes<17, 1>::read(coded::mxfp4_values, load, put);
  }
  static HWY_INLINE GroupScales<Kind> scales(const std::uint8_t* const* rows) {
    return {{exponents(rows, 0), exponents(rows, 4)}, {}};
  }

 private:
  // Powers of two of groups g to g + 3; the two least are subnormal.
  static HWY_INLINE Vec exponents(const std::uint8_t* const* rows, std::size_t g) {
    const hn::Rebind<std::uint8_t, Tag> narrow;
    HWY_ALIGN std::uint8_t bytes_of[vector_rows * 4];
    QWEN35_UNROLL
    for (std::size_t i = 0; i < vector_rows * 4; ++i) {
      bytes_of[i] = rows[i / 4][(g + i % 4) * 17];
    }
    const IntVec e = hn::PromoteTo(IntTag(), hn::Load(narrow, bytes_of));
    const IntVec normal = hn::ShiftLeft<23>(hn::Sub(e, hn::Set(IntTag(), 1)));
    const IntVec small = hn::ShiftLeft<21>(hn::Add(e, hn::Set(IntTag(), 1)));
    return hn::BitCast(Tag(), hn::IfThenElse(hn::Lt(e, hn::Set(IntTag(), 2)), small, normal));
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QWEN35_INTEGER_VECTORS

#endif
