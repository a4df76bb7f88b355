// SPDX-License-Identifier: Apache-2.0
// The formats of blocks as integers in vectors: from stored bytes to codes, and to the scales and offsets of groups.
// The common ones have a way of their own; any other is unpacked by its definition.
#include <qwen35/formats/formats.hpp>
#include <qwen35/formats/unpack.hpp>
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

// Scales and offsets of a block's groups: vector m has those of groups 4 m to 4 m + 3, a piece for each row.
template <class Kind>
struct GroupScales {
  Vec scales[Kind::sums / 4];
  Vec offsets[Kind::offsets ? Kind::sums / 4 : 1];
};

// The f16 that four blocks of `Stride` bytes begin with, of each row. (Not put together in memory: it would have to be
// written before it can be read.)
template <std::size_t Stride>
HWY_INLINE Vec halves_pieces(const std::uint8_t* const* rows, std::size_t offset) {
#if HWY_TARGET <= HWY_AVX3
  static_assert(Stride == 18 || Stride == 34, "four blocks in one vector or two");
  const auto load = [rows, offset](std::size_t r, std::size_t at)
                        HWY_ATTR { return _mm512_loadu_si512(rows[r] + offset + at); };
  __m128i ab, cd;
  if constexpr (Stride == 18) {  // of two rows
    const __m512i words = _mm512_castsi128_si512(_mm_setr_epi16(0, 9, 18, 27, 32, 41, 50, 59));
    ab = _mm512_castsi512_si128(_mm512_permutex2var_epi16(load(0, 0), words, load(1, 0)));
    cd = _mm512_castsi512_si128(_mm512_permutex2var_epi16(load(2, 0), words, load(3, 0)));
  } else {  // of one row
    const __m512i words = _mm512_castsi128_si512(_mm_setr_epi16(0, 17, 32, 49, 0, 17, 32, 49));
    const auto row = [&load, words](std::size_t r) HWY_ATTR {
      return _mm512_castsi512_si128(_mm512_permutex2var_epi16(load(r, 0), words, load(r, 2 * Stride)));
    };
    ab = _mm_unpacklo_epi64(row(0), row(1));
    cd = _mm_unpacklo_epi64(row(2), row(3));
  }
  return Vec{_mm512_cvtph_ps(_mm256_set_m128i(cd, ab))};
#else
  const auto four = [rows, offset](std::size_t r) HWY_ATTR {
    const std::uint8_t* const bytes = rows[r] + offset;
    const std::uint64_t low = coded::u16_at(bytes) | coded::u16_at(bytes + Stride) << 16;
    const std::uint64_t high = coded::u16_at(bytes + 2 * Stride) | coded::u16_at(bytes + 3 * Stride) << 16;
    return static_cast<std::int64_t>(low | high << 32);
  };
  return Vec{_mm256_cvtph_ps(_mm_set_epi64x(four(1), four(0)))};
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
#else
  const std::uint32_t both = coded::u16_at(rows[0] + offset) | coded::u16_at(rows[1] + offset) << 16;
  const __m128 values = _mm_cvtph_ps(_mm_cvtsi32_si128(static_cast<int>(both)));
  return Vec{_mm256_permutevar8x32_ps(_mm256_castps128_ps256(values), _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1))};
#endif
}

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
//   bytes                                      of 256 values; 0 if they have to be unpacked
//   scales(rows)                               GroupScales, a piece for each row
//   row_codes(block, codes), row_scales(block) optional: of one row four vectors of codes, and a scale for each group
//                                              of 16
template <Format>
struct IntegerReader;

template <>
struct IntegerReader<Format::q8_0> {
  using Kind = CodeKind<32, false, 0>;
  static constexpr std::size_t bytes = row_bytes(Format::q8_0, quantized_values);
  template <class Load, class Put>
  static HWY_INLINE void codes(const Load& load, const Put& put) {
    QWEN35_UNROLL
    for (std::size_t g = 0; g < 8; ++g) {
      put(g, from_signed(load(g * 34 + 2)), from_signed(load(g * 34 + 18)));
    }
  }
  static HWY_INLINE GroupScales<Kind> scales(const std::uint8_t* const* rows) {
    return {{halves_pieces<34>(rows, 0), halves_pieces<34>(rows, 136)}, {}};
  }
};

template <>
struct IntegerReader<Format::q4_0> {
  using Kind = CodeKind<32, false, 15, 8>;
  static constexpr std::size_t bytes = row_bytes(Format::q4_0, quantized_values);
  template <class Load, class Put>
  static HWY_INLINE void codes(const Load& load, const Put& put) {
    QWEN35_UNROLL
    for (std::size_t g = 0; g < 8; ++g) {
      const auto loaded = load(g * 18 + 2);
      put(g, masked(loaded, 15), shift_right<4>(loaded, 15));
    }
  }
  static HWY_INLINE GroupScales<Kind> scales(const std::uint8_t* const* rows) {
    return {{halves_pieces<18>(rows, 0), halves_pieces<18>(rows, 72)}, {}};
  }
};

