// SPDX-License-Identifier: Apache-2.0
// f8_e4m3: a sign, four bits of exponent, three of mantissa. No infinities: the largest code is NaN, 448 the largest
// value. Source: arXiv 2209.05433 (E4M3); torch.float8_e4m3fn.
#pragma once

#include <qwen35/core/format.hpp>

#include <bit>

QWEN35_BEGIN_NAMESPACE

constexpr float f8_e4m3_to_f32(std::uint8_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x80u) << 24;
  const std::uint32_t magnitude = bits & 0x7fu;
  if (magnitude == 0x7fu) {
    return std::bit_cast<float>(sign | 0x7fc00000u);
  }
  if (magnitude < 8) {  // zero or subnormal: magnitude * 2^-9 is exact in f32
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(static_cast<float>(magnitude) * 0x1p-9f) | sign);
  }
  return std::bit_cast<float>(sign | ((magnitude << 20) + (120u << 23)));
}

// Round to nearest even; what is beyond the largest value, infinity too, becomes the largest value; NaN stays NaN.
constexpr std::uint8_t f32_to_f8_e4m3(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 24) & 0x80u;
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    return static_cast<std::uint8_t>(sign | 0x7fu);
  }
  if (magnitude >= 0x43e00000u) {  // 448
    return static_cast<std::uint8_t>(sign | 0x7eu);
  }
  if (magnitude < 0x3c800000u) {  // below 2^-6: adding 2^14 leaves the rounded multiple of 2^-9 in the low bits
    const float shifted = std::bit_cast<float>(magnitude) + 0x1p14f;
    return static_cast<std::uint8_t>(sign | (std::bit_cast<std::uint32_t>(shifted) & 0xffu));
  }
  const std::uint32_t rounded = magnitude + 0x7ffffu + ((magnitude >> 20) & 1u);
  return static_cast<std::uint8_t>(sign | ((rounded - (120u << 23)) >> 20));
}

template <>
struct StoredAs<Format::f8_e4m3> {
  using Block = std::uint8_t;
  static constexpr void decode(const Block& block, float* values) { *values = f8_e4m3_to_f32(block); }
  static constexpr void encode(const float* values, Block& block) { block = f32_to_f8_e4m3(*values); }
};

QWEN35_END_NAMESPACE
