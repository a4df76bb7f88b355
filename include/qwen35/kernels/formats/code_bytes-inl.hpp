// SPDX-License-Identifier: Apache-2.0
// What is done with stored bytes to take codes from them: in one vector, in two, or in four.
#include <qwen35/kernels/integer_dot-inl.hpp>

#if defined(QWEN35_KERNELS_FORMATS_CODE_BYTES_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_FORMATS_CODE_BYTES_INL_HPP
#undef QWEN35_KERNELS_FORMATS_CODE_BYTES_INL_HPP
#else
#define QWEN35_KERNELS_FORMATS_CODE_BYTES_INL_HPP
#endif

#ifdef QWEN35_INTEGER_VECTORS

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

HWY_INLINE ByteVec masked(ByteVec bytes, std::uint8_t mask) {
  return hn::And(bytes, hn::Set(ByteTag(), mask));
}
template <int Bits>
HWY_INLINE ByteVec shift_right(ByteVec bytes, std::uint8_t mask) {
  const hn::Repartition<std::uint16_t, Tag> wide;
  return masked(hn::BitCast(ByteTag(), hn::ShiftRight<Bits>(hn::BitCast(wide, bytes))), mask);
}
template <int Bits>
HWY_INLINE ByteVec shift_left(ByteVec bytes, std::uint8_t mask) {
  const hn::Repartition<std::uint16_t, Tag> wide;
  return masked(hn::BitCast(ByteTag(), hn::ShiftLeft<Bits>(hn::BitCast(wide, bytes))), mask);
}
HWY_INLINE ByteVec either(ByteVec a, ByteVec b) {
  return hn::Or(a, b);
}
// `Value` where bit `place` of a byte is set.
template <int Value>
HWY_INLINE ByteVec place_bit(ByteVec bytes, std::size_t place) {
  const ByteVec bit = hn::Set(ByteTag(), static_cast<std::uint8_t>(1u << place));
  return hn::IfThenElseZero(hn::TestBit(bytes, bit), hn::Set(ByteTag(), Value));
}
// 16 where a bit is set, of which bytes First and First + 1 of each row hold one for each of 16 codes.
template <int First>
HWY_INLINE ByteVec spread_fifth(ByteVec v) {
  alignas(16) static constexpr std::uint8_t from[16] = {
      First,     First,     First,     First,     First,     First,     First,     First,
      First + 1, First + 1, First + 1, First + 1, First + 1, First + 1, First + 1, First + 1};
  alignas(16) static constexpr std::uint8_t bits[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  const ByteVec bytes = hn::TableLookupBytes(v, hn::LoadDup128(ByteTag(), from));
  return hn::IfThenElseZero(hn::TestBit(bytes, hn::LoadDup128(ByteTag(), bits)), hn::Set(ByteTag(), 16));
}
// Signed codes as products read them.
HWY_INLINE ByteVec from_signed(ByteVec codes) {
  return unsigned_codes ? hn::Xor(codes, hn::Set(ByteTag(), 128)) : codes;
}

// Signed codes of four-bit indices: `table` is as from_signed gives it.
HWY_INLINE ByteVec look_up(ByteVec table, ByteVec indices) {
  return hn::TableLookupBytes(table, indices);
}

HWY_INLINE BytePair masked(const BytePair& v, std::uint8_t mask) {
  return {masked(v.a, mask), masked(v.b, mask)};
}
template <int Bits>
HWY_INLINE BytePair shift_right(const BytePair& v, std::uint8_t mask) {
  return {shift_right<Bits>(v.a, mask), shift_right<Bits>(v.b, mask)};
}
template <int Bits>
HWY_INLINE BytePair shift_left(const BytePair& v, std::uint8_t mask) {
  return {shift_left<Bits>(v.a, mask), shift_left<Bits>(v.b, mask)};
}
HWY_INLINE BytePair either(const BytePair& v, const BytePair& w) {
  return {either(v.a, w.a), either(v.b, w.b)};
}
template <int Value>
HWY_INLINE BytePair place_bit(const BytePair& v, std::size_t place) {
  return {place_bit<Value>(v.a, place), place_bit<Value>(v.b, place)};
}
template <int First>
HWY_INLINE BytePair spread_fifth(const BytePair& v) {
  return {spread_fifth<First>(v.a), spread_fifth<First>(v.b)};
}
HWY_INLINE BytePair look_up(ByteVec table, const BytePair& v) {
  return {look_up(table, v.a), look_up(table, v.b)};
}
HWY_INLINE BytePair from_signed(const BytePair& v) {
  return {from_signed(v.a), from_signed(v.b)};
}

HWY_INLINE ByteQuad masked(const ByteQuad& v, std::uint8_t mask) {
  return {masked(v.a, mask), masked(v.b, mask), masked(v.c, mask), masked(v.d, mask)};
}
template <int Bits>
HWY_INLINE ByteQuad shift_right(const ByteQuad& v, std::uint8_t mask) {
  return {shift_right<Bits>(v.a, mask), shift_right<Bits>(v.b, mask), shift_right<Bits>(v.c, mask),
          shift_right<Bits>(v.d, mask)};
}
template <int Bits>
HWY_INLINE ByteQuad shift_left(const ByteQuad& v, std::uint8_t mask) {
  return {shift_left<Bits>(v.a, mask), shift_left<Bits>(v.b, mask), shift_left<Bits>(v.c, mask),
          shift_left<Bits>(v.d, mask)};
}
HWY_INLINE ByteQuad either(const ByteQuad& v, const ByteQuad& w) {
  return {either(v.a, w.a), either(v.b, w.b), either(v.c, w.c), either(v.d, w.d)};
}
template <int Value>
HWY_INLINE ByteQuad place_bit(const ByteQuad& v, std::size_t place) {
  return {place_bit<Value>(v.a, place), place_bit<Value>(v.b, place), place_bit<Value>(v.c, place),
          place_bit<Value>(v.d, place)};
}
template <int First>
HWY_INLINE ByteQuad spread_fifth(const ByteQuad& v) {  // v.a has bytes 0 to 3 of each row
  const hn::Repartition<std::uint32_t, Tag> numbers;
  const auto codes = [&](int byte, std::uint32_t bits) HWY_ATTR {
    alignas(16) std::uint8_t from[16];
    for (int i = 0; i < 16; ++i) {
      from[i] = static_cast<std::uint8_t>(i / 4 * 4 + byte);
    }
    const ByteVec bytes = hn::TableLookupBytes(v.a, hn::LoadDup128(ByteTag(), from));
    const ByteVec own = hn::BitCast(ByteTag(), hn::Set(numbers, bits));
    return hn::IfThenElseZero(hn::TestBit(bytes, own), hn::Set(ByteTag(), 16));
  };
  return {codes(First, 0x08040201u), codes(First, 0x80402010u), codes(First + 1, 0x08040201u),
          codes(First + 1, 0x80402010u)};
}
HWY_INLINE ByteQuad look_up(ByteVec table, const ByteQuad& v) {
  return {look_up(table, v.a), look_up(table, v.b), look_up(table, v.c), look_up(table, v.d)};
}
HWY_INLINE ByteQuad from_signed(const ByteQuad& v) {
  return {from_signed(v.a), from_signed(v.b), from_signed(v.c), from_signed(v.d)};
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QWEN35_INTEGER_VECTORS

#endif
