// SPDX-License-Identifier: Apache-2.0
#include <qwen35/layers/moe_block.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

using namespace qwen35;

namespace {

constexpr std::size_t hidden = 9;

struct Random {
  std::mt19937 generator{11};
  std::vector<std::vector<float>> store;
  std::vector<MlpWeights> experts;

  Matrix matrix(std::size_t rows, std::size_t cols) {
    std::normal_distribution<float> normal(0.0f, 0.5f);
    store.emplace_back(rows * cols);
    for (float& value : store.back()) {
      value = normal(generator);
    }
    return {reinterpret_cast<const std::byte*>(store.back().data()), DType::f32, rows, cols};
  }
  MlpWeights mlp(std::size_t width) { return {matrix(width, hidden), matrix(width, hidden), matrix(hidden, width)}; }
};

double value(const Matrix& w, std::size_t n, std::size_t k) {
  return static_cast<double>(reinterpret_cast<const float*>(w.data)[n * w.cols + k]);
}

std::vector<double> times(const Matrix& w, const std::vector<double>& x) {
  std::vector<double> y(w.rows);
  for (std::size_t n = 0; n < w.rows; ++n) {
    for (std::size_t k = 0; k < w.cols; ++k) {
      y[n] += value(w, n, k) * x[k];
    }
  }
  return y;
}

std::vector<double> mlp(const MlpWeights& w, const std::vector<double>& x) {
  std::vector<double> g = times(w.gate_proj, x);
  const std::vector<double> u = times(w.up_proj, x);
  for (std::size_t i = 0; i < g.size(); ++i) {
    g[i] = g[i] / (1.0 + std::exp(-g[i])) * u[i];
  }
  return times(w.down_proj, g);
}

template <std::size_t E, std::size_t K>
void check_block() {
  using Block = MoeBlock<E, K, 5, 7>;
  Random random;
  for (std::size_t e = 0; e < E; ++e) {
    random.experts.push_back(random.mlp(5));
  }
  const MoeWeights weights{random.matrix(E, hidden), random.experts, random.mlp(7), random.matrix(1, hidden)};
  constexpr std::size_t tokens = 81;
  std::normal_distribution<float> normal;
  std::vector<float> x(tokens * hidden);
  for (float& v : x) {
    v = normal(random.generator);
  }
  std::vector<float> y(x.size());
  std::vector<float> logits(tokens * E);
  Arena arena(Block::workspace_bytes(tokens, hidden));
  Pass pass;
  pass.tokens = tokens;
  pass.router_logits = logits.data();
  Block::forward(weights, x.data(), y.data(), pass, arena);
  for (std::size_t t = 0; t < tokens; ++t) {
    const std::vector<double> row(x.begin() + static_cast<std::ptrdiff_t>(t * hidden),
                                  x.begin() + static_cast<std::ptrdiff_t>((t + 1) * hidden));
    const std::vector<double> l = times(weights.gate, row);
    std::vector<std::size_t> order(E);
    for (std::size_t e = 0; e < E; ++e) {
      order[e] = e;
      CHECK(static_cast<double>(logits[t * E + e]) == doctest::Approx(l[e]).epsilon(1e-4));
    }
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return l[a] > l[b]; });
    double sum = 0.0;
    for (std::size_t slot = 0; slot < K; ++slot) {
      sum += std::exp(l[order[slot]]);
    }
    const double gate = 1.0 / (1.0 + std::exp(-times(weights.shared_expert_gate, row)[0]));
    std::vector<double> expected = mlp(weights.shared_expert, row);
    for (double& v : expected) {
      v *= gate;
    }
    for (std::size_t slot = 0; slot < K; ++slot) {
      const std::vector<double> part = mlp(random.experts[order[slot]], row);
      for (std::size_t i = 0; i < hidden; ++i) {
        expected[i] += std::exp(l[order[slot]]) / sum * part[i];
      }
    }
    for (std::size_t i = 0; i < hidden; ++i) {
      CHECK(std::fabs(static_cast<double>(y[t * hidden + i]) - expected[i]) <= 1e-5 * (1.0 + std::fabs(expected[i])));
    }
    // Alone, a token has the same bits.
    std::vector<float> alone(hidden);
    Pass one;
    one.tokens = 1;
    Block::forward(weights, x.data() + t * hidden, alone.data(), one, arena);
    CHECK(std::equal(alone.begin(), alone.end(), y.begin() + static_cast<std::ptrdiff_t>(t * hidden)));
  }
}

}  // namespace

TEST_CASE("the block is its definition in doubles") {
  check_block<6, 2>();
  check_block<5, 5>();
  check_block<33, 1>();
}
