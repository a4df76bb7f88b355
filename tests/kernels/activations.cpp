// SPDX-License-Identifier: Apache-2.0
#include "kernel_test.hpp"

using namespace qwen35;
using namespace kernel_test;

namespace {

double gelu_tanh(double x) {
  const double u = std::sqrt(2.0 / 3.14159265358979323846) * (x + 0.044715 * x * x * x);
  return x / (1.0 + std::exp(-2.0 * u));
}

}  // namespace

TEST_CASE("gelu_tanh and silu_multiply agree with double precision") {
  for_each_isa([] {
    const std::size_t n = 40001;
    std::vector<float> x(n), up = random_values(n, 1), out(n);
    for (std::size_t i = 0; i < n; ++i) {
      x[i] = -10.0f + 20.0f * static_cast<float>(i) / static_cast<float>(n - 1);
    }
    kernels::gelu_tanh({.x = x.data(), .n = n, .out = out.data()});
    double worst = 0, worst_silu = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double truth = gelu_tanh(static_cast<double>(x[i]));
      const double off = std::abs(static_cast<double>(out[i]) - truth) / std::max(std::abs(truth), 1e-2);
      worst = off <= worst ? worst : off;
    }
    CHECK(worst < 1e-6);
    kernels::silu_multiply({x.data(), up.data(), n, out.data()});
    for (std::size_t i = 0; i < n; ++i) {
      const double truth =
          static_cast<double>(x[i]) / (1.0 + std::exp(-static_cast<double>(x[i]))) * static_cast<double>(up[i]);
      const double off = std::abs(static_cast<double>(out[i]) - truth) / (std::abs(truth) + 1e-30);
      worst_silu = off <= worst_silu ? worst_silu : off;
    }
    CHECK(worst_silu < 6e-7);
  });
}

TEST_CASE("activations far out") {
  for_each_isa([] {
    const float x[] = {-200.0f, 200.0f, -1e15f, 1e15f, 0.0f, NAN};
    const float one[] = {1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f};
    float gelu[6], silu[6];
    kernels::gelu_tanh({.x = x, .n = 6, .out = gelu});
    kernels::silu_multiply({x, one, 6, silu});
    for (const float* out : {gelu, silu}) {
      CHECK(std::abs(out[0]) < 1e-30f);
      CHECK(out[1] == 200.0f);
      CHECK(std::abs(out[2]) < 1e-20f);
      CHECK(out[3] == 1e15f);
      CHECK(out[4] == 0.0f);
      CHECK(std::isnan(out[5]));
    }
  });
}

TEST_CASE("a value's bits do not depend on its place; in place works; nothing beyond the end is touched") {
  for_each_isa([] {
    const std::vector<float> x = random_values(70, 2, 5.0f), up = random_values(70, 3);
    std::vector<float> gelu(70), silu(70);
    kernels::gelu_tanh({.x = x.data(), .n = 70, .out = gelu.data()});
    kernels::silu_multiply({x.data(), up.data(), 70, silu.data()});
    bool equal = true;
    for (std::size_t n = 0; n < 36; ++n) {
      for (std::size_t first = 0; first + n <= 70; first += 3) {
        std::vector<float> part(x.begin() + static_cast<std::ptrdiff_t>(first),
                                x.begin() + static_cast<std::ptrdiff_t>(first + n));
        part.push_back(7.0f);
        std::vector<float> other = part;
        kernels::gelu_tanh({.x = part.data(), .n = n, .out = part.data()});
        kernels::silu_multiply({other.data(), up.data() + first, n, other.data()});
        equal = equal && std::memcmp(part.data(), gelu.data() + first, n * sizeof(float)) == 0 && part[n] == 7.0f;
        equal = equal && std::memcmp(other.data(), silu.data() + first, n * sizeof(float)) == 0 && other[n] == 7.0f;
      }
    }
    CHECK(equal);
  });
}
