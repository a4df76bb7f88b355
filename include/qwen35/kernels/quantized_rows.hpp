// SPDX-License-Identifier: Apache-2.0
// Rows of activations in 8 bits, as products with rows of blocks read them, and the summation order of those products.
#pragma once

#include <qwen35/core/format.hpp>

#include <cstddef>
#include <cstdint>

QWEN35_BEGIN_NAMESPACE

namespace kernels {

// Values of one block: as many as the largest block of a stored format. Each 32 of them, the 8-bit groups, share a
// scale.
inline constexpr std::size_t quantized_values = 256;
inline constexpr std::size_t quantized_group = 32;

// Value i is codes[i] * scales[i / 32]. The scale is the largest size / 127 and a code value * (127 / the largest
// size), rounded to nearest even, so that codes keep to +-127. A group whose values are all below smallest_quantized is
// zero; one with an infinity or a NaN has a NaN for its scale and zeros for codes. What there is of values beyond the
// end of a row is zero. The form depends on the values alone.
//
// The sums are what zero points and offsets of stored blocks need: of 32 codes, and of 16 for formats whose groups are
// that short.
//
// AVX2's kernels add products in 16 bits. There each of negated16 is -32 times the sum of the first two of each four of
// its codes, and of the last two, in a half each; of each eight groups those with even numbers come first.
struct alignas(32) QuantizedBlock {
  std::int8_t codes[256];
  float scales[8];
  float sums[8];            // scale * sum of the codes
  std::int32_t negated[8];  // -128 * sum of the codes
  float scales16[16];
  float sums16[16];
  std::int32_t negated16[16];
};

inline constexpr float smallest_quantized = 0x1p-100f;

// Blocks of a row.
constexpr std::size_t quantized_blocks(std::size_t width) {
  return (width + quantized_values - 1) / quantized_values;
}

// Formats whose products run on integers: those of blocks that hold their scales. (i4_16 and i8_16 do not, their blocks
// are shorter than a group.)
constexpr bool has_integer_products(Format format) {
  return format_info(format).block_values >= quantized_group;
}

// Consecutive values whose codes are multiplied and summed as integers: they share a scale and an offset. 16 is right
// for every format, 32 for those that say so.
constexpr std::size_t integer_group(Format format) {
  switch (format) {
    case Format::q8_0:
    case Format::q4_0:
    case Format::q4_1:
    case Format::q5_0:
    case Format::q5_1:
    case Format::q4_k:
    case Format::q5_k:
    case Format::iq4_nl:
    case Format::iq4_xs:
    case Format::iq3_xxs:
    case Format::iq3_s:
    case Format::iq2_xxs:
    case Format::iq1_s:
    case Format::mxfp4:
    case Format::i4_32:
    case Format::i4_64:
    case Format::i4_128:
    case Format::i8_32:
    case Format::i8_128:
    case Format::i4_32_f32:
    case Format::i8_32_f32:
    case Format::a4_32:
    case Format::a4_64:
    case Format::a8_32:
    case Format::a8_64:
      return 32;
    default:
      return 16;
  }
}

// Rows are summed a span of eight blocks at a time.
inline constexpr std::size_t span_blocks = 8;

}  // namespace kernels

QWEN35_END_NAMESPACE
