// SPDX-License-Identifier: Apache-2.0
// q8_0, q4_0, q4_1, q5_0, q5_1: 32 integers of so many bits with an f16 scale; _1 with an f16 offset, _0 around zero.
#pragma once

#include <qwen35/formats/coded_block.hpp>

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
};

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
