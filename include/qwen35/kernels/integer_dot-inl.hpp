// SPDX-License-Identifier: Apache-2.0
// Sums of products of bytes in vectors, for AVX2, for AVX-512 with VNNI and for NEON with dot products. Hides what
// Highway 1.0.3 lacks.
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
#undef QWEN35_FOUR_PRODUCTS
#undef QWEN35_NEON_DOT
#if HWY_TARGET == HWY_NEON && (defined(__ARM_FEATURE_DOTPROD) || defined(QWEN35_ASKS_FOR_DOT))
#define QWEN35_NEON_DOT
#endif
#if HWY_TARGET <= HWY_AVX2 || defined(QWEN35_NEON_DOT)
#define QWEN35_INTEGER_VECTORS
// One instruction adds four products to each number.
#if HWY_TARGET <= HWY_AVX3 || defined(QWEN35_NEON_DOT)
#define QWEN35_FOUR_PRODUCTS
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

using ByteTag = hn::Repartition<std::uint8_t, Tag>;
using ByteVec = hn::Vec<ByteTag>;
using SignedTag = hn::Repartition<std::int8_t, Tag>;
using IntTag = hn::RebindToSigned<Tag>;
using IntVec = hn::Vec<IntTag>;
using ShortTag = hn::Repartition<std::int16_t, Tag>;
using ShortVec = hn::Vec<ShortTag>;

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

#if HWY_TARGET == HWY_AVX2
// A value that is to be computed as written, and to stay in its register. (GCC turns a chain of integer additions into
// a tree, whose many operands it keeps in memory: tiles of four-bit codes are 1.16 times as fast without.)
template <class V>
HWY_INLINE void keep(V& sum) {
  asm("" : "+x"(sum.raw));
}
#endif

