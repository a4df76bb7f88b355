// SPDX-License-Identifier: Apache-2.0
// The formats of blocks in vectors. Any of them is unpacked to codes by its definition, and the codes are scaled in
// vectors; those that models are mostly stored in have a way of their own from their bytes to values. (Products with
// such matrices run on the integers, see integer_blocks-inl.hpp.)
#include <qwen35/formats/formats.hpp>
#include <qwen35/formats/unpack.hpp>
#include <qwen35/kernels/vectors-inl.hpp>

#if defined(QWEN35_KERNELS_FORMATS_BLOCKS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_FORMATS_BLOCKS_INL_HPP
#undef QWEN35_KERNELS_FORMATS_BLOCKS_INL_HPP
#else
#define QWEN35_KERNELS_FORMATS_BLOCKS_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

// Unpacked values [begin, end), whole groups, times their scales; each vector `step` floats after the one before.
inline void scale_codes(const Codes& from, std::size_t begin, std::size_t end, std::size_t step, float* to) {
  for (std::size_t group = begin; group < end; group += code_group) {
    const Vec scale = broadcast(from.scales[group / code_group]), offset = broadcast(from.offsets[group / code_group]);
    for (std::size_t i = group; i < group + code_group; i += lanes, to += step) {
#if HWY_TARGET == HWY_SCALAR
      const Vec code = broadcast(static_cast<float>(from.codes[i]));
#else
      const hn::RebindToSigned<Tag> wide;
      const hn::Rebind<std::int8_t, Tag> narrow;
      const Vec code = hn::ConvertTo(Tag(), hn::PromoteTo(wide, hn::LoadU(narrow, from.codes + i)));
#endif
      store(hn::MulAdd(code, scale, offset), to);
    }
  }
}

inline void decode_unpacked(Format format, const std::byte* row, std::size_t begin, std::size_t end, std::size_t step,
                            float* to) {
  HWY_ALIGN std::int8_t codes[most_block_values];
  float scales[most_block_values / code_group], offsets[most_block_values / code_group];
  const Codes unpacked{codes, scales, offsets};
  const UnpackBlocks unpack = unpack_function(format);
  const std::size_t values = format_info(format).block_values;
  while (begin < end) {
    const std::size_t first = begin / values * values;
    const std::size_t whole = (end - first + values - 1) / values * values;
    const std::size_t now = whole < most_block_values ? whole : most_block_values;
    const std::size_t stop = end < first + now ? end : first + now;
    unpack(row + row_bytes(format, first), now, unpacked);
    scale_codes(unpacked, begin - first, stop - first, step, to);
    to += (stop - begin) / lanes * step;
    begin = stop;
  }
}

#if HWY_TARGET != HWY_SCALAR

using Bytes = const std::uint8_t*;
using Integer = hn::RebindToSigned<Tag>;
using Integers = hn::Vec<Integer>;

HWY_INLINE Integers load_integers(Bytes bytes) {
  return hn::PromoteTo(Integer(), hn::LoadU(hn::Rebind<std::uint8_t, Tag>(), bytes));
}
HWY_INLINE Integers masked(Integers codes, std::int32_t mask) {
  return hn::And(codes, hn::Set(Integer(), mask));
}
HWY_INLINE Vec minus(Integers codes, std::int32_t zero) {
  return hn::ConvertTo(Tag(), hn::Sub(codes, hn::Set(Integer(), zero)));
}

// One of the four f16 in eight bytes: a scale and what stands beside it in its block.
template <std::size_t Place>
HWY_INLINE Vec broadcast_f16(Bytes bytes) {
#if HWY_TARGET <= HWY_AVX2
  const hn::CappedTag<float, 4> four;
  const hn::Rebind<hwy::float16_t, decltype(four)> narrow;
  const auto values = hn::PromoteTo(four, hn::LoadU(narrow, reinterpret_cast<const hwy::float16_t*>(bytes)));
  return broadcast(hn::GetLane(hn::Broadcast<Place>(values)));
#else
  return broadcast(coded::f16_at(bytes + 2 * Place));
#endif
}

template <class Block>
HWY_INLINE Bytes bytes_at(const Block& block, std::size_t offset) {
  return reinterpret_cast<Bytes>(&block) + offset;
}

// Whole blocks to values, as scale_codes puts them: vector i of a block at to + i * step.
template <Format>
struct BlockVectors;

