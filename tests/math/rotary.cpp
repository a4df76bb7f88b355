// SPDX-License-Identifier: Apache-2.0
#include "math_test.hpp"

#include <qwen35/math/rotary.hpp>

using namespace qwen35;
using namespace math_test;

TEST_CASE("rotate_half turns each pair by its angle and leaves the rest") {
  for (const std::size_t half : {0u, 1u, 2u, 3u, 4u, 5u, 11u, 16u, 32u, 33u}) {
    const std::size_t n = 2 * half + 3;
    const std::vector<float> x = random_values(n, 1), angle = random_values(half, 2, 6.0f);
    std::vector<float> cosine(half), sine(half);
    for (std::size_t j = 0; j < half; ++j) {
      cosine[j] = std::cos(angle[j]);
      sine[j] = std::sin(angle[j]);
    }
    std::vector<float> in_place = x, out(n, 4.0f);
    math::rotate_half(in_place.data(), cosine.data(), sine.data(), half, in_place.data());
    math::rotate_half(x.data(), cosine.data(), sine.data(), half, out.data());
    for (std::size_t j = 0; j < half; ++j) {
      const double low = static_cast<double>(x[j]), high = static_cast<double>(x[j + half]);
      const double c = static_cast<double>(cosine[j]), s = static_cast<double>(sine[j]);
      CHECK(std::abs(static_cast<double>(out[j]) - (low * c - high * s)) < 2e-7);
      CHECK(std::abs(static_cast<double>(out[j + half]) - (high * c + low * s)) < 2e-7);
    }
    CHECK(same_bits(in_place.data(), out.data(), 2 * half));
    for (std::size_t j = 2 * half; j < n; ++j) {
      CHECK(in_place[j] == x[j]);
      CHECK(out[j] == 4.0f);
    }
  }
}
