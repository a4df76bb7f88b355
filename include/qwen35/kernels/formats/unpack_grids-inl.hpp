// SPDX-License-Identifier: Apache-2.0
// The formats of indices into grids, see grid_blocks.hpp, unpacked with vectors: ten times as fast as their
// definitions.
#include <qwen35/formats/grid_table.hpp>
#include <qwen35/kernels/formats/integer_blocks-inl.hpp>

#include <algorithm>
#include <iterator>

#if defined(QWEN35_KERNELS_FORMATS_UNPACK_GRIDS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_FORMATS_UNPACK_GRIDS_INL_HPP
#undef QWEN35_KERNELS_FORMATS_UNPACK_GRIDS_INL_HPP
#else
#define QWEN35_KERNELS_FORMATS_UNPACK_GRIDS_INL_HPP
#endif

#if HWY_TARGET <= HWY_AVX2

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

HWY_INLINE __m256i load_256(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}
HWY_INLINE __m128i load_128(const void* from) {
  return _mm_loadu_si128(static_cast<const __m128i*>(from));
}
HWY_INLINE __m128i load_64(const void* from) {
  return _mm_loadl_epi64(static_cast<const __m128i*>(from));
}
HWY_INLINE void store_256(__m256i v, void* to) {
  _mm256_storeu_si256(static_cast<__m256i*>(to), v);
}

// The values of four indices of eight, or of eight of four.
template <std::size_t Size, class Index>
HWY_INLINE __m256i grid_32(const std::array<std::uint64_t, Size>& grid, const Index* i) {
  const auto at = [&grid](std::size_t index) HWY_ATTR { return static_cast<std::int64_t>(grid[index]); };
  return _mm256_setr_epi64x(at(i[0]), at(i[1]), at(i[2]), at(i[3]));
}
template <std::size_t Size, class Index>
HWY_INLINE __m256i grid_32(const std::array<std::uint32_t, Size>& grid, const Index* i) {
  const auto at = [&grid](std::size_t index) HWY_ATTR { return static_cast<std::int32_t>(grid[index]); };
  return _mm256_setr_epi32(at(i[0]), at(i[1]), at(i[2]), at(i[3]), at(i[4]), at(i[5]), at(i[6]), at(i[7]));
}

// 16 bytes as 16 words.
HWY_INLINE __m256i widened(const std::uint8_t* bytes) {
  return _mm256_cvtepu8_epi16(load_128(bytes));
}
// Each of four words four times.
HWY_INLINE __m256i each_four_times(__m128i words) {
  const __m256i both = _mm256_permute4x64_epi64(_mm256_castsi128_si256(words), 0);
  return _mm256_shuffle_epi8(both, _mm256_setr_epi8(0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 2, 3,  //
                                                    4, 5, 4, 5, 4, 5, 4, 5, 6, 7, 6, 7, 6, 7, 6, 7));
}
// Of words that stand four times each the field of three bits, or two, whose place is that of the word among them: to
// bit 8. Factors move the fields to the place of the last one.
HWY_INLINE __m256i fields_of(__m256i words, std::int64_t factors, int shift, std::int16_t mask) {
  const __m256i moved = _mm256_mullo_epi16(words, _mm256_set1_epi64x(factors));
  const __m256i fields = _mm256_and_si256(_mm256_srl_epi16(moved, _mm_cvtsi32_si128(shift)), _mm256_set1_epi16(mask));
  return _mm256_slli_epi16(fields, 8);
}

// Bytes of seven signs, with an eighth that makes their number even.
HWY_INLINE __m256i with_even_signs(__m256i sevens) {
  const __m256i low = _mm256_set1_epi8(15);
  // 128 for an odd number of bits
  const __m256i odd = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, -128, -128, 0, -128, 0, 0, -128, -128, 0, 0, -128, 0, -128, -128, 0));
  const __m256i first = _mm256_shuffle_epi8(odd, _mm256_and_si256(sevens, low));
  const __m256i last = _mm256_shuffle_epi8(odd, _mm256_and_si256(_mm256_srli_epi16(sevens, 4), low));
  return _mm256_or_si256(sevens, _mm256_xor_si256(first, last));
}
// Words of four times seven signs and a scale of four bits: 32 bytes of signs.
HWY_INLINE __m256i signs_of(__m256i words) {
  const auto field = [words](int shift, std::int32_t mask) HWY_ATTR {
    return _mm256_and_si256(_mm256_sll_epi32(words, _mm_cvtsi32_si128(shift)), _mm256_set1_epi32(mask));
  };
  return with_even_signs(_mm256_or_si256(_mm256_or_si256(field(0, 0x7f), field(1, 0x7f00)),
                                         _mm256_or_si256(field(2, 0x7f0000), field(3, 0x7f000000))));
}
// Values, negative where the bit of `signs` is set.
HWY_INLINE __m256i with_signs(__m256i values, const std::uint8_t* signs) {
  std::int32_t bits;
  std::memcpy(&bits, signs, sizeof(bits));
  const __m256i from = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
  const __m256i own = _mm256_set1_epi64x(static_cast<std::int64_t>(0x8040201008040201u));
  const __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(bits), from);
  const __m256i ones = _mm256_cmpeq_epi8(_mm256_and_si256(bytes, own), own);
  return _mm256_sub_epi8(_mm256_xor_si256(values, ones), ones);
}

