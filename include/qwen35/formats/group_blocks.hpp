// SPDX-License-Identifier: Apache-2.0
// i4_32, i4_64, i4_128, i8_32, i8_128 and their relatives with f32 scales: what the groups of GPTQ, AWQ and
// compressed-tensors become. A block is one group or a part of one: integers q, a zero point and a scale; a value is
// scale * (q - zero).
//
// i4_16 and i8_16 are such integers alone, 0 to 15 and -128 to 127, where scales and zero points stand beside the
// matrix (BlockScales), because the columns of a group are no neighbours.
//
// These are formats of our own: files keep codes, zero points and scales in tensors of their own, packed along rows or
// along columns, and a product would read three streams in another order than its own.
#pragma once

#include <qwen35/formats/coded_block.hpp>

QWEN35_BEGIN_NAMESPACE

// A scale of at most 15 significant bits, which all of f16 and bf16 have: the upper 23 bits of an f32. Below them a
// zero point of up to 9 bits.
struct GroupHead {
  std::uint8_t bytes[4];

  static constexpr bool is_short = true;
  static constexpr std::uint32_t zero_bits = 511;
  static bool holds(float scale) { return (std::bit_cast<std::uint32_t>(scale) & zero_bits) == 0; }
  float scale() const { return std::bit_cast<float>(coded::u32_at(bytes) & ~zero_bits); }
  std::uint32_t zero() const { return coded::u32_at(bytes) & zero_bits; }
  void set(float scale, std::uint32_t zero) {
    const std::uint32_t word = std::bit_cast<std::uint32_t>(scale) | zero;
    std::memcpy(bytes, &word, sizeof(word));
  }
};

namespace detail {

// Any scale, and a zero point in a byte.
struct GroupHeadF32 {
  std::uint8_t bytes[4];
  std::uint8_t zero_byte;

  static constexpr bool is_short = false;
  static bool holds(float) { return true; }
  float scale() const { return std::bit_cast<float>(coded::u32_at(bytes)); }
  std::uint32_t zero() const { return zero_byte; }
  void set(float scale, std::uint32_t zero) {
    std::memcpy(bytes, &scale, sizeof(scale));
    zero_byte = static_cast<std::uint8_t>(zero);
  }
};

// Codes 0 to 15, zero points 0 to 31. Of each 32 codes the low halves of the bytes come first.
template <Format F, class Head>
struct GroupsOf4Bits : CodedFormat<F> {
  static constexpr std::size_t values = CodedFormat<F>::values;
  struct Block {
    Head head;
    std::uint8_t codes[values / 2];
  };

  static void unpack(const Block& block, const Codes& to) {
    const float scale = block.head.scale();
    std::uint64_t zero = block.head.zero() & 31u;
    float offset = no_offset;
    if constexpr (Head::is_short) {  // 15 bits times 5 are exact, and so is the sum with another such product
      offset = -scale * static_cast<float>(zero);
      zero = 0;
    }
    to.set(0, values / code_group, scale, offset);
    for (std::size_t i = 0; i < values; i += 8) {
      coded::put_codes(coded::nibbles_at(block.codes + i / 32 * 16 + i % 16, i / 16 % 2), zero, to.codes + i);
    }
  }
  static void pack(const std::uint8_t* codes, float scale, std::uint32_t zero, Block& block) {
    block.head.set(scale, zero);
    coded::pack_halves(codes, values, block.codes);
  }
};

// Codes 0 to 255 around a zero point of up to 9 bits. They are kept less 128; a zero point beside 128 is an offset, and
// 15 bits of a scale times 9 of a difference are exact.
template <Format F, class Head>
struct GroupsOf8Bits : CodedFormat<F> {
  static constexpr std::size_t values = CodedFormat<F>::values;
  struct Block {
    Head head;
    std::uint8_t codes[values];
  };

  static void unpack(const Block& block, const Codes& to) {
    const float scale = block.head.scale();
    const int zero = static_cast<int>(block.head.zero());
    to.set(0, values / code_group, scale, scale * static_cast<float>(128 - zero));
    std::memcpy(to.codes, block.codes, values);
  }
  static void pack(const std::uint8_t* codes, float scale, std::uint32_t zero, Block& block) {
    block.head.set(scale, zero);
    coded::pack_less_128(codes, values, block.codes);
  }
};

}  // namespace detail

template <>
struct StoredAs<Format::i4_32> : detail::GroupsOf4Bits<Format::i4_32, GroupHead> {};
template <>
struct StoredAs<Format::i4_64> : detail::GroupsOf4Bits<Format::i4_64, GroupHead> {};
template <>
struct StoredAs<Format::i4_128> : detail::GroupsOf4Bits<Format::i4_128, GroupHead> {};
template <>
struct StoredAs<Format::i8_32> : detail::GroupsOf8Bits<Format::i8_32, GroupHead> {};
template <>
struct StoredAs<Format::i8_128> : detail::GroupsOf8Bits<Format::i8_128, GroupHead> {};
template <>
struct StoredAs<Format::i4_32_f32> : detail::GroupsOf4Bits<Format::i4_32_f32, detail::GroupHeadF32> {};

// Without zero points beside 128: an f32 scale times a code is rounded, and an offset would round once more.
template <>
struct StoredAs<Format::i8_32_f32> : CodedFormat<Format::i8_32_f32> {
  struct Block {
    std::uint8_t scale[4];
    std::uint8_t codes[32];
  };
  static void unpack(const Block& block, const Codes& to) {
    to.set(0, 2, std::bit_cast<float>(coded::u32_at(block.scale)));
    std::memcpy(to.codes, block.codes, 32);
  }
  static void pack(const std::uint8_t* codes, float scale, std::uint32_t, Block& block) {
    std::memcpy(block.scale, &scale, sizeof(scale));
    for (std::size_t i = 0; i < 32; ++i) {
      block.codes[i] = codes[i] ^ 0x80u;
    }
  }
};

template <>
struct StoredAs<Format::i4_16> : CodedFormat<Format::i4_16> {
  struct Block {
    std::uint8_t codes[8];
  };
  static void unpack(const Block& block, const Codes& to) {
    to.set(0, 1, 1.0f);
    coded::put_codes(coded::nibbles_at(block.codes, 0), 0, to.codes);
    coded::put_codes(coded::nibbles_at(block.codes, 1), 0, to.codes + 8);
  }
  static void pack(const std::uint8_t* codes, Block& block) {
    const std::uint64_t both = coded::eight_at(codes) | coded::eight_at(codes + 8) << 4;
    std::memcpy(block.codes, &both, 8);
  }
};

template <>
struct StoredAs<Format::i8_16> : CodedFormat<Format::i8_16> {
  struct Block {
    std::uint8_t codes[16];
  };
  static void unpack(const Block& block, const Codes& to) {
    to.set(0, 1, 1.0f);
    std::memcpy(to.codes, block.codes, 16);
  }
  static void pack(const std::uint8_t* codes, Block& block) {
    for (std::size_t i = 0; i < 16; ++i) {
      block.codes[i] = codes[i] ^ 0x80u;
    }
  }
};

QWEN35_END_NAMESPACE
