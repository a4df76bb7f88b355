// SPDX-License-Identifier: Apache-2.0
#include "math_test.hpp"

#include <qwen35/math/softmax.hpp>

using namespace qwen35;
using namespace math_test;

TEST_CASE("softmax and log_sum_exp agree with double precision") {
  for (const std::size_t n : {1u, 2u, 3u, 4u, 5u, 16u, 31u, 256u, 5003u}) {
    for (const float scale : {1.0f, 30.0f, 2000.0f}) {
      const std::vector<float> x = random_values(n, static_cast<unsigned>(n), scale);
      double largest = -INFINITY, sum = 0;
      for (const float v : x) {
        largest = std::max(largest, static_cast<double>(v));
      }
      for (const float v : x) {
        sum += std::exp(static_cast<double>(v) - largest);
      }
      std::vector<float> out(n + 1, 7.0f);
      math::softmax(x.data(), n, out.data());
      CHECK(out[n] == 7.0f);
      out.pop_back();
      CHECK(worst_error(x, out, 1e-6, [&](double v) { return std::exp(v - largest) / sum; }) < 2e-6);
      CHECK(static_cast<double>(math::log_sum_exp(x.data(), n)) ==
            doctest::Approx(largest + std::log(sum)).epsilon(1e-6));
      CHECK(static_cast<double>(math::max_value(x.data(), n)) == largest);
    }
  }
}

TEST_CASE("softmax: forbidden entries weigh nothing, the row may be its own output, its address does not matter") {
  std::vector<float> x = random_values(37, 1, 3.0f);
  x[0] = x[5] = x[36] = -INFINITY;
  std::vector<float> expected(37);
  math::softmax(x.data(), 37, expected.data());
  CHECK(expected[0] == 0.0f);
  CHECK(expected[5] == 0.0f);
  CHECK(expected[36] == 0.0f);
  for (std::size_t shift = 0; shift < 5; ++shift) {
    std::vector<float> moved(37 + shift, 0.0f);
    std::copy(x.begin(), x.end(), moved.begin() + static_cast<std::ptrdiff_t>(shift));
    math::softmax(moved.data() + shift, 37, moved.data() + shift);
    CHECK(same_bits(moved.data() + shift, expected.data(), 37));
  }
  const std::vector<float> none(6, -INFINITY);
  math::softmax(none.data(), 6, expected.data());
  CHECK(std::isnan(expected[3]));
}

TEST_CASE("empty rows") {
  float out = 3.0f;
  math::softmax(nullptr, 0, &out);
  CHECK(out == 3.0f);
  CHECK(math::max_value(nullptr, 0) == -INFINITY);
}
