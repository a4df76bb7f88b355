// SPDX-License-Identifier: Apache-2.0
// q2_k, q3_k, q4_k, q5_k, q6_k, see k_blocks.hpp, as integers in vectors.
#include <qwen35/kernels/formats/integer_blocks-inl.hpp>

#if defined(QWEN35_KERNELS_FORMATS_INTEGER_K_BLOCKS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_FORMATS_INTEGER_K_BLOCKS_INL_HPP
#undef QWEN35_KERNELS_FORMATS_INTEGER_K_BLOCKS_INL_HPP
#else
#define QWEN35_KERNELS_FORMATS_INTEGER_K_BLOCKS_INL_HPP
#endif

#ifdef QWEN35_INTEGER_VECTORS

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

template <>
struct IntegerReader<Format::q2_k> {
  using Kind = CodeKind<16, true, 3>;
  static constexpr std::size_t bytes = row_bytes(Format::q2_k, quantized_values);
  template <class Load, class Put>
  static HWY_INLINE void codes(const Load& load, const Put& put) {
    QWEN35_UNROLL
    for (std::size_t g = 0; g < 8; g += 4) {
      const auto first = load(16 + g * 8), last = load(32 + g * 8);
      put(g, masked(first, 3), masked(last, 3));
      put(g + 1, shift_right<2>(first, 3), shift_right<2>(last, 3));
      put(g + 2, shift_right<4>(first, 3), shift_right<4>(last, 3));
      put(g + 3, shift_right<6>(first, 3), shift_right<6>(last, 3));
    }
  }
  static HWY_INLINE GroupScales<Kind> scales(const std::uint8_t* const* rows) {
    const ByteVec groups = load_pieces(rows, 0);
    const ByteVec low = masked(groups, 15), high = shift_right<4>(groups, 15);
    const Vec scale = half_of_rows(rows, 80), offset = hn::Neg(half_of_rows(rows, 82));
    const auto times = [](Vec by, IntVec numbers) HWY_ATTR { return hn::Mul(by, hn::ConvertTo(Tag(), numbers)); };
    return {{times(scale, spread_bytes<0>(low)), times(scale, spread_bytes<4>(low)), times(scale, spread_bytes<8>(low)),
             times(scale, spread_bytes<12>(low))},
            {times(offset, spread_bytes<0>(high)), times(offset, spread_bytes<4>(high)),
             times(offset, spread_bytes<8>(high)), times(offset, spread_bytes<12>(high))}};
  }
};

