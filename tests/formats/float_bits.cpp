// SPDX-License-Identifier: Apache-2.0
#include <qwen35/formats/bf16.hpp>
#include <qwen35/formats/f16.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

using namespace qwen35;

namespace {

// The value of a 16-bit float by its definition: 1 sign bit, `exponent` bits, the rest mantissa.
double value_of(std::uint16_t bits, int exponent) {
  const int mantissa = 15 - exponent;
  const int bias = (1 << (exponent - 1)) - 1;
  const int e = bits >> mantissa & ((1 << exponent) - 1);
  const int m = bits & ((1 << mantissa) - 1);
  const double sign = (bits & 0x8000u) != 0 ? -1.0 : 1.0;
  if (e == (1 << exponent) - 1) {
    return m == 0 ? sign * std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  }
  return sign * (e == 0 ? std::ldexp(m, 1 - bias - mantissa) : std::ldexp(m + (1 << mantissa), e - bias - mantissa));
}

// Every value is decoded by the definition and encoded back to its own bits; what lies between two neighbours goes to
// the nearer one, the middle to the even one.
template <class Decode, class Encode>
void check_format(int exponent, const Decode& decode, const Encode& encode) {
  int wrong = 0;
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto low = static_cast<std::uint16_t>(bits);
    const double value = value_of(low, exponent);
    const float decoded = decode(low);
    if (std::isnan(value)) {
      wrong += std::isnan(decoded) && std::isnan(decode(encode(decoded))) ? 0 : 1;
      continue;
    }
    wrong += static_cast<double>(decoded) == value && std::signbit(decoded) == std::signbit(value) ? 0 : 1;
    wrong += encode(decoded) == low ? 0 : 1;
    const auto high = static_cast<std::uint16_t>(bits + 1);  // the next one away from zero
    if (std::isinf(value) || std::isinf(value_of(high, exponent))) {
      continue;
    }
    const double step = value_of(high, exponent) - value;
    const auto middle = static_cast<float>(value + step / 2);
    wrong += encode(middle) == ((bits & 1u) == 0 ? low : high) ? 0 : 1;
    wrong += encode(std::nextafter(middle, decoded)) == low ? 0 : 1;
    wrong += encode(std::nextafter(middle, decode(high))) == high ? 0 : 1;
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("all 65536 values of f16 and of bf16, and the middles between them") {
  check_format(5, f16_to_f32, f32_to_f16);
  check_format(8, bf16_to_f32, f32_to_bf16);
}

TEST_CASE("what is too large becomes infinity, what is too small zero, with its sign") {
  CHECK(f32_to_f16(65519.996f) == 0x7bff);
  CHECK(f32_to_f16(65520.0f) == 0x7c00);
  CHECK(f32_to_f16(-1e10f) == 0xfc00);
  CHECK(f32_to_f16(0x1p-25f) == 0);
  CHECK(f32_to_f16(-0x1.000002p-25f) == 0x8001);
  CHECK(f32_to_bf16(std::numeric_limits<float>::max()) == 0x7f80);
  CHECK(f32_to_bf16(-std::numeric_limits<float>::infinity()) == 0xff80);
  // The payload of this NaN would be rounded away.
  CHECK(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0x7f800001u)))));
  CHECK(std::isnan(f16_to_f32(f32_to_f16(std::bit_cast<float>(0xff800001u)))));
}
