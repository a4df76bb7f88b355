// SPDX-License-Identifier: Apache-2.0
// bf16: the upper half of an f32.
#pragma once

#include <qwen35/core/format.hpp>

#include <bit>

QWEN35_BEGIN_NAMESPACE

constexpr float bf16_to_f32(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

// Round to nearest even; NaN stays NaN.
constexpr std::uint16_t f32_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) {
    return static_cast<std::uint16_t>((bits >> 16) | 0x40u);
  }
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

template <>
struct StoredAs<Format::bf16> {
  using Block = std::uint16_t;
  static constexpr void decode(const Block& block, float* values) { *values = bf16_to_f32(block); }
  static constexpr void encode(const float* values, Block& block) { block = f32_to_bf16(*values); }
};

QWEN35_END_NAMESPACE