// 16 bytes of each row.
HWY_INLINE ByteVec load_pieces(const std::uint8_t* const* rows, std::size_t offset) {
  const hn::Full128<std::uint8_t> piece;
#if HWY_TARGET <= HWY_AVX3
  const hn::Full256<std::uint8_t> pair;
  const auto low = hn::Combine(pair, hn::LoadU(piece, rows[1] + offset), hn::LoadU(piece, rows[0] + offset));
  const auto high = hn::Combine(pair, hn::LoadU(piece, rows[3] + offset), hn::LoadU(piece, rows[2] + offset));
  return hn::Combine(ByteTag(), high, low);
#elif HWY_TARGET == HWY_NEON
  return hn::LoadU(piece, rows[0] + offset);
#else
  // (Zen 3 blends four times in the time of one insertion.)
  ByteVec second = hn::LoadDup128(ByteTag(), rows[1] + offset);
#if HWY_COMPILER_CLANG
  keep(second);  // which Clang would make of it
#endif
  const __m128i first = hn::LoadU(piece, rows[0] + offset).raw;
  return ByteVec{_mm256_blend_epi32(_mm256_castsi128_si256(first), second.raw, 0xf0)};
#endif
}
HWY_INLINE Vec load_pieces(const float* const* rows, std::size_t offset) {
#if HWY_TARGET == HWY_NEON
  return load(rows[0] + offset);
#else
  const hn::Full128<float> piece;
  const hn::Full256<float> pair;
  const auto low = hn::Combine(pair, hn::LoadU(piece, rows[1] + offset), hn::LoadU(piece, rows[0] + offset));
#if HWY_TARGET <= HWY_AVX3
  const auto high = hn::Combine(pair, hn::LoadU(piece, rows[3] + offset), hn::LoadU(piece, rows[2] + offset));
  return hn::Combine(Tag(), high, low);
#else
  return low;
#endif
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

#ifdef QWEN35_FOUR_PRODUCTS

// sum[i] += the products of four codes, which with VNNI are unsigned, with four signed ones.
HWY_INLINE IntVec add_dot(IntVec sum, ByteVec w, ByteVec x) {
#if HWY_TARGET == HWY_NEON
#if defined(__ARM_FEATURE_DOTPROD)
  return IntVec{vdotq_s32(sum.raw, hn::BitCast(SignedTag(), w).raw, hn::BitCast(SignedTag(), x).raw)};
#else
  // sdot %0.4s, %1.16b, %2.16b. (As below the processor is asked for it. The instruction is put together because Clang
  // 14 has no way to let its assembler take it, and GNU's would hold the rest of the file against an architecture of
  // ours.)
  asm(".irp number,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n\t"
      ".equ .Lqwen35_v\\number, \\number\n\t"
      ".endr\n\t"
      ".inst 0x4e809400 | .Lqwen35_%0 | (.Lqwen35_%1 << 5) | (.Lqwen35_%2 << 16)"
      : "+w"(sum.raw)
      : "w"(w.raw), "w"(x.raw));
  return sum;
#endif
#elif HWY_TARGET != HWY_STATIC_TARGET || defined(__AVX512VNNI__)
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

// Products of 16 codes of each row, in fours.
HWY_INLINE IntVec dot_piece(ByteVec w, ByteVec x) {
  return add_dot(hn::Zero(IntTag()), w, x);
}
HWY_INLINE IntVec dot_pieces(ByteVec w0, ByteVec x0, ByteVec w1, ByteVec x1) {
  return add_dot(dot_piece(w0, x0), w1, x1);
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
HWY_INLINE IntVec add_neighbours(ShortVec pairs) {
  return IntVec{_mm256_madd_epi16(pairs.raw, _mm256_set1_epi16(1))};
}

// Sums of `Pairs` pairs of products each: in 16 bits if twice as many have room there, in 32 otherwise.
template <class Kind, std::size_t Pairs>
struct PairSums {
  static constexpr bool is_short = 2 * Pairs <= Kind::short_sums;
  __m256i raw;
};
// Those of a vector of codes.
template <class Kind>
HWY_INLINE PairSums<Kind, 1> multiply(ByteVec w, ByteVec x) {
  const ShortVec pairs = multiply_pairs<Kind>(w, x);
  if constexpr (PairSums<Kind, 1>::is_short) {
    return {pairs.raw};
  } else {
    return {add_neighbours(pairs).raw};
  }
}
template <class Kind, std::size_t Pairs>
HWY_INLINE PairSums<Kind, 2 * Pairs> add(PairSums<Kind, Pairs> a, PairSums<Kind, Pairs> b) {
  if constexpr (!PairSums<Kind, Pairs>::is_short) {
    return {_mm256_add_epi32(a.raw, b.raw)};
  } else if constexpr (PairSums<Kind, 2 * Pairs>::is_short) {
    return {_mm256_add_epi16(a.raw, b.raw)};
  } else {
    return {add_neighbours(ShortVec{_mm256_add_epi16(a.raw, b.raw)}).raw};
  }
}

// Sums of groups that come one after another, of each piece a number for each of four.
template <class Kind, std::size_t Pairs>
class GroupSums {
 public:
  // Of group i. After every fourth there are new sums.
  HWY_INLINE bool add_group(std::size_t i, PairSums<Kind, Pairs> group) {
    if (i % 2 == 0) {
      single_ = group;
      return false;
    }
    const auto both = add(PairSums<Kind, Pairs>{_mm256_unpacklo_epi64(single_.raw, group.raw)},
                          PairSums<Kind, Pairs>{_mm256_unpackhi_epi64(single_.raw, group.raw)});
    if (i % 4 == 1) {
      first_ = both;
      return false;
    }
    const __m256 first = _mm256_castsi256_ps(first_.raw), last = _mm256_castsi256_ps(both.raw);
    const auto four = add(PairSums<Kind, 2 * Pairs>{_mm256_castps_si256(_mm256_shuffle_ps(first, last, 0x88))},
                          PairSums<Kind, 2 * Pairs>{_mm256_castps_si256(_mm256_shuffle_ps(first, last, 0xdd))});
    sums_ = four.is_short ? add_neighbours(ShortVec{four.raw}) : IntVec{four.raw};
    return true;
  }
  HWY_INLINE IntVec sums() const { return sums_; }

 private:
  PairSums<Kind, Pairs> single_;
  PairSums<Kind, 2 * Pairs> first_;
  IntVec sums_;
};

#endif

#if HWY_TARGET == HWY_AVX2
// Halves of negated16 for a zero point of a kind.
template <class Kind>
HWY_INLINE ShortVec negated_by(ShortVec halves) {
  static_assert(std::has_single_bit(unsigned{Kind::zero}) && Kind::zero <= 32);
  return hn::ShiftRight<5 - std::countr_zero(unsigned{Kind::zero})>(halves);
}

// Sums of groups of 16 codes that come one after another, each from a piece, in 16 bits: they may wrap until what the
// zero point adds is taken back.
class WrappingSums {
 public:
  // Of groups 2 i and 2 i + 1. After every fourth there are new sums.
  HWY_INLINE bool add_groups(std::size_t i, ShortVec groups) {
    if (i % 2 == 0) {
      single_ = groups.raw;
      return false;
    }
    const __m256i both =
        _mm256_add_epi16(_mm256_unpacklo_epi64(single_, groups.raw), _mm256_unpackhi_epi64(single_, groups.raw));
    if (i % 4 == 1) {
      first_ = both;
      return false;
    }
    const __m256 first = _mm256_castsi256_ps(first_), last = _mm256_castsi256_ps(both);
    sums_ = _mm256_add_epi16(_mm256_castps_si256(_mm256_shuffle_ps(first, last, 0x88)),
                             _mm256_castps_si256(_mm256_shuffle_ps(first, last, 0xdd)));
    return true;
  }
  // Those with even numbers first. `negated` is what eight of negated16 hold.
  HWY_INLINE IntVec sums(IntVec negated) const {
    return add_neighbours(ShortVec{_mm256_add_epi16(sums_, negated.raw)});
  }

 private:
  __m256i single_, first_, sums_;
};
#endif

// What a zero point adds to a sum of products is taken back: `negated` is -128 * the sum of the other side's codes.
template <class Kind>
HWY_INLINE IntVec zero_correction(IntVec negated) {
  static_assert(std::has_single_bit(unsigned{Kind::zero}) && Kind::zero <= 128);
  return hn::ShiftRight<7 - std::countr_zero(unsigned{Kind::zero})>(negated);
}

struct Quad {
  IntVec a, b, c, d;
};
// As bytes: 16 of each of so many rows as two vectors have pieces, a piece for each row.
struct BytePair {
  ByteVec a, b;
};
// 16 of each of so many rows as a vector has numbers, four of each row in a vector.
struct ByteQuad {
  ByteVec a, b, c, d;
};

// Of each piece of four vectors the sums of its four numbers, or of its four pairs of 16 bits: those of a, b, c, d.
template <class AddTag = IntTag>
HWY_INLINE IntVec sum_pieces(const Quad& v) {
  const hn::Repartition<std::uint64_t, Tag> wide;
  const AddTag add;
  const IntTag tag;
  const auto sum = [add](auto a, auto b) HWY_ATTR { return hn::Add(hn::BitCast(add, a), hn::BitCast(add, b)); };
  const auto ab = hn::BitCast(wide, sum(hn::InterleaveLower(tag, v.a, v.b), hn::InterleaveUpper(tag, v.a, v.b)));
  const auto cd = hn::BitCast(wide, sum(hn::InterleaveLower(tag, v.c, v.d), hn::InterleaveUpper(tag, v.c, v.d)));
  return hn::BitCast(tag, sum(hn::InterleaveLower(wide, ab, cd), hn::InterleaveUpper(wide, ab, cd)));
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
