// SPDX-License-Identifier: Apache-2.0
// iq3_xxs, iq3_s, iq2_xxs, iq2_xs, iq2_s, iq1_s, iq1_m: indices into grids of four or eight small integers at once,
// with signs or a shift beside them.
#pragma once

#include <qwen35/formats/coded_block.hpp>
#include <qwen35/formats/grids.hpp>

#include <bit>

QWEN35_BEGIN_NAMESPACE

namespace coded {

// Eight fields of two bits, or four of four bits, one to a byte.
constexpr std::uint64_t spread_pairs(std::uint64_t fields) {
  fields = (fields | fields << 24) & 0x000000ff000000ffu;
  fields = (fields | fields << 12) & 0x000f000f000f000fu;
  return (fields | fields << 6) & bytes_of(3);
}
constexpr std::uint64_t spread_nibbles(std::uint64_t fields) {
  fields = (fields | fields << 8) & 0x00ff00ffu;
  return (fields | fields << 4) & 0x0f0f0f0fu;
}

// What the fields of each grid mean.
constexpr std::uint64_t iq2_values(std::uint64_t fields) {  // 8, 25, 43
  const std::uint64_t f = spread_pairs(fields);
  return bytes_of(8) + 17 * f + (f >> 1 & bytes_of(1));
}
constexpr std::uint64_t iq3_xxs_values(std::uint64_t fields) {  // 4, 12, 20, 28, 36, 44, 52, 62
  const std::uint64_t f = spread_nibbles(fields);
  return 0x04040404u + 8 * f + ((f + 0x01010101u) >> 3 & 0x01010101u) * 2;
}
constexpr std::uint64_t iq3_s_values(std::uint64_t fields) {  // 1, 3, ... 15
  return 0x01010101u + 2 * spread_nibbles(fields);
}

}  // namespace coded

namespace detail {

// Puts eight values, negative where `signs` has a 1.
inline void put_signed(std::uint64_t values, std::uint64_t signs, std::int8_t* codes) {
  const std::uint64_t ones = coded::bits_of(signs);
  values = (values ^ ones * 0xff) + ones;  // no value is 0, so nothing is carried
  std::memcpy(codes, &values, 8);
}
// Seven signs; the eighth makes their number even.
inline std::uint64_t even_signs(std::uint32_t seven) {
  return seven | static_cast<std::uint32_t>(std::popcount(seven) & 1) << 7;
}

// A grid of -1, 0, 1, each shifted by an eighth up or down: eight times that.
inline void put_shifted(std::uint32_t index, bool down, std::int8_t* codes) {
  coded::put_codes(8 * coded::spread_pairs(coded::iq1_grid[index]) + (down ? 0 : coded::bytes_of(2)), 9, codes);
}

constexpr float odd(std::uint32_t half) {
  return static_cast<float>(2 * half + 1);
}

}  // namespace detail

template <>
struct StoredAs<Format::iq3_xxs> : CodedFormat<Format::iq3_xxs> {
  struct Block {
    std::uint8_t scale[2];
    std::uint8_t indices[64];
    std::uint8_t parts[32];  // of each 32 values: 4 x 7 signs and a scale of four bits
  };
  static void unpack(const Block& block, const Codes& to) {
    const float scale = coded::f16_at(block.scale) * 0.25f;
    for (std::size_t part = 0; part < 8; ++part) {
      const std::uint32_t word = coded::u32_at(block.parts + 4 * part);
      to.set(2 * part, 2, scale * detail::odd(word >> 28));
      for (std::size_t i = 0; i < 4; ++i) {
        const std::uint8_t* const pair = block.indices + part * 8 + i * 2;
        detail::put_signed(coded::iq3_xxs_values(coded::iq3_xxs_grid[pair[0]]) |
                               coded::iq3_xxs_values(coded::iq3_xxs_grid[pair[1]]) << 32,
                           detail::even_signs(word >> 7 * i & 127u), to.codes + part * 32 + i * 8);
      }
    }
  }
};

template <>
struct StoredAs<Format::iq3_s> : CodedFormat<Format::iq3_s> {
  struct Block {
    std::uint8_t scale[2];
    std::uint8_t indices[64];
    std::uint8_t ninth[8];  // a ninth bit of each index
    std::uint8_t signs[32];
    std::uint8_t groups[4];
  };
  static void unpack(const Block& block, const Codes& to) {
    const float scale = coded::f16_at(block.scale);
    for (std::size_t part = 0; part < 8; ++part) {
      to.set(2 * part, 2, scale * detail::odd(coded::nibble(block.groups[part / 2], part % 2)));
      for (std::size_t i = 0; i < 4; ++i) {
        const std::uint8_t* const pair = block.indices + part * 8 + i * 2;
        const std::uint32_t high = static_cast<std::uint32_t>(block.ninth[part]) >> 2 * i;
        detail::put_signed(coded::iq3_s_values(coded::iq3_s_grid[pair[0] | (high & 1) << 8]) |
                               coded::iq3_s_values(coded::iq3_s_grid[pair[1] | (high >> 1 & 1) << 8]) << 32,
                           block.signs[part * 4 + i], to.codes + part * 32 + i * 8);
      }
    }
  }
};