// Scales of eight groups: twice a small number and one.
HWY_INLINE void put_odd_scales(__m256i numbers, float scale, float* to) {
  const __m256i odd = _mm256_or_si256(_mm256_slli_epi32(numbers, 1), _mm256_set1_epi32(1));
  _mm256_storeu_ps(to, _mm256_mul_ps(_mm256_set1_ps(scale), _mm256_cvtepi32_ps(odd)));
}
// Four bits each, the low ones first: of 2 * count bytes' halves, eight at a time.
HWY_INLINE void put_nibble_scales(const std::uint8_t* bytes, std::size_t eights, float scale, float* to) {
  for (std::size_t i = 0; i < eights; ++i) {
    const __m256i words = _mm256_set1_epi32(static_cast<std::int32_t>(coded::u32_at(bytes + 4 * i)));
    const __m256i each = _mm256_srlv_epi32(words, _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28));
    put_odd_scales(_mm256_and_si256(each, _mm256_set1_epi32(15)), scale, to + 8 * i);
  }
}

template <std::size_t Size, class Value, class Index>
HWY_INLINE void put_signed(const std::array<Value, Size>& grid, const Index* indices, const std::uint8_t* signs,
                           UnpackedBlock& to) {
  constexpr std::size_t step = 32 / sizeof(Value);  // indices of 32 values
  for (std::size_t part = 0; part < 8; ++part) {
    store_256(with_signs(grid_32(grid, indices + part * step), signs + part * 4), to.codes + part * 32);
  }
}

// Values of the grid of -1, 0, 1 that is shifted down, up where the highest bit of the word of eight values is clear.
HWY_INLINE void put_shifted(const std::uint16_t* indices, const std::uint16_t* downs, UnpackedBlock& to) {
  for (std::size_t part = 0; part < 8; ++part) {
    const __m256i down = _mm256_srai_epi32(_mm256_slli_epi32(_mm256_cvtepu16_epi64(load_64(downs + part * 4)), 16), 31);
    const __m256i all = _mm256_shuffle_epi32(down, 0xa0);
    const __m256i up = _mm256_andnot_si256(all, _mm256_set1_epi8(2));
    store_256(_mm256_add_epi8(grid_32(coded::iq1_table, indices + part * 4), up), to.codes + part * 32);
  }
}

struct GridRoom {
  alignas(32) std::uint16_t indices[64];
  alignas(32) std::uint16_t downs[32];
  alignas(32) std::uint8_t signs[32];

  // Indices are read back from memory. (Taking each out of a register is two operations more.)
  HWY_INLINE void written() { asm volatile("" : : "r"(this) : "memory"); }
};

inline void unpack_iq3_xxs(const std::uint8_t* block, UnpackedBlock& to) {
  GridRoom room;
  const __m256i words = load_256(block + 66);
  store_256(signs_of(words), room.signs);
  room.written();
  put_odd_scales(_mm256_srli_epi32(words, 28), coded::f16_at(block) * 0.25f, to.scales);
  put_signed(coded::iq3_xxs_table, block + 2, room.signs, to);
}

inline void unpack_iq3_s(const std::uint8_t* block, UnpackedBlock& to) {
  GridRoom room;
  const __m256i bits = _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384,
                                         static_cast<std::int16_t>(0x8000));
  for (std::size_t i = 0; i < 64; i += 16) {
    const __m256i ninth = _mm256_set1_epi16(static_cast<std::int16_t>(coded::u16_at(block + 66 + i / 8)));
    const __m256i set = _mm256_cmpeq_epi16(_mm256_and_si256(ninth, bits), bits);
    const __m256i high = _mm256_and_si256(set, _mm256_set1_epi16(256));
    store_256(_mm256_or_si256(widened(block + 2 + i), high), room.indices + i);
  }
  room.written();
  put_nibble_scales(block + 106, 1, coded::f16_at(block), to.scales);
  put_signed(coded::iq3_s_table, room.indices, block + 74, to);
}

inline void unpack_iq2_xxs(const std::uint8_t* block, UnpackedBlock& to) {
  GridRoom room;
  // Of each pair of numbers the second: four times seven signs with a scale.
  const __m256 a = _mm256_castsi256_ps(load_256(block + 2)), b = _mm256_castsi256_ps(load_256(block + 34));
  const __m256i words = _mm256_permute4x64_epi64(_mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xdd)), 0xd8);
  store_256(signs_of(words), room.signs);
  room.written();
  put_odd_scales(_mm256_srli_epi32(words, 28), coded::f16_at(block) * 0.125f, to.scales);
  for (std::size_t part = 0; part < 8; ++part) {
    const __m256i values = grid_32(coded::iq2_xxs_table, block + 2 + part * 8);
    store_256(with_signs(values, room.signs + part * 4), to.codes + part * 32);
  }
}