template <>
struct BlockVectors<Format::q8_0> {
  static HWY_INLINE void decode(const StoredAs<Format::q8_0>::Block& block, std::size_t step, float* to) {
    const Vec scale = broadcast_f16<0>(bytes_at(block, 0));
    const hn::Rebind<std::int8_t, Tag> narrow;
    for (std::size_t i = 0; i < 32; i += lanes, to += step) {
      store(hn::Mul(hn::ConvertTo(Tag(), hn::PromoteTo(Integer(), hn::LoadU(narrow, block.codes + i))), scale), to);
    }
  }
};

template <>
struct BlockVectors<Format::q4_0> {
  static HWY_INLINE void decode(const StoredAs<Format::q4_0>::Block& block, std::size_t step, float* to) {
    const Vec scale = broadcast_f16<0>(bytes_at(block, 0));
    for (std::size_t i = 0; i < 16; i += lanes, to += step) {
      const Integers bytes = load_integers(block.codes + i);
      store(hn::Mul(minus(masked(bytes, 15), 8), scale), to);
      store(hn::Mul(minus(hn::ShiftRight<4>(bytes), 8), scale), to + 16 / lanes * step);
    }
  }
};

template <>
struct BlockVectors<Format::q4_k> {
  static HWY_INLINE void decode(const StoredAs<Format::q4_k>::Block& block, std::size_t step, float* to) {
    const Vec scale_of_all = broadcast_f16<0>(bytes_at(block, 0));
    const Vec offset_of_all = broadcast_f16<1>(bytes_at(block, 0));
    std::uint8_t six[16];
    coded::SixBitPairs(block.groups).write(six);
    HWY_ALIGN float pairs[16];  // eight scales, eight offsets
    for (std::size_t i = 0; i < 16; i += lanes) {
      store(hn::ConvertTo(Tag(), load_integers(six + i)), pairs + i);
    }
    for (std::size_t part = 0; part < 8; part += 2) {
      const Vec scale0 = hn::Mul(scale_of_all, broadcast(pairs[part]));
      const Vec scale1 = hn::Mul(scale_of_all, broadcast(pairs[part + 1]));
      const Vec offset0 = hn::Mul(offset_of_all, broadcast(pairs[part + 8]));
      const Vec offset1 = hn::Mul(offset_of_all, broadcast(pairs[part + 9]));
      for (std::size_t i = 0; i < 32; i += lanes, to += step) {
        const Integers bytes = load_integers(block.codes + part * 16 + i);
        store(hn::MulSub(hn::ConvertTo(Tag(), masked(bytes, 15)), scale0, offset0), to);
        store(hn::MulSub(hn::ConvertTo(Tag(), hn::ShiftRight<4>(bytes)), scale1, offset1), to + 32 / lanes * step);
      }
      to += 32 / lanes * step;
    }
  }
};

template <>
struct BlockVectors<Format::q6_k> {
  static HWY_INLINE void decode(const StoredAs<Format::q6_k>::Block& block, std::size_t step, float* to) {
    const Vec scale_of_all = broadcast_f16<3>(bytes_at(block, sizeof(block) - 8));
    const hn::Rebind<std::int8_t, Tag> narrow;
    HWY_ALIGN float scales[16];
    for (std::size_t i = 0; i < 16; i += lanes) {
      const Vec own = hn::ConvertTo(Tag(), hn::PromoteTo(Integer(), hn::LoadU(narrow, block.groups + i)));
      store(hn::Mul(scale_of_all, own), scales + i);
    }
    const std::size_t part = 32 / lanes * step;
    for (std::size_t half = 0; half < 2; ++half, to += 3 * part) {
      for (std::size_t i = 0; i < 32; i += lanes, to += step) {
        const float* const own = scales + half * 8 + i / 16;
        const Integers low = load_integers(block.low + half * 64 + i);
        const Integers next = load_integers(block.low + half * 64 + 32 + i);
        const Integers high = load_integers(block.high + half * 32 + i);
        const Integers code0 = hn::Or(masked(low, 15), masked(hn::ShiftLeft<4>(high), 48));
        const Integers code1 = hn::Or(masked(next, 15), masked(hn::ShiftLeft<2>(high), 48));
        const Integers code2 = hn::Or(hn::ShiftRight<4>(low), masked(high, 48));
        const Integers code3 = hn::Or(hn::ShiftRight<4>(next), masked(hn::ShiftRight<2>(high), 48));
        store(hn::Mul(minus(code0, 32), broadcast(own[0])), to);
        store(hn::Mul(minus(code1, 32), broadcast(own[2])), to + part);
        store(hn::Mul(minus(code2, 32), broadcast(own[4])), to + 2 * part);
        store(hn::Mul(minus(code3, 32), broadcast(own[6])), to + 3 * part);
      }
    }
  }
};

