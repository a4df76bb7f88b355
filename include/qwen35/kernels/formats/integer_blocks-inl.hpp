// SPDX-License-Identifier: Apache-2.0
// The formats of blocks as integers in vectors, from stored bytes to codes and to the scales and offsets of groups:
// what their readers have in common.
#include <qwen35/formats/formats.hpp>
#include <qwen35/kernels/formats/code_bytes-inl.hpp>

#if defined(QWEN35_KERNELS_FORMATS_INTEGER_BLOCKS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_FORMATS_INTEGER_BLOCKS_INL_HPP
#undef QWEN35_KERNELS_FORMATS_INTEGER_BLOCKS_INL_HPP
#else
#define QWEN35_KERNELS_FORMATS_INTEGER_BLOCKS_INL_HPP
#endif

#ifdef QWEN35_INTEGER_VECTORS

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

// Scales and offsets of a block's groups: vector m has those of groups 4 m to 4 m + 3, a piece for each row. (Always
// initialised where it stands: the constructor that GCC would make for NEON lacks the instruction set's attribute.)
template <class Kind>
struct GroupScales {
  Vec scales[Kind::sums / 4];
  Vec offsets[Kind::offsets ? Kind::sums / 4 : 1];
};

#if HWY_TARGET == HWY_NEON
HWY_INLINE Vec promote_halves(std::uint64_t four) {
  return Vec{vcvt_f32_f16(vreinterpret_f16_u64(vcreate_u64(four)))};
}
#endif

// The f16 behind `Skip` bytes of each of four blocks of `Stride` bytes, of each row. (Not put together in memory: it
// would have to be written before it can be read.)
template <std::size_t Stride, std::size_t Skip = 0>
HWY_INLINE Vec halves_pieces(const std::uint8_t* const* rows, std::size_t offset) {
#if HWY_TARGET <= HWY_AVX3
  // Two vectors of a row have all four, the second from the byte `next` on; often the first has.
  constexpr auto within = [](std::size_t i) { return i * Stride + Skip + 2 <= vector_bytes; };
  static_assert(4 * Stride >= vector_bytes && within(1), "nothing is read behind the blocks");
  constexpr std::size_t after = (within(2) ? 3 : 2) * Stride, ends = 4 * Stride - vector_bytes;
  constexpr std::size_t next = after < ends ? after : ends;
  constexpr auto word = [within](std::size_t i) {
    return static_cast<std::int16_t>((within(i) ? i * Stride + Skip : vector_bytes + i * Stride + Skip - next) / 2);
  };
  const auto load = [rows, offset](std::size_t r, std::size_t at)
                        HWY_ATTR { return _mm512_loadu_si512(rows[r] + offset + at); };
  __m128i ab, cd;
  if constexpr (within(3)) {  // two rows at a time
    const __m512i words = _mm512_castsi128_si512(
        _mm_setr_epi16(word(0), word(1), word(2), word(3), word(0) + 32, word(1) + 32, word(2) + 32, word(3) + 32));
    ab = _mm512_castsi512_si128(_mm512_permutex2var_epi16(load(0, 0), words, load(1, 0)));
    cd = _mm512_castsi512_si128(_mm512_permutex2var_epi16(load(2, 0), words, load(3, 0)));
  } else {
    const __m512i words =
        _mm512_castsi128_si512(_mm_setr_epi16(word(0), word(1), word(2), word(3), word(0), word(1), word(2), word(3)));
    const auto row = [&load, words](std::size_t r) HWY_ATTR {
      return _mm512_castsi512_si128(_mm512_permutex2var_epi16(load(r, 0), words, load(r, next)));
    };
    ab = _mm_unpacklo_epi64(row(0), row(1));
    cd = _mm_unpacklo_epi64(row(2), row(3));
  }
  return Vec{_mm512_cvtph_ps(_mm256_set_m128i(cd, ab))};
#else
  const auto four = [rows, offset](std::size_t r) HWY_ATTR {
    const std::uint8_t* const bytes = rows[r] + offset + Skip;
    const std::uint64_t low = coded::u16_at(bytes) | coded::u16_at(bytes + Stride) << 16;
    const std::uint64_t high = coded::u16_at(bytes + 2 * Stride) | coded::u16_at(bytes + 3 * Stride) << 16;
    return low | high << 32;
  };
#if HWY_TARGET == HWY_NEON
  return promote_halves(four(0));
#else
  return Vec{_mm256_cvtph_ps(_mm_set_epi64x(static_cast<std::int64_t>(four(1)), static_cast<std::int64_t>(four(0))))};
#endif
#endif
}

