// SPDX-License-Identifier: Apache-2.0
// Sums of products of bytes in vectors, for AVX2 and for AVX-512 with VNNI. Hides what Highway 1.0.3 lacks.
//
// A vector of bytes is made of pieces of 16. In products of few tokens each piece is of a row of its own, in those of
// many each 4 bytes are.
#include <qwen35/kernels/quantized_rows.hpp>
#include <qwen35/kernels/vectors-inl.hpp>

#include <bit>

#if defined(QWEN35_KERNELS_INTEGER_DOT_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_INTEGER_DOT_INL_HPP
#undef QWEN35_KERNELS_INTEGER_DOT_INL_HPP
#else
#define QWEN35_KERNELS_INTEGER_DOT_INL_HPP
#endif

// Other instruction sets multiply in plain code.
#undef QWEN35_INTEGER_VECTORS
#if HWY_TARGET <= HWY_AVX2
#define QWEN35_INTEGER_VECTORS

#undef QWEN35_UNROLL
#if HWY_COMPILER_CLANG
#define QWEN35_UNROLL _Pragma("clang loop unroll(full)")
#else
#define QWEN35_UNROLL _Pragma("GCC unroll 16")
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

using ByteTag = hn::Repartition<std::uint8_t, Tag>;
using ByteVec = hn::Vec<ByteTag>;
using IntTag = hn::RebindToSigned<Tag>;
using IntVec = hn::Vec<IntTag>;
using ShortVec = hn::Vec<hn::Repartition<std::int16_t, Tag>>;

inline constexpr std::size_t vector_bytes = 4 * lanes;
inline constexpr std::size_t vector_rows = lanes / 4;  // pieces of a vector

// With VNNI codes are unsigned, and signed ones are moved up by 128.
#if HWY_TARGET <= HWY_AVX3
inline constexpr bool unsigned_codes = true;
#else
inline constexpr bool unsigned_codes = false;
#endif

// What a format's codes are: how many share a scale, whether there are offsets, the largest code, and the code that
// means zero. Signed codes say 0 for the largest.
template <std::size_t Group, bool Offsets, int Largest, int Zero = 0>
struct CodeKind {
  static constexpr std::size_t group = Group;
  static constexpr std::size_t sums = quantized_values / Group;
  static constexpr bool offsets = Offsets;
  static constexpr bool is_signed = Largest == 0;
  static constexpr int zero = is_signed ? (unsigned_codes ? 128 : 0) : Zero;
  // Pairs of products fit 16 bits, and so many of them may be added there.
  static constexpr std::size_t short_sums = is_signed ? 1 : 32767 / (2 * 127 * (Largest == 0 ? 128 : Largest));
};

// 16 bytes of each row.
HWY_INLINE ByteVec load_pieces(const std::uint8_t* const* rows, std::size_t offset) {
  const hn::Full128<std::uint8_t> piece;
  const hn::Full256<std::uint8_t> pair;
  const auto low = hn::Combine(pair, hn::LoadU(piece, rows[1] + offset), hn::LoadU(piece, rows[0] + offset));
#if HWY_TARGET <= HWY_AVX3
  const auto high = hn::Combine(pair, hn::LoadU(piece, rows[3] + offset), hn::LoadU(piece, rows[2] + offset));
  return hn::Combine(ByteTag(), high, low);
#else
  return low;
#endif
}
HWY_INLINE Vec load_pieces(const float* const* rows, std::size_t offset) {
  const hn::Full128<float> piece;
  const hn::Full256<float> pair;
  const auto low = hn::Combine(pair, hn::LoadU(piece, rows[1] + offset), hn::LoadU(piece, rows[0] + offset));
#if HWY_TARGET <= HWY_AVX3
  const auto high = hn::Combine(pair, hn::LoadU(piece, rows[3] + offset), hn::LoadU(piece, rows[2] + offset));
  return hn::Combine(Tag(), high, low);
#else
  return low;
#endif
}

// Activations: 16 codes for every row, or 4 for all rows.
HWY_INLINE ByteVec broadcast_piece(const std::int8_t* codes) {
  return hn::LoadDup128(ByteTag(), reinterpret_cast<const std::uint8_t*>(codes));
}
HWY_INLINE ByteVec broadcast_four(const std::int8_t* codes) {
  std::int32_t four;
  std::memcpy(&four, codes, sizeof(four));
  return hn::BitCast(ByteTag(), hn::Set(IntTag(), four));
}

#if HWY_TARGET <= HWY_AVX3

// sum[i] += the products of four unsigned codes with four signed ones.
HWY_INLINE IntVec add_dot(IntVec sum, ByteVec w, ByteVec x) {
#if HWY_TARGET != HWY_STATIC_TARGET || defined(__AVX512VNNI__)
  // (The instruction set of this file goes without VNNI: the processor is asked for it when the kernels are chosen.)
  asm("vpdpbusd {%2, %1, %0|%0, %1, %2}" : "+v"(sum.raw) : "v"(w.raw), "v"(x.raw));
  return sum;
#else
  const __m512i low = _mm512_set1_epi16(255);
  const __m512i even =
      _mm512_madd_epi16(_mm512_and_si512(w.raw, low), _mm512_srai_epi16(_mm512_slli_epi16(x.raw, 8), 8));
  const __m512i odd = _mm512_madd_epi16(_mm512_srli_epi16(w.raw, 8), _mm512_srai_epi16(x.raw, 8));
  return IntVec{_mm512_add_epi32(sum.raw, _mm512_add_epi32(even, odd))};
#endif
}

#else