// The scales and offsets of q4_k and q5_k, see SixBitPairs: the first 16 bytes of a block.
template <class Kind>
HWY_INLINE GroupScales<Kind> pair_scales(const std::uint8_t* const* rows) {
  const ByteVec bytes = load_pieces(rows, 0);
  const IntVec a = spread_bytes<4>(bytes), b = spread_bytes<8>(bytes), c = spread_bytes<12>(bytes);
  const Vec scale = half_of_rows(rows, 0), offset = hn::Neg(half_of_rows(rows, 2));
  const Tag tag;
  const IntVec a_high = masked_bits(hn::ShiftRight<2>(a), 48), b_high = masked_bits(hn::ShiftRight<2>(b), 48);
  return {{hn::Mul(scale, hn::ConvertTo(tag, masked_bits(a, 63))),
           hn::Mul(scale, hn::ConvertTo(tag, hn::Or(masked_bits(c, 15), a_high)))},
          {hn::Mul(offset, hn::ConvertTo(tag, masked_bits(b, 63))),
           hn::Mul(offset, hn::ConvertTo(tag, hn::Or(hn::ShiftRight<4>(c), b_high)))}};
}

template <>
struct IntegerReader<Format::q4_k> {
  using Kind = CodeKind<32, true, 15>;
  static constexpr std::size_t bytes = row_bytes(Format::q4_k, quantized_values);
  template <class Load, class Put>
  static HWY_INLINE void codes(const Load& load, const Put& put) {
    QWEN35_UNROLL
    for (std::size_t g = 0; g < 8; g += 2) {
      const auto first = load(16 + g * 16), last = load(32 + g * 16);
      put(g, masked(first, 15), masked(last, 15));
      put(g + 1, shift_right<4>(first, 15), shift_right<4>(last, 15));
    }
  }
  static HWY_INLINE GroupScales<Kind> scales(const std::uint8_t* const* rows) { return pair_scales<Kind>(rows); }
};

template <>
struct IntegerReader<Format::q5_k> {
  using Kind = CodeKind<32, true, 31>;
  static constexpr std::size_t bytes = row_bytes(Format::q5_k, quantized_values);
  template <class Load, class Put>
  static HWY_INLINE void codes(const Load& load, const Put& put) {
    const auto fifth_first = load(16), fifth_last = load(32);
    QWEN35_UNROLL
    for (std::size_t g = 0; g < 8; g += 2) {
      const auto first = load(48 + g * 16), last = load(64 + g * 16);
      put(g, either(masked(first, 15), fifth_bit(fifth_first, g)), either(masked(last, 15), fifth_bit(fifth_last, g)));
      put(g + 1, either(shift_right<4>(first, 15), fifth_bit(fifth_first, g + 1)),
          either(shift_right<4>(last, 15), fifth_bit(fifth_last, g + 1)));
    }
  }
  static HWY_INLINE GroupScales<Kind> scales(const std::uint8_t* const* rows) { return pair_scales<Kind>(rows); }
};

