// SPDX-License-Identifier: Apache-2.0
// nvfp4_64: what NVFP4's groups of 16 become, four of them and the factor of the whole weight in a block.
#pragma once

#include <qwen35/formats/f8_e4m3.hpp>
#include <qwen35/formats/table_blocks.hpp>

#include <algorithm>
#include <cmath>

QWEN35_BEGIN_NAMESPACE

// A value is s * e: e of f4_e2m1, s its group's scale of f8_e4m3 times the factor of all groups or divided by it, as
// the file has it, rounded to f32 once. One that divides is stored as its negative.
//
// A format of our own: each block has the factor, so that the matrix is whole without anything beside it.
template <>
struct StoredAs<Format::nvfp4_64> : CodedFormat<Format::nvfp4_64> {
  struct Block {
    std::uint8_t factor[4];
    std::uint8_t scales[4];
    std::uint8_t codes[32];  // of each 32 values the low halves of 16 bytes come first
  };

  // So that half of s is exact, and finite.
  static bool holds(float factor) { return std::fabs(factor) > 0x1p-100f && std::fabs(factor) < 0x1p100f; }
  static float scale(std::uint8_t of_group, float factor) {
    const float scale = f8_e4m3_to_f32(of_group);
    return factor < 0 ? scale / -factor : scale * factor;
  }
  static void unpack(const Block& block, const Codes& to) {
    const float factor = std::bit_cast<float>(coded::u32_at(block.factor));
    for (std::size_t group = 0; group < 4; ++group) {
      to.set(group, 1, 0.5f * scale(block.scales[group], factor));  // the table has twice the values
    }
    for (std::size_t half = 0; half < 2; ++half) {
      coded::look_up(coded::mxfp4_values, block.codes + half * 16, to.codes + half * 32);
    }
  }
  // `codes`: 64 of four bits, two a byte, the first in the low half.
  static void pack(const std::uint8_t* codes, const std::uint8_t* scales, float factor, Block& block) {
    std::memcpy(block.factor, &factor, sizeof(factor));
    std::copy(scales, scales + 4, block.scales);
    const auto code = [codes](std::size_t i) { return coded::nibble(codes[i / 2], i % 2); };
    for (std::size_t i = 0; i < 32; ++i) {
      const std::size_t first = i / 16 * 32 + i % 16;
      block.codes[i] = static_cast<std::uint8_t>(code(first) | code(first + 16) << 4);
    }
  }
};

QWEN35_END_NAMESPACE