// Sums of the products of two codes each.
template <class Kind>
HWY_INLINE ShortVec multiply_pairs(ByteVec w, ByteVec x) {
  if constexpr (Kind::is_signed) {  // -128 becomes an unsigned 128
    return ShortVec{_mm256_maddubs_epi16(_mm256_abs_epi8(w.raw), _mm256_sign_epi8(x.raw, w.raw))};
  } else {
    return ShortVec{_mm256_maddubs_epi16(w.raw, x.raw)};
  }
}
// A sum that is to stay in its register. (GCC turns a chain of integer additions into a tree, whose many operands it
// keeps in memory: tiles of four-bit codes are 1.16 times as fast without.)
template <class V>
HWY_INLINE void keep(V& sum) {
  asm("" : "+x"(sum.raw));
}
HWY_INLINE IntVec add_neighbours(ShortVec pairs) {
  return IntVec{_mm256_madd_epi16(pairs.raw, _mm256_set1_epi16(1))};
}

#endif

// Products of 16 codes of each row, in fours.
template <class Kind>
HWY_INLINE IntVec dot_piece(ByteVec w, ByteVec x) {
#if HWY_TARGET <= HWY_AVX3
  return add_dot(hn::Zero(IntTag()), w, x);
#else
  return add_neighbours(multiply_pairs<Kind>(w, x));
#endif
}
template <class Kind>
HWY_INLINE IntVec dot_pieces(ByteVec w0, ByteVec x0, ByteVec w1, ByteVec x1) {
#if HWY_TARGET <= HWY_AVX3
  return add_dot(add_dot(hn::Zero(IntTag()), w0, x0), w1, x1);
#else
  if constexpr (Kind::short_sums >= 2) {
    return add_neighbours(hn::Add(multiply_pairs<Kind>(w0, x0), multiply_pairs<Kind>(w1, x1)));
  } else {
    return hn::Add(dot_piece<Kind>(w0, x0), dot_piece<Kind>(w1, x1));
  }
#endif
}

// What a zero point adds to a sum of products is taken back: `negated` is -128 * the sum of the other side's codes.
template <class Kind>
HWY_INLINE IntVec zero_correction(IntVec negated) {
  static_assert(std::has_single_bit(unsigned{Kind::zero}) && Kind::zero <= 128);
  return hn::ShiftRight<7 - std::countr_zero(unsigned{Kind::zero})>(negated);
}

struct Quad {
  IntVec a, b, c, d;
};
// As bytes: 16 of each of so many rows as a vector has numbers, four of each row in a vector.
struct ByteQuad {
  ByteVec a, b, c, d;
};

// Of each piece of four vectors the sums of its four numbers: those of a, b, c, d.
HWY_INLINE IntVec sum_pieces(const Quad& v) {
  const hn::Repartition<std::uint64_t, Tag> wide;
  const IntTag tag;
  const auto ab = hn::BitCast(wide, hn::Add(hn::InterleaveLower(tag, v.a, v.b), hn::InterleaveUpper(tag, v.a, v.b)));
  const auto cd = hn::BitCast(wide, hn::Add(hn::InterleaveLower(tag, v.c, v.d), hn::InterleaveUpper(tag, v.c, v.d)));
  return hn::Add(hn::BitCast(tag, hn::InterleaveLower(wide, ab, cd)),
                 hn::BitCast(tag, hn::InterleaveUpper(wide, ab, cd)));
}

#if HWY_TARGET <= HWY_AVX3
// The numbers of sum_pieces where the pieces of a vector are of one row: number i of piece j, which belongs to group
// 4 i + j, to that place.
HWY_INLINE IntVec ordered_sums(IntVec v) {
  return IntVec{
      _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), v.raw)};
}
#endif

// Number i of piece j of vector k becomes number k of piece j of vector i: with rows 4 j + k, one number of all rows.
HWY_INLINE Quad transpose(const Quad& v) {
  const hn::Repartition<std::uint64_t, Tag> wide;
  const IntTag tag;
  const auto ab_low = hn::BitCast(wide, hn::InterleaveLower(tag, v.a, v.b));
  const auto ab_high = hn::BitCast(wide, hn::InterleaveUpper(tag, v.a, v.b));
  const auto cd_low = hn::BitCast(wide, hn::InterleaveLower(tag, v.c, v.d));
  const auto cd_high = hn::BitCast(wide, hn::InterleaveUpper(tag, v.c, v.d));
  return {hn::BitCast(tag, hn::InterleaveLower(wide, ab_low, cd_low)),
          hn::BitCast(tag, hn::InterleaveUpper(wide, ab_low, cd_low)),
          hn::BitCast(tag, hn::InterleaveLower(wide, ab_high, cd_high)),
          hn::BitCast(tag, hn::InterleaveUpper(wide, ab_high, cd_high))};
}

// 16 bytes of each row, a piece for each row: four vectors of pieces, transposed.
HWY_INLINE ByteQuad load_transposed(const std::uint8_t* const* rows, std::size_t offset) {
  const IntTag tag;
  const ByteTag bytes;
  const Quad v =
      transpose({hn::BitCast(tag, load_pieces(rows, offset)), hn::BitCast(tag, load_pieces(rows + vector_rows, offset)),
                 hn::BitCast(tag, load_pieces(rows + 2 * vector_rows, offset)),
                 hn::BitCast(tag, load_pieces(rows + 3 * vector_rows, offset))});
  return {hn::BitCast(bytes, v.a), hn::BitCast(bytes, v.b), hn::BitCast(bytes, v.c), hn::BitCast(bytes, v.d)};
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // HWY_TARGET

#endif
