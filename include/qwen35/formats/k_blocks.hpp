// SPDX-License-Identifier: Apache-2.0
// q2_k, q3_k, q4_k, q5_k, q6_k: 256 integers of so many bits; the scales of their groups are integers too, with one f16
// for all of them.
#pragma once

#include <qwen35/formats/coded_block.hpp>

QWEN35_BEGIN_NAMESPACE

namespace coded {

// Eight scales and eight offsets of six bits in twelve bytes: four bytes of the first scales, four of the first
// offsets, in whose upper bits the others end, which begin in the last four bytes.
class SixBitPairs {
 public:
  explicit SixBitPairs(const std::uint8_t* bytes) {
    const std::uint64_t a = u32_at(bytes), b = u32_at(bytes + 4), c = u32_at(bytes + 8);
    scales_ = (a & 0x3f3f3f3fu) | ((c & 0x0f0f0f0fu) | (a >> 2 & 0x30303030u)) << 32;
    offsets_ = (b & 0x3f3f3f3fu) | ((c >> 4 & 0x0f0f0f0fu) | (b >> 2 & 0x30303030u)) << 32;
  }
  // Eight scales, then eight offsets.
  void write(std::uint8_t* to) const {
    std::memcpy(to, &scales_, 8);
    std::memcpy(to + 8, &offsets_, 8);
  }

 private:
  std::uint64_t scales_, offsets_;
};

}  // namespace coded

namespace detail {

// 256 codes, minus `zero`: eight(part, i) are the eight from place i on of each 32.
template <class Eight>
inline void put_parts(const Eight& eight, std::uint64_t zero, std::int8_t* codes) {
  for (std::size_t part = 0; part < 8; ++part) {
    for (std::size_t i = 0; i < 32; i += 8) {
      coded::put_codes(eight(part, i), zero, codes + part * 32 + i);
    }
  }
}

// Two bits of each of eight bytes.
inline std::uint64_t pairs_at(const std::uint8_t* bytes, std::size_t place) {
  return coded::eight_at(bytes) >> 2 * place & coded::bytes_of(3);
}

inline void set_pairs(const std::uint8_t* pairs, float scale, float offset, const Codes& to) {
  std::uint8_t six[16];
  coded::SixBitPairs(pairs).write(six);
  for (std::size_t i = 0; i < 8; ++i) {
    to.set(2 * i, 2, scale * static_cast<float>(six[i]), -(offset * static_cast<float>(six[8 + i])));
  }
}

}  // namespace detail

template <>
struct StoredAs<Format::q2_k> : CodedFormat<Format::q2_k> {
  struct Block {
    std::uint8_t groups[16];  // scale low, offset high
    std::uint8_t codes[64];
    std::uint8_t scale[2];
    std::uint8_t offset[2];
  };
  static void unpack(const Block& block, const Codes& to) {
    const float scale = coded::f16_at(block.scale), offset = coded::f16_at(block.offset);
    for (std::size_t g = 0; g < 16; ++g) {
      to.set(g, 1, scale * static_cast<float>(coded::nibble(block.groups[g], 0)),
             -(offset * static_cast<float>(coded::nibble(block.groups[g], 1))));
    }
    const auto eight = [&](std::size_t part, std::size_t i) {
      return detail::pairs_at(block.codes + part / 4 * 32 + i, part % 4);
    };
    detail::put_parts(eight, 0, to.codes);
  }
};

template <>
struct StoredAs<Format::q3_k> : CodedFormat<Format::q3_k> {
  struct Block {
    std::uint8_t third[32];  // the third bit of each code
    std::uint8_t codes[64];
    std::uint8_t groups[12];  // scales of six bits: four in the first eight bytes, two in the others
    std::uint8_t scale[2];
  };
  static void unpack(const Block& block, const Codes& to) {
    const float scale = coded::f16_at(block.scale);
    for (std::size_t g = 0; g < 16; ++g) {
      const std::uint32_t high = std::uint32_t{block.groups[8 + g % 4]} >> g / 4 * 2 & 3u;
      to.set(g, 1, scale * coded::around_32(coded::nibble(block.groups[g % 8], g / 8) | high << 4));
    }
    const auto eight = [&](std::size_t part, std::size_t i) {
      const std::uint64_t third = coded::eight_at(block.third + i) >> part & coded::bytes_of(1);
      return detail::pairs_at(block.codes + part / 4 * 32 + i, part % 4) | third << 2;
    };
    detail::put_parts(eight, 4, to.codes);
  }
};

template <>
struct StoredAs<Format::q4_k> : CodedFormat<Format::q4_k> {
  struct Block {
    std::uint8_t scale[2];
    std::uint8_t offset[2];
    std::uint8_t groups[12];
    std::uint8_t codes[128];
  };
  static void unpack(const Block& block, const Codes& to) {
    detail::set_pairs(block.groups, coded::f16_at(block.scale), coded::f16_at(block.offset), to);
    const auto eight = [&](std::size_t part, std::size_t i) {
      return coded::nibbles_at(block.codes + part / 2 * 32 + i, part % 2);
    };
    detail::put_parts(eight, 0, to.codes);
  }
};

template <>
struct StoredAs<Format::q5_k> : CodedFormat<Format::q5_k> {
  struct Block {
    std::uint8_t scale[2];
    std::uint8_t offset[2];
    std::uint8_t groups[12];
    std::uint8_t fifth[32];
    std::uint8_t codes[128];
  };
  static void unpack(const Block& block, const Codes& to) {
    detail::set_pairs(block.groups, coded::f16_at(block.scale), coded::f16_at(block.offset), to);
    const auto eight = [&](std::size_t part, std::size_t i) {
      const std::uint64_t fifth = coded::eight_at(block.fifth + i) >> part & coded::bytes_of(1);
      return coded::nibbles_at(block.codes + part / 2 * 32 + i, part % 2) | fifth << 4;
    };
    detail::put_parts(eight, 0, to.codes);
  }
};

template <>
struct StoredAs<Format::q6_k> : CodedFormat<Format::q6_k> {
  struct Block {
    std::uint8_t low[128];  // four bits of each code
    std::uint8_t high[64];  // two more
    std::int8_t groups[16];
    std::uint8_t scale[2];
  };
  static void unpack(const Block& block, const Codes& to) {
    const float scale = coded::f16_at(block.scale);
    for (std::size_t g = 0; g < 16; ++g) {
      to.set(g, 1, scale * static_cast<float>(block.groups[g]));
    }
    const auto eight = [&](std::size_t part, std::size_t i) {
      const std::size_t half = part / 4;  // of the block
      const std::uint64_t high = detail::pairs_at(block.high + half * 32 + i, part % 4);
      return coded::nibbles_at(block.low + half * 64 + part % 2 * 32 + i, part % 4 / 2) | high << 4;
    };
    detail::put_parts(eight, 32, to.codes);
  }
};

QWEN35_END_NAMESPACE