template <>
struct IntegerReader<Format::q3_k> {
  using Kind = CodeKind<16, false, 7, 4>;
  static constexpr std::size_t bytes = row_bytes(Format::q3_k, quantized_values);
  template <class Load, class Put>
  static HWY_INLINE void codes(const Load& load, const Put& put) {
    const auto third_first = load(0), third_last = load(16);
    const auto four = [&](std::size_t g, const auto& first, const auto& last, auto move) HWY_ATTR {
      put(g, either(move(first), place_bit<4>(third_first, g)), either(move(last), place_bit<4>(third_last, g)));
    };
    QWEN35_UNROLL
    for (std::size_t g = 0; g < 8; g += 4) {
      const auto first = load(32 + g * 8), last = load(48 + g * 8);
      four(g, first, last, [](const auto& v) HWY_ATTR { return masked(v, 3); });
      four(g + 1, first, last, [](const auto& v) HWY_ATTR { return shift_right<2>(v, 3); });
      four(g + 2, first, last, [](const auto& v) HWY_ATTR { return shift_right<4>(v, 3); });
      four(g + 3, first, last, [](const auto& v) HWY_ATTR { return shift_right<6>(v, 3); });
    }
  }
  static HWY_INLINE GroupScales<Kind> scales(const std::uint8_t* const* rows) {
    // The last 16 bytes of a block: two of codes, eight of four bits of two scales each, four of two bits of four, the
    // f16.
    const ByteVec tail = load_pieces(rows, 94);
    const ByteVec low = masked(tail, 15), high = shift_right<4>(tail, 15);
    const IntVec pairs = spread_bytes<10>(tail);
    const Vec scale = half_of_rows(rows, 108);
    const auto around_32 = [scale](IntVec four, IntVec two) HWY_ATTR {
      const IntVec six = hn::Sub(hn::Or(four, masked_bits(two, 48)), hn::Set(IntTag(), 32));
      return hn::Mul(scale, hn::ConvertTo(Tag(), six));
    };
    return {{around_32(spread_bytes<2>(low), hn::ShiftLeft<4>(pairs)),
             around_32(spread_bytes<6>(low), hn::ShiftLeft<2>(pairs)), around_32(spread_bytes<2>(high), pairs),
             around_32(spread_bytes<6>(high), hn::ShiftRight<2>(pairs))},
            {}};
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

#if HWY_TARGET == HWY_AVX2
template <class Put>
HWY_INLINE void put_pairs(std::size_t g, Vec scale, ByteVec scales, Vec offset, ByteVec offsets, const Put& put) {
  put(g, hn::Mul(scale, byte_of_fours<false, 0>(scales)), hn::Mul(offset, byte_of_fours<false, 0>(offsets)));
  put(g + 1, hn::Mul(scale, byte_of_fours<false, 1>(scales)), hn::Mul(offset, byte_of_fours<false, 1>(offsets)));
  put(g + 2, hn::Mul(scale, byte_of_fours<false, 2>(scales)), hn::Mul(offset, byte_of_fours<false, 2>(offsets)));
  put(g + 3, hn::Mul(scale, byte_of_fours<false, 3>(scales)), hn::Mul(offset, byte_of_fours<false, 3>(offsets)));
}
// The same with a row in each lane.
template <class Put>
HWY_INLINE void put_pair_scales(const std::uint8_t* const* rows, const Put& put) {
  const ByteQuad v = load_transposed(rows, 0);
  const TwoHalves by(v.a);
  const Vec offset = hn::Neg(by.last);
  put_pairs(0, by.first, masked(v.b, 63), offset, masked(v.c, 63), put);
  put_pairs(4, by.first, either(masked(v.d, 15), shift_right<2>(v.b, 48)), offset,
            either(shift_right<4>(v.d, 15), shift_right<2>(v.c, 48)), put);
}
#endif

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
#if HWY_TARGET == HWY_AVX2
  template <class Put>
  static HWY_INLINE void lane_scales(const std::uint8_t* const* rows, const Put& put) {
    put_pair_scales(rows, put);
  }
#endif
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
      put(g, either(masked(first, 15), place_bit<16>(fifth_first, g)),
          either(masked(last, 15), place_bit<16>(fifth_last, g)));
      put(g + 1, either(shift_right<4>(first, 15), place_bit<16>(fifth_first, g + 1)),
          either(shift_right<4>(last, 15), place_bit<16>(fifth_last, g + 1)));
    }
  }
  static HWY_INLINE GroupScales<Kind> scales(const std::uint8_t* const* rows) { return pair_scales<Kind>(rows); }
#if HWY_TARGET == HWY_AVX2
  template <class Put>
  static HWY_INLINE void lane_scales(const std::uint8_t* const* rows, const Put& put) {
    put_pair_scales(rows, put);
  }
#endif
};

template <>
struct IntegerReader<Format::q6_k> {
  using Kind = CodeKind<16, false, 63, 32>;
  static constexpr std::size_t bytes = row_bytes(Format::q6_k, quantized_values);
  template <class Load, class Put>
  static HWY_INLINE void codes(const Load& load, const Put& put) {
    QWEN35_UNROLL
    for (std::size_t part = 0; part < 4; ++part) {
      const std::size_t half = part / 2, low = half * 64 + part % 2 * 16, i = half * 8 + part % 2;
      const auto high = load(128 + part * 16), a = load(low), b = load(low + 32);
      put.piece(i, either(masked(a, 15), shift_left<4>(high, 48)));
      put.piece(i + 2, either(masked(b, 15), shift_left<2>(high, 48)));
      put.piece(i + 4, either(shift_right<4>(a, 15), masked(high, 48)));
      put.piece(i + 6, either(shift_right<4>(b, 15), shift_right<2>(high, 48)));
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
  template <class Put>
  static HWY_INLINE void row_codes(const std::uint8_t* block, const Put& put) {
    QWEN35_UNROLL
    for (std::size_t half = 0; half < 2; ++half) {
      const ByteVec low = hn::LoadU(ByteTag(), block + half * 64);
      const __m512i high =
          _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + 128 + half * 32)));
      const ByteVec first{_mm512_sllv_epi64(high, _mm512_setr_epi64(4, 4, 4, 4, 2, 2, 2, 2))};
      const ByteVec second{_mm512_srlv_epi64(high, _mm512_setr_epi64(0, 0, 0, 0, 2, 2, 2, 2))};
      put(2 * half, either(masked(low, 15), masked(first, 48)));
      put(2 * half + 1, either(shift_right<4>(low, 15), masked(second, 48)));
    }
  }
  static HWY_INLINE void row_scales(const std::uint8_t* block, Vec* scales) {
    const Vec scale{
        _mm512_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(static_cast<int>(coded::u16_at(block + 208)))))};
    const auto groups = hn::LoadU(hn::Rebind<std::int8_t, Tag>(), reinterpret_cast<const std::int8_t*>(block) + 192);
    scales[0] = hn::Mul(scale, hn::ConvertTo(Tag(), hn::PromoteTo(IntTag(), groups)));
  }