// The whole blocks of a range; what is left at its ends is unpacked.
template <Format F>
inline void decode_whole(const std::byte* row, std::size_t begin, std::size_t end, std::size_t step, float* to) {
  using Block = typename StoredAs<F>::Block;
  constexpr std::size_t values = format_info(F).block_values;
  if (begin % values != 0) {
    const std::size_t next = begin / values * values + values, stop = end < next ? end : next;
    decode_unpacked(F, row, begin, stop, step, to);
    to += (stop - begin) / lanes * step;
    begin = stop;
  }
  for (; begin + values <= end; begin += values, to += values / lanes * step) {
    BlockVectors<F>::decode(*reinterpret_cast<const Block*>(row + begin / values * sizeof(Block)), step, to);
  }
  if (begin < end) {
    decode_unpacked(F, row, begin, end, step, to);
  }
}

#endif

// Single vectors of a row, for keys and values.
template <>
struct VectorsOf<Format::q8_0> {
  static HWY_INLINE Vec load(const std::byte* row, std::size_t i) {
    using Block = StoredAs<Format::q8_0>::Block;
    const auto& block = *reinterpret_cast<const Block*>(row + i / 32 * sizeof(Block));
#if HWY_TARGET == HWY_SCALAR
    return broadcast(coded::f16_at(block.scale) * static_cast<float>(block.codes[i % 32]));
#else
    const hn::Rebind<std::int8_t, Tag> narrow;
    const Integers codes = hn::PromoteTo(Integer(), hn::LoadU(narrow, block.codes + i % 32));
    return hn::Mul(hn::ConvertTo(Tag(), codes), broadcast_f16<0>(bytes_at(block, 0)));
#endif
  }
};

#if HWY_TARGET <= HWY_AVX2

// Codes alone, whose scales stand beside the matrix.
template <>
struct VectorsOf<Format::i4_16> {
  static HWY_INLINE Vec load(const std::byte* row, std::size_t i) {
    const auto* const from = reinterpret_cast<const std::uint8_t*>(row) + i / 16 * 8;
    const hn::Rebind<std::uint8_t, Tag> narrow;
#if HWY_TARGET <= HWY_AVX3
    // Eight bytes twice: the low halves of their bytes, then the high ones.
    const hn::Repartition<std::uint64_t, decltype(narrow)> words;
    alignas(16) static constexpr std::uint64_t shifts[] = {0, 4};
    std::uint64_t word;
    std::memcpy(&word, from, sizeof(word));
    const auto halves = hn::BitCast(narrow, hn::Shr(hn::Set(words, word), hn::Load(words, shifts)));
    return hn::ConvertTo(Tag(), hn::PromoteTo(Integer(), hn::And(halves, hn::Set(narrow, 15))));
#else
    const auto bytes = hn::PromoteTo(Integer(), hn::LoadU(narrow, from + i % 8));
    return hn::ConvertTo(Tag(), i % 16 < 8 ? masked(bytes, 15) : hn::ShiftRight<4>(bytes));
#endif
  }
};

template <>
struct VectorsOf<Format::i8_16> {
  static HWY_INLINE Vec load(const std::byte* row, std::size_t i) {
    const hn::Rebind<std::int8_t, Tag> narrow;
    const auto codes = hn::LoadU(narrow, reinterpret_cast<const std::int8_t*>(row) + i);
    return hn::ConvertTo(Tag(), hn::PromoteTo(Integer(), codes));
  }
};

#endif

// Stored values into every `interleave`-th vector of `to`. They are whole groups, which may begin and end inside a
// block.
inline void decode_blocks(Format format, const std::byte* row, std::size_t begin, std::size_t count,
                          std::size_t interleave, float* to) {
  const std::size_t end = begin + count, step = interleave * lanes;
#if HWY_TARGET != HWY_SCALAR
  switch (format) {
#define QWEN35_BLOCK_CASE(name)                                                                             \
  case Format::name:                                                                                        \
    if constexpr (is_available(Format::name)) return decode_whole<Format::name>(row, begin, end, step, to); \
    break;
    QWEN35_BLOCK_CASE(q8_0)
    QWEN35_BLOCK_CASE(q4_0)
    QWEN35_BLOCK_CASE(q4_k)
    QWEN35_BLOCK_CASE(q6_k)
#undef QWEN35_BLOCK_CASE
    default:
      break;
  }
#endif
  decode_unpacked(format, row, begin, end, step, to);
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
