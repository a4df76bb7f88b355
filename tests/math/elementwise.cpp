// SPDX-License-Identifier: Apache-2.0
#include "math_test.hpp"

#include <qwen35/math/elementwise.hpp>

using namespace qwen35;
using namespace math_test;

TEST_CASE("sums and products are those of scalars, bit for bit") {
  for (std::size_t n = 0; n < 40; ++n) {
    const std::vector<float> x = random_values(n, 1), y = random_values(n, 2);
    std::vector<float> out(n + 1, 8.0f), accumulated = y;
    accumulated.push_back(8.0f);
    bool equal = true;
    math::add(x.data(), y.data(), n, out.data());
    for (std::size_t i = 0; i < n; ++i) {
      equal = equal && out[i] == x[i] + y[i];
    }
    math::multiply(x.data(), y.data(), n, out.data());
    for (std::size_t i = 0; i < n; ++i) {
      equal = equal && out[i] == x[i] * y[i];
    }
    math::scale(1.5f, x.data(), n, out.data());
    for (std::size_t i = 0; i < n; ++i) {
      equal = equal && out[i] == 1.5f * x[i];
    }
    math::scale_add(-0.75f, x.data(), n, accumulated.data());
    for (std::size_t i = 0; i < n; ++i) {
      equal = equal && std::abs(accumulated[i] - (y[i] - 0.75f * x[i])) <= 1.2e-7f;
    }
    CHECK(equal);
    CHECK(out[n] == 8.0f);
    CHECK(accumulated[n] == 8.0f);
  }
}

TEST_CASE("a value does not depend on its place") {
  check_elementwise([](const float* x, std::size_t n, float* out) { math::add(x, x, n, out); });
  check_elementwise([](const float* x, std::size_t n, float* out) { math::multiply(x, x, n, out); });
  check_elementwise([](const float* x, std::size_t n, float* out) { math::scale(0.3f, x, n, out); });
}
