// SPDX-License-Identifier: Apache-2.0
#include "math_test.hpp"

#include <qwen35/math/activations.hpp>

using namespace qwen35;
using namespace math_test;

namespace {
double silu(double x) {
  return x / (1.0 + std::exp(-x));
}
double gelu_tanh(double x) {
  const double u = std::sqrt(2.0 / 3.14159265358979323846) * (x + 0.044715 * x * x * x);
  return x / (1.0 + std::exp(-2.0 * u));
}
double gelu_erf(double x) {
  return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
}
}  // namespace

TEST_CASE("sigmoid and softplus of single values") {
  for (const float x : sweep(-80.0f, 80.0f, 1001)) {
    const double wide = static_cast<double>(x);
    CHECK(static_cast<double>(math::sigmoid(x)) == doctest::Approx(1.0 / (1.0 + std::exp(-wide))).epsilon(1e-6));
    CHECK(static_cast<double>(math::softplus(x)) ==
          doctest::Approx(x > 20.0f ? wide : std::log1p(std::exp(wide))).epsilon(1e-6));
  }
  CHECK(math::softplus(20.5f) == 20.5f);
  CHECK(math::softplus(-INFINITY) == 0.0f);
  CHECK(math::sigmoid(-INFINITY) == 0.0f);
  CHECK(math::sigmoid(INFINITY) == 1.0f);
}

TEST_CASE("activations agree with double precision") {
  std::vector<float> out(100001);
  const std::vector<float> wide = sweep(-60.0f, 80.0f, out.size());
  const std::vector<float> narrow = sweep(-8.0f, 8.0f, out.size());
  math::exp(wide.data(), wide.size(), out.data());
  CHECK(worst_error(wide, out, 0.0, [](double x) { return std::exp(x); }) < 2e-7);
  math::silu(wide.data(), wide.size(), out.data());
  CHECK(worst_error(wide, out, 1e-30, silu) < 3e-7);
  math::gelu_tanh(narrow.data(), narrow.size(), out.data());
  CHECK(worst_error(narrow, out, 1e-2, gelu_tanh) < 1e-6);
  CHECK(worst_error(narrow, out, 1e-30, gelu_tanh) < 1e-5);
  math::gelu_erf(narrow.data(), narrow.size(), out.data());
  CHECK(worst_error(narrow, out, 1e-1, gelu_erf) < 3e-6);
}

TEST_CASE("activations far out") {
  const float x[] = {-200.0f, 200.0f, -1e30f, 1e30f, 0.0f, NAN};
  float out[6];
  for (const auto f : {math::silu, math::gelu_tanh, math::gelu_erf}) {
    f(x, 6, out);
    CHECK(std::abs(out[0]) < 1e-30f);
    CHECK(out[1] == 200.0f);
    CHECK(std::abs(out[2]) < 1e-30f);
    CHECK(out[3] == 1e30f);
    CHECK(out[4] == 0.0f);
    CHECK(std::isnan(out[5]));
  }
}

TEST_CASE("products with a second array") {
  const std::vector<float> gate = random_values(1003, 1, 5.0f);
  const std::vector<float> up = random_values(1003, 2, 5.0f);
  std::vector<float> out(1003), plain(1003);
  const auto check = [&](auto plain_function, auto product) {
    plain_function(gate.data(), gate.size(), plain.data());
    product(gate.data(), up.data(), gate.size(), out.data());
    bool equal = true;
    for (std::size_t i = 0; i < gate.size(); ++i) {
      equal = equal && out[i] == plain[i] * up[i];
    }
    CHECK(equal);
  };
  check(math::gelu_tanh, math::gelu_tanh_multiply);
  check(math::gelu_erf, math::gelu_erf_multiply);
  math::sigmoid_multiply(up.data(), gate.data(), gate.size(), out.data());
  for (std::size_t i = 0; i < gate.size(); ++i) {
    CHECK(out[i] ==
          doctest::Approx(static_cast<double>(up[i]) / (1.0 + std::exp(-static_cast<double>(gate[i])))).epsilon(1e-6));
  }
}

TEST_CASE("a value does not depend on its place") {
  check_elementwise([](const float* x, std::size_t n, float* out) { math::exp(x, n, out); });
  check_elementwise([](const float* x, std::size_t n, float* out) { math::silu(x, n, out); });
  check_elementwise([](const float* x, std::size_t n, float* out) { math::gelu_tanh(x, n, out); });
  check_elementwise([](const float* x, std::size_t n, float* out) { math::gelu_erf(x, n, out); });
  check_elementwise([](const float* x, std::size_t n, float* out) { math::sigmoid_multiply(x, x, n, out); });
  check_elementwise([](const float* x, std::size_t n, float* out) { math::gelu_tanh_multiply(x, x, n, out); });
  check_elementwise([](const float* x, std::size_t n, float* out) { math::gelu_erf_multiply(x, x, n, out); });
}