template <>
struct StoredAs<Format::iq2_xxs> : CodedFormat<Format::iq2_xxs> {
  struct Block {
    std::uint8_t scale[2];
    std::uint8_t parts[64];  // of each 32 values: 4 indices, 4 x 7 signs and a scale of four bits
  };
  static void unpack(const Block& block, const Codes& to) {
    const float scale = coded::f16_at(block.scale) * 0.125f;
    for (std::size_t part = 0; part < 8; ++part) {
      const std::uint8_t* const indices = block.parts + 8 * part;
      const std::uint32_t word = coded::u32_at(indices + 4);
      to.set(2 * part, 2, scale * detail::odd(word >> 28));
      for (std::size_t i = 0; i < 4; ++i) {
        detail::put_signed(coded::iq2_values(coded::iq2_xxs_grid[indices[i]]), detail::even_signs(word >> 7 * i & 127u),
                           to.codes + part * 32 + i * 8);
      }
    }
  }
};

template <>
struct StoredAs<Format::iq2_xs> : CodedFormat<Format::iq2_xs> {
  struct Block {
    std::uint8_t scale[2];
    std::uint8_t parts[64];  // of each 8 values: an index of nine bits and 7 signs
    std::uint8_t groups[8];
  };
  static void unpack(const Block& block, const Codes& to) {
    const float scale = coded::f16_at(block.scale) * 0.125f;
    for (std::size_t i = 0; i < 32; ++i) {
      const std::uint32_t word = coded::u16_at(block.parts + 2 * i);
      to.set(i / 2, 1, scale * detail::odd(coded::nibble(block.groups[i / 4], i / 2 % 2)));
      detail::put_signed(coded::iq2_values(coded::iq2_xs_grid[word & 511u]), detail::even_signs(word >> 9),
                         to.codes + i * 8);
    }
  }
};

template <>
struct StoredAs<Format::iq2_s> : CodedFormat<Format::iq2_s> {
  struct Block {
    std::uint8_t scale[2];
    std::uint8_t indices[32];
    std::uint8_t signs[32];
    std::uint8_t high[8];  // two more bits of each index
    std::uint8_t groups[8];
  };
  static void unpack(const Block& block, const Codes& to) {
    const float scale = coded::f16_at(block.scale) * 0.125f;
    for (std::size_t i = 0; i < 32; ++i) {
      const std::uint32_t high = std::uint32_t{block.high[i / 4]} >> i % 4 * 2 & 3u;
      to.set(i / 2, 1, scale * detail::odd(coded::nibble(block.groups[i / 4], i / 2 % 2)));
      detail::put_signed(coded::iq2_values(coded::iq2_s_grid[block.indices[i] | high << 8]), block.signs[i],
                         to.codes + i * 8);
    }
  }
};

template <>
struct StoredAs<Format::iq1_s> : CodedFormat<Format::iq1_s> {
  struct Block {
    std::uint8_t scale[2];
    std::uint8_t indices[32];
    std::uint8_t parts[16];  // of each 32 values: 4 x 3 more bits of the indices, a scale of three bits, the shift
  };
  static void unpack(const Block& block, const Codes& to) {
    const float scale = coded::f16_at(block.scale) * 0.125f;
    for (std::size_t part = 0; part < 8; ++part) {
      const std::uint32_t word = coded::u16_at(block.parts + 2 * part);
      to.set(2 * part, 2, scale * detail::odd(word >> 12 & 7u));
      for (std::size_t i = 0; i < 4; ++i) {
        detail::put_shifted(block.indices[part * 4 + i] | (word >> 3 * i & 7u) << 8, (word & 0x8000u) != 0,
                            to.codes + part * 32 + i * 8);
      }
    }
  }
};

template <>
struct StoredAs<Format::iq1_m> : CodedFormat<Format::iq1_m> {
  struct Block {
    std::uint8_t indices[32];
    std::uint8_t high[16];   // of each 8 values: three more bits of the index, the shift
    std::uint8_t groups[8];  // four words: four scales of three bits, and a quarter of the f16 scale
  };
  static void unpack(const Block& block, const Codes& to) {
    std::uint32_t f16 = 0;
    for (std::size_t word = 0; word < 4; ++word) {
      f16 |= coded::u16_at(block.groups + 2 * word) >> 12 << 4 * word;
    }
    const float scale = f16_to_f32(static_cast<std::uint16_t>(f16)) * 0.125f;
    for (std::size_t g = 0; g < 16; ++g) {
      to.set(g, 1, scale * detail::odd(coded::u16_at(block.groups + g / 4 * 2) >> g % 4 * 3 & 7u));
      for (std::size_t i = 0; i < 2; ++i) {
        const std::uint32_t high = coded::nibble(block.high[g], i);
        detail::put_shifted(block.indices[2 * g + i] | (high & 7u) << 8, (high & 8u) != 0, to.codes + g * 16 + i * 8);
      }
    }
  }
};

QWEN35_END_NAMESPACE