// An f16 of each row, in all lanes of its piece.
HWY_INLINE Vec half_of_rows(const std::uint8_t* const* rows, std::size_t offset) {
#if HWY_TARGET <= HWY_AVX3
  const std::uint64_t low = coded::u16_at(rows[0] + offset) | coded::u16_at(rows[1] + offset) << 16;
  const std::uint64_t high = coded::u16_at(rows[2] + offset) | coded::u16_at(rows[3] + offset) << 16;
  const __m128 values = _mm_cvtph_ps(_mm_cvtsi64_si128(static_cast<std::int64_t>(low | high << 32)));
  const __m512i place = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
  return Vec{_mm512_permutexvar_ps(place, _mm512_castps128_ps512(values))};
#elif HWY_TARGET == HWY_NEON
  return promote_halves(coded::u16_at(rows[0] + offset) * 0x0001000100010001u);
#else
  const std::uint32_t both = coded::u16_at(rows[0] + offset) | coded::u16_at(rows[1] + offset) << 16;
  const __m128 values = _mm_cvtph_ps(_mm_cvtsi32_si128(static_cast<int>(both)));
  return Vec{_mm256_permutevar8x32_ps(_mm256_castps128_ps256(values), _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1))};
#endif
}

#if HWY_TARGET == HWY_AVX2
// An f16 in all lanes.
HWY_INLINE Vec half_of_row(const std::uint8_t* bytes) {
  return Vec{_mm256_cvtph_ps(_mm_set1_epi16(static_cast<std::int16_t>(coded::u16_at(bytes))))};
}
#endif

#if HWY_TARGET == HWY_AVX2
// Of the rows of load_transposed, a number for each: an f16,
HWY_INLINE Vec halves_of_lanes(const std::uint8_t* const* rows, std::size_t offset) {
  const auto four = [rows, offset](std::size_t r) HWY_ATTR {
    const std::uint64_t low = coded::u16_at(rows[r] + offset) | coded::u16_at(rows[r + 2] + offset) << 16;
    const std::uint64_t high = coded::u16_at(rows[r + 4] + offset) | coded::u16_at(rows[r + 6] + offset) << 16;
    return static_cast<std::int64_t>(low | high << 32);
  };
  return Vec{_mm256_cvtph_ps(_mm_set_epi64x(four(1), four(0)))};
}
// the two that four bytes are,
struct TwoHalves {
  Vec first, last;
  HWY_INLINE explicit TwoHalves(ByteVec fours) {
    const __m256i places =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
    const __m256i halves = _mm256_permute4x64_epi64(_mm256_shuffle_epi8(fours.raw, places), 0xd8);
    first = Vec{_mm256_cvtph_ps(_mm256_castsi256_si128(halves))};
    last = Vec{_mm256_cvtph_ps(_mm256_extracti128_si256(halves, 1))};
  }
};
// or one of four bytes.
template <bool Signed, int I>
HWY_INLINE Vec byte_of_fours(ByteVec fours) {
  const IntVec numbers = hn::BitCast(IntTag(), fours);
  if constexpr (Signed) {
    return hn::ConvertTo(Tag(), hn::ShiftRight<24>(hn::ShiftLeft<24 - 8 * I>(numbers)));
  } else {
    return hn::ConvertTo(Tag(), hn::And(hn::ShiftRight<8 * I>(numbers), hn::Set(IntTag(), 255)));
  }
}
#endif

// Bytes First to First + 3 of each piece as numbers: in the lowest byte of each, or in the highest.
template <int First, int Place = 0>
HWY_INLINE IntVec spread_bytes(ByteVec bytes) {
  constexpr std::uint8_t zero = 0x80;
  alignas(16) static constexpr std::uint8_t from[16] = {
      Place == 0 ? First : zero,     zero, zero, Place == 3 ? First : zero,      // of each number four bytes
      Place == 0 ? First + 1 : zero, zero, zero, Place == 3 ? First + 1 : zero,  //
      Place == 0 ? First + 2 : zero, zero, zero, Place == 3 ? First + 2 : zero,  //
      Place == 0 ? First + 3 : zero, zero, zero, Place == 3 ? First + 3 : zero};
  return hn::BitCast(IntTag(), hn::TableLookupBytesOr0(bytes, hn::LoadDup128(ByteTag(), from)));
}
HWY_INLINE IntVec masked_bits(IntVec numbers, std::int32_t mask) {
  return hn::And(numbers, hn::Set(IntTag(), mask));
}

// A reader of a format: from 256 values of a row, complete blocks,
//   Kind                                       what the codes are
//   codes(load, put)                           put(group, first 16 codes, last 16 codes) of each of eight groups of 32;
//                                              load(offset) gives 16 bytes of each row
//                                              or, in any order, put.piece(i, codes) of 16 pieces, where a row has
//                                              row_codes: of fewer at a time, so that a panel's stay in registers
//   bytes                                      of 256 values; 0 if they have to be unpacked
//   scales(rows)                               GroupScales, a piece for each row
//   lane_scales(rows, put)                     optional: put(group, scales, offsets) of the rows of load_transposed
//   row_codes(block, put)                      optional: put(i, vector i of codes) of one row
//   row_scales(block, scales)                  and a scale for each group of 16, as the sums of pieces come
template <Format>
struct IntegerReader;

// 256 values as any format is unpacked, with a scale and an offset for each group.
struct UnpackedBlock {
  alignas(64) std::int8_t codes[quantized_values];
  float scales[16];
  float offsets[16];
};

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QWEN35_INTEGER_VECTORS

#endif