#elif HWY_TARGET == HWY_AVX2
  template <class Put>
  static HWY_INLINE void lane_scales(const std::uint8_t* const* rows, const Put& put) {
    const Vec scale = halves_of_lanes(rows, 208);
    const ByteQuad groups = load_transposed(rows, 192);
    put_four(0, scale, groups.a, put);
    put_four(4, scale, groups.b, put);
    put_four(8, scale, groups.c, put);
    put_four(12, scale, groups.d, put);
  }
  template <class Put>
  static HWY_INLINE void put_four(std::size_t g, Vec scale, ByteVec scales, const Put& put) {
    put(g, hn::Mul(scale, byte_of_fours<true, 0>(scales)));
    put(g + 1, hn::Mul(scale, byte_of_fours<true, 1>(scales)));
    put(g + 2, hn::Mul(scale, byte_of_fours<true, 2>(scales)));
    put(g + 3, hn::Mul(scale, byte_of_fours<true, 3>(scales)));
  }
  // A vector of codes is of two groups that follow each other.
  template <class Put>
  static HWY_INLINE void row_codes(const std::uint8_t* block, const Put& put) {
    QWEN35_UNROLL
    for (std::size_t half = 0; half < 2; ++half) {
      const ByteVec a = hn::LoadU(ByteTag(), block + half * 64), b = hn::LoadU(ByteTag(), block + half * 64 + 32);
      const ByteVec high = hn::LoadU(ByteTag(), block + 128 + half * 32);
      put(4 * half, either(masked(a, 15), shift_left<4>(high, 48)));
      put(4 * half + 1, either(masked(b, 15), shift_left<2>(high, 48)));
      put(4 * half + 2, either(shift_right<4>(a, 15), masked(high, 48)));
      put(4 * half + 3, either(shift_right<4>(b, 15), shift_right<2>(high, 48)));
    }
  }
  // Of the groups in the lower halves of four vectors, then of those in the upper ones.
  static HWY_INLINE void row_scales(const std::uint8_t* block, Vec* scales) {
    // A scale becomes the highest byte of a number, for which the f16 is divided.
    const Vec scale = hn::Mul(half_of_row(block + 208), broadcast(0x1p-24f));
    const ByteVec scale_bytes = hn::LoadDup128(ByteTag(), block + 192);
    const auto to_float = [scale_bytes](std::uint8_t first) HWY_ATTR {
      alignas(32) std::uint8_t from[32];
      for (std::uint8_t i = 0; i < 32; ++i) {
        from[i] = i % 4 < 3 ? 0x80 : static_cast<std::uint8_t>(first + i / 4 % 4 * 2 + i / 16);
      }
      const ByteVec numbers = hn::TableLookupBytesOr0(scale_bytes, hn::Load(ByteTag(), from));
      return hn::ConvertTo(Tag(), hn::BitCast(IntTag(), numbers));
    };
    scales[0] = hn::Mul(scale, to_float(0));
    scales[1] = hn::Mul(scale, to_float(8));
  }
#endif
};

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QWEN35_INTEGER_VECTORS

#endif