inline void unpack_iq2_xs(const std::uint8_t* block, UnpackedBlock& to) {
  GridRoom room;
  const __m256i a = load_256(block + 2), b = load_256(block + 34), nine = _mm256_set1_epi16(511);
  store_256(_mm256_and_si256(a, nine), room.indices);
  store_256(_mm256_and_si256(b, nine), room.indices + 16);
  const __m256i sevens = _mm256_packus_epi16(_mm256_srli_epi16(a, 9), _mm256_srli_epi16(b, 9));
  store_256(with_even_signs(_mm256_permute4x64_epi64(sevens, 0xd8)), room.signs);
  room.written();
  put_nibble_scales(block + 66, 2, coded::f16_at(block) * 0.125f, to.scales);
  put_signed(coded::iq2_xs_table, room.indices, room.signs, to);
}

inline void unpack_iq2_s(const std::uint8_t* block, UnpackedBlock& to) {
  GridRoom room;
  for (std::size_t i = 0; i < 32; i += 16) {
    const __m256i words = each_four_times(_mm_cvtepu8_epi16(load_64(block + 66 + i / 4)));
    const __m256i high = fields_of(words, 0x0001000400100040, 6, 3);
    store_256(_mm256_or_si256(widened(block + 2 + i), high), room.indices + i);
  }
  room.written();
  put_nibble_scales(block + 74, 2, coded::f16_at(block) * 0.125f, to.scales);
  put_signed(coded::iq2_s_table, room.indices, block + 34, to);
}

inline void unpack_iq1_s(const std::uint8_t* block, UnpackedBlock& to) {
  GridRoom room;
  const __m128i words = load_128(block + 34);
  for (std::size_t i = 0; i < 32; i += 16) {
    const __m256i own = each_four_times(i == 0 ? words : _mm_unpackhi_epi64(words, words));
    store_256(own, room.downs + i);
    store_256(_mm256_or_si256(widened(block + 2 + i), fields_of(own, 0x0001000800400200, 9, 7)), room.indices + i);
  }
  put_odd_scales(_mm256_and_si256(_mm256_srli_epi32(_mm256_cvtepu16_epi32(words), 12), _mm256_set1_epi32(7)),
                 coded::f16_at(block) * 0.125f, to.scales);
  room.written();
  put_shifted(room.indices, room.downs, to);
}

inline void unpack_iq1_m(const std::uint8_t* block, UnpackedBlock& to) {
  GridRoom room;
  for (std::size_t i = 0; i < 32; i += 16) {
    // Of each byte the low and the high half: three bits of an index and the shift.
    const __m128i bytes = load_64(block + 32 + i / 2), low = _mm_set1_epi8(15);
    const __m128i halves = _mm_unpacklo_epi8(_mm_and_si128(bytes, low), _mm_and_si128(_mm_srli_epi16(bytes, 4), low));
    const __m256i words = _mm256_cvtepu8_epi16(halves);
    store_256(_mm256_slli_epi16(words, 12), room.downs + i);
    const __m256i high = _mm256_slli_epi16(_mm256_and_si256(words, _mm256_set1_epi16(7)), 8);
    store_256(_mm256_or_si256(widened(block + i), high), room.indices + i);
  }
  const std::uint64_t groups = coded::eight_at(block + 48);
  const std::uint64_t quarters = groups >> 12 & 0x000f000f000f000fu;  // of the f16
  const auto f16 = static_cast<std::uint16_t>(quarters | quarters >> 12 | quarters >> 24 | quarters >> 36);
  const float scale = f16_to_f32(f16) * 0.125f;
  const __m256i shifts = _mm256_setr_epi32(0, 3, 6, 9, 16, 19, 22, 25);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto half = static_cast<std::int32_t>(groups >> 32 * i);
    put_odd_scales(_mm256_and_si256(_mm256_srlv_epi32(_mm256_set1_epi32(half), shifts), _mm256_set1_epi32(7)), scale,
                   to.scales + 8 * i);
  }
  room.written();
  put_shifted(room.indices, room.downs, to);
}

// 256 values of a format of grids into `to`, a scale for each group; false: it is another format.
inline bool unpack_grids(Format format, const std::byte* from, UnpackedBlock& to) {
  const auto* const block = reinterpret_cast<const std::uint8_t*>(from);
  switch (format) {
#define QWEN35_GRID_CASE(name)                  \
  case Format::name:                            \
    if constexpr (is_available(Format::name)) { \
      unpack_##name(block, to);                 \
    }                                           \
    break;
    QWEN35_GRID_CASE(iq3_xxs)
    QWEN35_GRID_CASE(iq3_s)
    QWEN35_GRID_CASE(iq2_xxs)
    QWEN35_GRID_CASE(iq2_xs)
    QWEN35_GRID_CASE(iq2_s)
    QWEN35_GRID_CASE(iq1_s)
    QWEN35_GRID_CASE(iq1_m)
#undef QWEN35_GRID_CASE
    default:
      return false;
  }
  std::fill(std::begin(to.offsets), std::end(to.offsets), no_offset);
  return true;
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // HWY_TARGET

#endif