template <>
struct IntegerReader<Format::q6_k> {
  using Kind = CodeKind<16, false, 63, 32>;
  static constexpr std::size_t bytes = row_bytes(Format::q6_k, quantized_values);
  template <class Load, class Put>
  static HWY_INLINE void codes(const Load& load, const Put& put) {
    QWEN35_UNROLL
    for (std::size_t half = 0; half < 2; ++half) {
      const std::size_t low = half * 64, high = 128 + half * 32, g = half * 4;
      const auto high0 = load(high), high1 = load(high + 16);
      const auto a0 = load(low), a1 = load(low + 16);
      put(g, either(masked(a0, 15), shift_left<4>(high0, 48)), either(masked(a1, 15), shift_left<4>(high1, 48)));
      const auto b0 = load(low + 32), b1 = load(low + 48);
      put(g + 1, either(masked(b0, 15), shift_left<2>(high0, 48)), either(masked(b1, 15), shift_left<2>(high1, 48)));
      put(g + 2, either(shift_right<4>(a0, 15), masked(high0, 48)), either(shift_right<4>(a1, 15), masked(high1, 48)));
      put(g + 3, either(shift_right<4>(b0, 15), shift_right<2>(high0, 48)),
          either(shift_right<4>(b1, 15), shift_right<2>(high1, 48)));
    }
  }
  static HWY_INLINE GroupScales<Kind> scales(const std::uint8_t* const* rows) {
    const ByteVec scale_bytes = load_pieces(rows, 192);
    const Vec scale = half_of_rows(rows, 208);
    const Tag tag;
    return {{hn::Mul(scale, hn::ConvertTo(tag, hn::ShiftRight<24>(spread_bytes<0, 3>(scale_bytes)))),
             hn::Mul(scale, hn::ConvertTo(tag, hn::ShiftRight<24>(spread_bytes<4, 3>(scale_bytes)))),
             hn::Mul(scale, hn::ConvertTo(tag, hn::ShiftRight<24>(spread_bytes<8, 3>(scale_bytes)))),
             hn::Mul(scale, hn::ConvertTo(tag, hn::ShiftRight<24>(spread_bytes<12, 3>(scale_bytes))))},
            {}};
  }
#if HWY_TARGET <= HWY_AVX3
  // A vector of codes is of four groups that follow each other, which needs no pieces to be put together.
  static HWY_INLINE void row_codes(const std::uint8_t* block, ByteVec* codes) {
    QWEN35_UNROLL
    for (std::size_t half = 0; half < 2; ++half) {
      const ByteVec low = hn::LoadU(ByteTag(), block + half * 64);
      const __m512i high =
          _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + 128 + half * 32)));
      const ByteVec first{_mm512_sllv_epi64(high, _mm512_setr_epi64(4, 4, 4, 4, 2, 2, 2, 2))};
      const ByteVec second{_mm512_srlv_epi64(high, _mm512_setr_epi64(0, 0, 0, 0, 2, 2, 2, 2))};
      codes[2 * half] = either(masked(low, 15), masked(first, 48));
      codes[2 * half + 1] = either(shift_right<4>(low, 15), masked(second, 48));
    }
  }
  static HWY_INLINE Vec row_scales(const std::uint8_t* block) {
    const Vec scale{
        _mm512_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(static_cast<int>(coded::u16_at(block + 208)))))};
    const auto groups = hn::LoadU(hn::Rebind<std::int8_t, Tag>(), reinterpret_cast<const std::int8_t*>(block) + 192);
    return hn::Mul(scale, hn::ConvertTo(Tag(), hn::PromoteTo(IntTag(), groups)));
  }
#endif
};

// 256 values as any format is unpacked, with a scale and an offset for each group.
struct UnpackedBlock {
  alignas(64) std::int8_t codes[quantized_values];
  float scales[16];
  float offsets[16];
};

template <std::size_t Group>
struct UnpackedReader {
  using Kind = CodeKind<Group, true, 0>;
  static constexpr std::size_t bytes = 0;
  template <class Load, class Put>
  static HWY_INLINE void codes(const Load& load, const Put& put) {
    QWEN35_UNROLL
    for (std::size_t g = 0; g < 8; ++g) {
      put(g, from_signed(load(g * 32)), from_signed(load(g * 32 + 16)));
    }
  }
  static HWY_INLINE GroupScales<Kind> scales(const std::uint8_t* const* rows) {
    const float* scales_of[vector_rows];
    const float* offsets_of[vector_rows];
    QWEN35_UNROLL
    for (std::size_t r = 0; r < vector_rows; ++r) {
      const UnpackedBlock& from = *reinterpret_cast<const UnpackedBlock*>(rows[r]);
      scales_of[r] = from.scales;
      offsets_of[r] = from.offsets;
    }
    GroupScales<Kind> out;
    QWEN35_UNROLL
    for (std::size_t m = 0; m < Kind::sums / 4; ++m) {
      out.scales[m] = load_pieces(scales_of, 4 * m);
      out.offsets[m] = load_pieces(offsets_of, 4 * m);
    }
    return out;
  }
};

// 256 values of a row for a reader that cannot take them from where they are: there are fewer, or they have to be
// unpacked. What lies beyond the row is multiplied with zeros.
inline HWY_NOINLINE const std::uint8_t* copy_block(const Matrix& w, std::size_t row, std::size_t block, bool unpack,
                                                   UnpackedBlock& room) {
  const std::byte* const from = w.row(row) + block * row_bytes(w.format, quantized_values);
  const std::size_t left = w.cols - block * quantized_values;
  const std::size_t values = left < quantized_values ? left : quantized_values;
  if (values < quantized_values) {
    std::memset(&room, 0, sizeof(room));
  }
  if (unpack) {
    unpack_function(w.format)(from, values, {room.codes, room.scales, room.offsets});
    for (std::size_t i = 1; i < 8 && integer_group(w.format) == 32; ++i) {
      room.scales[i] = room.scales[2 * i];
      room.offsets[i] = room.offsets[2 * i];
    }
  } else {
    std::memcpy(&room, from, row_bytes(w.format, values));
  }
  return reinterpret_cast<const std::uint8_t*>(&room);
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QWEN35_INTEGER_VECTORS

#endif
