// SPDX-License-Identifier: Apache-2.0
#include <qwen35/layers/activation.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

using namespace qwen35;

namespace {

double defined(Activation activation, double x) {
  if (activation == Activation::silu) {
    return x / (1.0 + std::exp(-x));
  }
  return activation == Activation::gelu
             ? 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0)))
             : 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
}

}  // namespace

TEST_CASE("activations, alone and times what they gate, are their definitions") {
  std::vector<float> x, up;
  for (int i = -300; i <= 300; ++i) {
    x.push_back(static_cast<float>(i) / 40.0f);
    up.push_back(1.0f + static_cast<float>(i % 7));
  }
  for (const Activation activation : {Activation::silu, Activation::gelu, Activation::gelu_pytorch_tanh}) {
    std::vector<float> plain(x.size()), gated = up, in_place = x;
    activate(activation, x.data(), x.size(), plain.data());
    activate(activation, in_place.data(), x.size(), in_place.data());
    activate_gate(activation, x.data(), gated.data(), x.size(), gated.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double expected = defined(activation, static_cast<double>(x[i]));
      const double bound = 2e-6 * std::fabs(expected) + 1e-7;
      CHECK(std::fabs(static_cast<double>(plain[i]) - expected) < bound);
      CHECK(std::fabs(static_cast<double>(gated[i]) - expected * static_cast<double>(up[i])) < 10.0 * bound);
    }
    CHECK(in_place == plain);
  }
}
