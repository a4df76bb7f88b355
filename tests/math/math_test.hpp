// SPDX-License-Identifier: Apache-2.0
// Shared by the maths tests.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

namespace math_test {

inline std::vector<float> random_values(std::size_t count, unsigned seed, float scale = 1.0f) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> distribution(-scale, scale);
  std::vector<float> values(count);
  for (float& value : values) {
    value = distribution(engine);
  }
  return values;
}

// Evenly spaced values from `low` to `high`.
inline std::vector<float> sweep(float low, float high, std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = low + (high - low) * static_cast<float>(i) / static_cast<float>(count - 1);
  }
  return values;
}

// The largest |value - expected(x)| / max(|expected(x)|, floor). A NaN stays.
template <class F>
double worst_error(const std::vector<float>& x, const std::vector<float>& values, double floor, const F& expected) {
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double truth = expected(static_cast<double>(x[i]));
    const double off = std::abs(static_cast<double>(values[i]) - truth) / std::max(std::abs(truth), floor);
    worst = off <= worst ? worst : off;
  }
  return worst;
}

inline bool same_bits(const float* a, const float* b, std::size_t n) {
  return std::memcmp(a, b, n * sizeof(float)) == 0;
}

// f(in, n, out) of each single value alone, of short rows at every alignment, in place, and of the whole row gives the
// same bits; nothing is written beyond the end.
template <class F>
void check_elementwise(const F& f) {
  const std::vector<float> x = random_values(61, 77, 4.0f);
  std::vector<float> whole(62, 9.0f);
  f(x.data(), std::size_t{61}, whole.data());
  CHECK(whole[61] == 9.0f);
  bool equal = true;
  for (std::size_t n = 0; n <= 20; ++n) {
    for (std::size_t first = 0; first + n <= 61; ++first) {
      std::vector<float> part(n + 1, 9.0f);
      f(x.data() + first, n, part.data());
      equal = equal && part[n] == 9.0f && same_bits(part.data(), whole.data() + first, n);
    }
  }
  CHECK(equal);
  std::vector<float> in_place = x;
  f(in_place.data(), std::size_t{61}, in_place.data());
  CHECK(same_bits(in_place.data(), whole.data(), 61));
}

}  // namespace math_test
