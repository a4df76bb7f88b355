// SPDX-License-Identifier: Apache-2.0
// a4_32, a4_64, a8_32, a8_64: what the groups of MLX become. A block is one group or a part of one: integers q, a scale
// and an offset of its own; a value is scale * q + offset.
//
// These are formats of our own, because the offset is any number: no multiple of the scale, as a zero point makes it,
// and in the range of bf16, which the f16 of q4_1 does not have.
#pragma once

#include <qwen35/formats/coded_block.hpp>

QWEN35_BEGIN_NAMESPACE

// A scale and an offset of at most 12 significant bits each, which all of f16 and bf16 have: the upper 20 bits of an
// f32.
struct AffineHead {
  std::uint8_t bytes[5];

  static bool holds(float value) { return (std::bit_cast<std::uint32_t>(value) & 4095) == 0; }
  float scale() const { return std::bit_cast<float>(coded::u32_at(bytes) << 12); }
  float offset() const { return std::bit_cast<float>(coded::u32_at(bytes + 1) & ~4095u); }
  void set(float scale, float offset) {
    const std::uint64_t low = std::bit_cast<std::uint32_t>(scale) >> 12;
    const std::uint64_t high = std::bit_cast<std::uint32_t>(offset) >> 12;
    const std::uint64_t word = low | high << 20;
    std::memcpy(bytes, &word, sizeof(bytes));
  }
};

namespace detail {

// Codes 0 to 15. Of each 32 the low halves of the bytes come first.
template <Format F>
struct AffineOf4Bits : CodedFormat<F> {
  static constexpr std::size_t values = CodedFormat<F>::values;
  struct Block {
    AffineHead head;
    std::uint8_t codes[values / 2];
  };

  static bool holds(float scale, float offset) { return AffineHead::holds(scale) && AffineHead::holds(offset); }
  static void unpack(const Block& block, const Codes& to) {
    to.set(0, values / code_group, block.head.scale(), block.head.offset());
    for (std::size_t i = 0; i < values; i += 8) {
      coded::put_codes(coded::nibbles_at(block.codes + i / 32 * 16 + i % 16, i / 16 % 2), 0, to.codes + i);
    }
  }
  static void pack(const std::uint8_t* codes, float scale, float offset, Block& block) {
    block.head.set(scale, offset);
    coded::pack_halves(codes, values, block.codes);
  }
};

// Codes 0 to 255. They are stored less 128, whose product with the scale is added to the offset.
template <Format F>
struct AffineOf8Bits : CodedFormat<F> {
  static constexpr std::size_t values = CodedFormat<F>::values;
  struct Block {
    AffineHead head;
    std::uint8_t codes[values];
  };

  // Where that sum is exact: so it is unless one of the two is next to nothing beside the other.
  static bool holds(float scale, float offset) {
    const float more = 128 * scale, sum = offset + more, added = sum - offset;
    return AffineHead::holds(scale) && AffineHead::holds(offset) &&
           (offset - (sum - added)) + (more - added) == 0;  // what rounding took off
  }
  static void unpack(const Block& block, const Codes& to) {
    const float scale = block.head.scale();
    to.set(0, values / code_group, scale, block.head.offset() + 128 * scale);
    std::memcpy(to.codes, block.codes, values);
  }
  static void pack(const std::uint8_t* codes, float scale, float offset, Block& block) {
    block.head.set(scale, offset);
    coded::pack_less_128(codes, values, block.codes);
  }
};

}  // namespace detail

template <>
struct StoredAs<Format::a4_32> : detail::AffineOf4Bits<Format::a4_32> {};
template <>
struct StoredAs<Format::a4_64> : detail::AffineOf4Bits<Format::a4_64> {};
template <>
struct StoredAs<Format::a8_32> : detail::AffineOf8Bits<Format::a8_32> {};
template <>
struct StoredAs<Format::a8_64> : detail::AffineOf8Bits<Format::a8_64> {};

QWEN35_END_NAMESPACE
