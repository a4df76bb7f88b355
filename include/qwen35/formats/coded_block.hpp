// SPDX-License-Identifier: Apache-2.0
// What the block formats have in common: a block is small integers, times a scale, plus an offset.
#pragma once

#include <qwen35/formats/f16.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

QWEN35_BEGIN_NAMESPACE

// Consecutive values that share a scale, in every format: some repeat theirs.
inline constexpr std::size_t code_group = 16;

// What a format has no offset for: adding it changes no value, not even -0.
inline constexpr float no_offset = -0.0f;

// Where a block goes when it is unpacked: value i = scales[i / 16] * codes[i] + offsets[i / 16].
//
// A scale has at most 18 significant bits and a code at most 7, never both: each product is exact in f32, so that the
// order of its factors and fused multiply-adds do not change a bit. (A scale of more, in formats of f32 scales, has no
// offset beside it: the product is rounded once either way.)
struct Codes {
  std::int8_t* codes;
  float* scales;
  float* offsets;

  // The scale and offset of `count` groups from the first value on.
  void set(std::size_t group, std::size_t count, float scale, float offset = no_offset) const {
    for (std::size_t i = group; i < group + count; ++i) {
      scales[i] = scale;
      offsets[i] = offset;
    }
  }
};

// Base of the definition of such a format. Its Block holds bytes alone, so that it may stand anywhere, and
//   static void unpack(const Block&, const Codes&)
// says all; the source of each of GGUF's is dequantize_blocks of the class of that name in the Python package gguf.
template <Format F>
struct CodedFormat {
  static constexpr std::size_t values = format_info(F).block_values;

  template <class Block>
  static void decode(const Block& block, float* to) {
    std::int8_t codes[values];
    float scales[values / code_group], offsets[values / code_group];
    StoredAs<F>::unpack(block, {codes, scales, offsets});
    for (std::size_t i = 0; i < values; ++i) {
      to[i] = scales[i / code_group] * static_cast<float>(codes[i]) + offsets[i / code_group];
    }
  }
};

namespace coded {

inline std::uint32_t u16_at(const std::uint8_t* bytes) {
  return bytes[0] | static_cast<std::uint32_t>(bytes[1]) << 8;
}
inline std::uint32_t u32_at(const std::uint8_t* bytes) {
  return u16_at(bytes) | u16_at(bytes + 2) << 16;
}
inline float f16_at(const std::uint8_t* bytes) {
  return f16_to_f32(static_cast<std::uint16_t>(u16_at(bytes)));
}

// The low or the high four bits.
constexpr std::uint32_t nibble(std::uint32_t byte, std::size_t high) {
  return byte >> 4 * high & 15;
}

// A scale of six bits.
constexpr float around_32(std::uint32_t six) {
  return static_cast<float>(static_cast<int>(six) - 32);
}

// Codes are taken apart eight at once, a byte for each: byte by byte it takes five times as long, because compilers do
// not make vectors of it at -O2.
static_assert(std::endian::native == std::endian::little);

// The same byte eight times.
constexpr std::uint64_t bytes_of(std::uint64_t byte) {
  return byte * 0x0101010101010101u;
}
// A byte of 0 or 1 for each bit of a byte.
constexpr std::uint64_t bits_of(std::uint64_t byte) {
  return ((bytes_of(byte) & 0x8040201008040201u) + bytes_of(0x7f)) >> 7 & bytes_of(1);
}
inline std::uint64_t eight_at(const std::uint8_t* bytes) {
  std::uint64_t eight;
  std::memcpy(&eight, bytes, 8);
  return eight;
}
inline std::uint64_t nibbles_at(const std::uint8_t* bytes, std::size_t high) {
  return eight_at(bytes) >> 4 * high & bytes_of(15);
}
// Eight codes below 128, minus `zero`.
constexpr std::uint64_t minus(std::uint64_t eight, std::uint64_t zero) {
  return ((eight | bytes_of(0x80)) - bytes_of(zero)) ^ bytes_of(0x80);
}
inline void put_codes(std::uint64_t eight, std::uint64_t zero, std::int8_t* codes) {
  eight = minus(eight, zero);
  std::memcpy(codes, &eight, 8);
}

// `count` codes below 16, a multiple of 32: of each 32 the low halves of the bytes come first.
inline void pack_halves(const std::uint8_t* codes, std::size_t count, std::uint8_t* to) {
  for (std::size_t i = 0; i < count; i += 32) {
    for (std::size_t j = 0; j < 16; j += 8) {
      const std::uint64_t both = eight_at(codes + i + j) | eight_at(codes + i + j + 16) << 4;
      std::memcpy(to + i / 2 + j, &both, 8);
    }
  }
}
// `count` codes, a multiple of 8, each less 128.
inline void pack_less_128(const std::uint8_t* codes, std::size_t count, std::uint8_t* to) {
  for (std::size_t i = 0; i < count; i += 8) {
    const std::uint64_t eight = eight_at(codes + i) ^ bytes_of(0x80);
    std::memcpy(to + i, &eight, 8);
  }
}

}  // namespace coded

QWEN35_END_NAMESPACE
