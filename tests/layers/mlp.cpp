// SPDX-License-Identifier: Apache-2.0
#include <qwen35/layers/mlp.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>
#include <vector>

using namespace qwen35;

namespace {

constexpr std::size_t hidden_size = 13;

std::vector<float> random_values(std::size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0.0f, 0.6f);
  std::vector<float> out(count);
  for (float& value : out) {
    value = normal(generator);
  }
  return out;
}

// sum_k w[n, k] * x[k] of a matrix with rows as long as x.
double dot_row(const std::vector<float>& w, std::size_t n, const std::vector<double>& x) {
  double sum = 0.0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    sum += static_cast<double>(w[n * x.size() + k]) * x[k];
  }
  return sum;
}

double activation(Activation kind, double x) {
  switch (kind) {
    case Activation::silu:
      return x / (1.0 + std::exp(-x));
    case Activation::gelu_pytorch_tanh:
      return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
    default:
      return 0.5 * x * (1.0 + std::erf(x / std::numbers::sqrt2));
  }
}

// y = down(act(gate x) * (up x)), token by token; and alone each token has the same bits.
template <std::size_t Intermediate, Activation Act>
void check(std::size_t tokens) {
  using Layer = Mlp<Intermediate, Act>;
  const std::vector<float> gate = random_values(Intermediate * hidden_size, 1), up = random_values(gate.size(), 2),
                           down = random_values(gate.size(), 3), x = random_values(tokens * hidden_size, 4);
  const auto matrix = [](const std::vector<float>& values, std::size_t rows) {
    return Matrix(reinterpret_cast<const std::byte*>(values.data()), Format::f32, rows, values.size() / rows);
  };
  const MlpWeights weights{matrix(gate, Intermediate), matrix(up, Intermediate), matrix(down, hidden_size)};
  Arena arena(Layer::workspace_bytes(tokens, hidden_size));
  Pass pass;
  pass.tokens = tokens;
  std::vector<float> y(x.size());
  Layer::forward(weights, x.data(), y.data(), pass, arena);
  for (std::size_t t = 0; t < tokens; ++t) {
    const std::vector<double> row(x.begin() + static_cast<std::ptrdiff_t>(t * hidden_size),
                                  x.begin() + static_cast<std::ptrdiff_t>((t + 1) * hidden_size));
    std::vector<double> inner(Intermediate);
    for (std::size_t n = 0; n < Intermediate; ++n) {
      inner[n] = activation(Act, dot_row(gate, n, row)) * dot_row(up, n, row);
    }
    for (std::size_t n = 0; n < hidden_size; ++n) {
      const double expected = dot_row(down, n, inner);
      CHECK(std::fabs(static_cast<double>(y[t * hidden_size + n]) - expected) <= 1e-5 * (1.0 + std::fabs(expected)));
    }
    std::vector<float> alone(hidden_size);
    pass.tokens = 1;
    Layer::forward(weights, x.data() + t * hidden_size, alone.data(), pass, arena);
    CHECK(std::equal(alone.begin(), alone.end(), y.begin() + static_cast<std::ptrdiff_t>(t * hidden_size)));
  }
}

}  // namespace

TEST_CASE("the feed-forward is its definition in doubles, with each activation") {
  check<29, Activation::silu>(3);
  check<16, Activation::gelu_pytorch_tanh>(2);
  check<7, Activation::gelu>(2);
}

TEST_CASE("many tokens, whose product is packed, and rows enough for all threads") {
  check<200, Activation::silu>(70);
}
