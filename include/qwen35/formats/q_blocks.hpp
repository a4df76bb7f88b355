// SPDX-License-Identifier: Apache-2.0
// q8_0, q4_0, q4_1, q5_0, q5_1: 32 integers of so many bits with an f16 scale; _1 with an f16 offset, _0 around zero.
#pragma once

#include <qwen35/formats/coded_block.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

QWEN35_BEGIN_NAMESPACE

namespace detail {

// 32 codes of four bits: the low halves of the bytes, then the high ones. `fifth` holds another bit of each.
inline void unpack_nibbles(const std::uint8_t* bytes, std::uint32_t fifth, std::uint64_t zero, std::int8_t* codes) {
  for (std::size_t i = 0; i < 32; i += 8) {
    coded::put_codes(coded::nibbles_at(bytes + i % 16, i / 16) | coded::bits_of(fifth >> i & 255u) << 4, zero,
                     codes + i);
  }
}

}  // namespace detail

template <>
struct StoredAs<Format::q8_0> : CodedFormat<Format::q8_0> {
  struct Block {
    std::uint8_t scale[2];
    std::int8_t codes[32];
  };
  static void unpack(const Block& block, const Codes& to) {
    to.set(0, 2, coded::f16_at(block.scale));
    std::memcpy(to.codes, block.codes, sizeof(block.codes));
  }
  // As keys and values are written, without a fit: the scale is the largest size / 127, rounded to f16, and a code is
  // the nearest even. An infinity or a NaN makes NaN of the block; a scale is at most the largest f16.
  static void encode(const float* values, Block& block);
};

inline void StoredAs<Format::q8_0>::encode(const float* values, Block& block) {
  float largest = 0.0f;
  bool finite = true;
  for (std::size_t i = 0; i < 32; ++i) {
    const float size = std::fabs(values[i]);
    finite = finite && size <= std::numeric_limits<float>::max();
    largest = size > largest ? size : largest;
  }
  const std::uint16_t bits = finite ? f32_to_f16(std::min(largest / 127.0f, 65504.0f)) : std::uint16_t{0x7e00};
  const float scale = f16_to_f32(bits), back = scale > 0.0f ? 1.0f / scale : 0.0f;
  block.scale[0] = static_cast<std::uint8_t>(bits & 255u);
  block.scale[1] = static_cast<std::uint8_t>(bits >> 8);
  for (std::size_t i = 0; i < 32; ++i) {
    const float code = finite ? std::clamp(std::nearbyint(values[i] * back), -127.0f, 127.0f) : 0.0f;
    block.codes[i] = static_cast<std::int8_t>(code);
  }
}

template <>
struct StoredAs<Format::q4_0> : CodedFormat<Format::q4_0> {
  struct Block {
    std::uint8_t scale[2];
    std::uint8_t codes[16];
  };
  static void unpack(const Block& block, const Codes& to) {
    to.set(0, 2, coded::f16_at(block.scale));
    detail::unpack_nibbles(block.codes, 0, 8, to.codes);
  }
};

template <>
struct StoredAs<Format::q4_1> : CodedFormat<Format::q4_1> {
  struct Block {
    std::uint8_t scale[2];
    std::uint8_t offset[2];
    std::uint8_t codes[16];
  };
  static void unpack(const Block& block, const Codes& to) {
    to.set(0, 2, coded::f16_at(block.scale), coded::f16_at(block.offset));
    detail::unpack_nibbles(block.codes, 0, 0, to.codes);
  }
};

template <>
struct StoredAs<Format::q5_0> : CodedFormat<Format::q5_0> {
  struct Block {
    std::uint8_t scale[2];
    std::uint8_t fifth[4];
    std::uint8_t codes[16];
  };
  static void unpack(const Block& block, const Codes& to) {
    to.set(0, 2, coded::f16_at(block.scale));
    detail::unpack_nibbles(block.codes, coded::u32_at(block.fifth), 16, to.codes);
  }
};

template <>
struct StoredAs<Format::q5_1> : CodedFormat<Format::q5_1> {
  struct Block {
    std::uint8_t scale[2];
    std::uint8_t offset[2];
    std::uint8_t fifth[4];
    std::uint8_t codes[16];
  };
  static void unpack(const Block& block, const Codes& to) {
    to.set(0, 2, coded::f16_at(block.scale), coded::f16_at(block.offset));
    detail::unpack_nibbles(block.codes, coded::u32_at(block.fifth), 0, to.codes);
  }
};

QWEN35_END_NAMESPACE
