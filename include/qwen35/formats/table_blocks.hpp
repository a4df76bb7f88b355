// SPDX-License-Identifier: Apache-2.0
// iq4_nl, iq4_xs, mxfp4: indices of four bits into a short table of integers.
#pragma once

#include <qwen35/formats/coded_block.hpp>

QWEN35_BEGIN_NAMESPACE

namespace coded {

inline constexpr std::int8_t iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                               1,    13,   25,  38,  53,  69,  89,  113};

// Twice the values of f4_e2m1 of the OCP's microscaling formats; its -0 is 0.
inline constexpr std::int8_t mxfp4_values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// 32 of them: the low halves of the bytes, then the high ones.
inline void look_up(const std::int8_t* table, const std::uint8_t* bytes, std::int8_t* codes) {
  for (std::size_t i = 0; i < 16; ++i) {
    codes[i] = table[nibble(bytes[i], 0)];
    codes[16 + i] = table[nibble(bytes[i], 1)];
  }
}

}  // namespace coded

template <>
struct StoredAs<Format::iq4_nl> : CodedFormat<Format::iq4_nl> {
  struct Block {
    std::uint8_t scale[2];
    std::uint8_t codes[16];
  };
  static void unpack(const Block& block, const Codes& to) {
    to.set(0, 2, coded::f16_at(block.scale));
    coded::look_up(coded::iq4_values, block.codes, to.codes);
  }
};

template <>
struct StoredAs<Format::iq4_xs> : CodedFormat<Format::iq4_xs> {
  struct Block {
    std::uint8_t scale[2];
    std::uint8_t groups_high[2];  // two bits of each group's scale
    std::uint8_t groups_low[4];   // four bits
    std::uint8_t codes[128];
  };
  static void unpack(const Block& block, const Codes& to) {
    const float scale = coded::f16_at(block.scale);
    for (std::size_t part = 0; part < 8; ++part) {
      const std::uint32_t high = coded::u16_at(block.groups_high) >> 2 * part & 3u;
      const std::uint32_t low = coded::nibble(block.groups_low[part / 2], part % 2);
      to.set(2 * part, 2, scale * coded::around_32(low | high << 4));
      coded::look_up(coded::iq4_values, block.codes + part * 16, to.codes + part * 32);
    }
  }
};

template <>
struct StoredAs<Format::mxfp4> : CodedFormat<Format::mxfp4> {
  struct Block {
    std::uint8_t exponent;  // e: the scale of f4_e2m1's values is 2^(e - 127)
    std::uint8_t codes[16];
  };
  static void unpack(const Block& block, const Codes& to) {
    const std::uint32_t e = block.exponent;  // half of that scale is subnormal for 0 and 1
    to.set(0, 2, std::bit_cast<float>(e < 2 ? 0x00200000u << e : (e - 1) << 23));
    coded::look_up(coded::mxfp4_values, block.codes, to.codes);
  }
};

QWEN35_END_NAMESPACE
