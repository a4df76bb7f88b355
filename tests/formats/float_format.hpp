// SPDX-License-Identifier: Apache-2.0
// Shared by the tests of the small float formats: their values and their rounding by definition.
#pragma once

#include <qwen35/formats/formats.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace float_format {

struct Shape {
  int exponent_bits, mantissa_bits, bias;
  bool infinities;  // the largest exponent is infinity and NaN; else only its last code is NaN
};

// The value of a code without its sign.
inline double value_of(const Shape& shape, unsigned code) {
  const int exponent = static_cast<int>(code >> shape.mantissa_bits);
  const unsigned fraction = code & ((1u << shape.mantissa_bits) - 1u);
  if (shape.infinities && exponent == (1 << shape.exponent_bits) - 1) {
    return fraction == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  }
  if (!shape.infinities && code == (1u << (shape.exponent_bits + shape.mantissa_bits)) - 1u) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  const double whole = exponent == 0 ? 0.0 : std::ldexp(1.0, shape.mantissa_bits);
  return std::ldexp(whole + static_cast<double>(fraction), std::max(exponent, 1) - shape.bias - shape.mantissa_bits);
}

// All codes decode to their values; floats of every size, and the middles between neighbours, are encoded as the
// nearest value, of two as the one with the even code. Returns the largest finite code.
template <qwen35::Format F>
unsigned check(const Shape& shape) {
  using Stored = qwen35::StoredAs<F>;
  using Block = typename Stored::Block;
  const unsigned codes = 1u << (shape.exponent_bits + shape.mantissa_bits);
  std::vector<double> values;  // of the finite codes: in order
  std::size_t wrong = 0;
  for (unsigned code = 0; code < 2 * codes; ++code) {
    const double expected = value_of(shape, code % codes);
    float found = 0.0f;
    Stored::decode(static_cast<Block>(code), &found);
    const bool right = std::isnan(expected) ? std::isnan(found)
                                            : std::fabs(static_cast<double>(found)) == expected &&
                                                  std::signbit(found) == (code >= codes);
    wrong += right ? 0u : 1u;
    if (code < codes && std::isfinite(expected)) {
      values.push_back(expected);
    }
  }
  CHECK(wrong == 0);

  const auto nearest = [&](double size) {
    const auto above = static_cast<std::size_t>(std::lower_bound(values.begin(), values.end(), size) - values.begin());
    if (above == 0) {
      return 0u;
    }
    const double down = size - values[above - 1], up = values[above] - size;
    return static_cast<unsigned>(up < down || (up == down && above % 2 == 0) ? above : above - 1);
  };
  std::mt19937 engine(3);
  std::vector<float> floats;
  for (std::size_t i = 0; i + 1 < values.size(); ++i) {
    const auto middle = static_cast<float>((values[i] + values[i + 1]) / 2);
    floats.insert(floats.end(), {static_cast<float>(values[i]), middle, std::nextafter(middle, 0.0f),
                                 std::nextafter(middle, 1.0e38f)});
  }
  for (int i = 0; i < 200000; ++i) {
    floats.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(engine()) & 0x7fffffffu));
  }
  wrong = 0;
  for (const float value : floats) {
    if (!(static_cast<double>(value) <= values.back())) {  // overflow and NaN: each format's own
      continue;
    }
    for (const float own : {value, -value}) {
      Block block{};
      Stored::encode(&own, block);
      const unsigned expected = nearest(static_cast<double>(value)) + (std::signbit(own) ? codes : 0u);
      wrong += static_cast<unsigned>(block) == expected ? 0u : 1u;
    }
  }
  CHECK(wrong == 0);
  return static_cast<unsigned>(values.size()) - 1u;
}

template <qwen35::Format F>
unsigned encoded(float value) {
  typename qwen35::StoredAs<F>::Block block{};
  qwen35::StoredAs<F>::encode(&value, block);
  return static_cast<unsigned>(block);
}

inline constexpr float infinity = std::numeric_limits<float>::infinity();
inline constexpr float nan = std::numeric_limits<float>::quiet_NaN();

}  // namespace float_format
