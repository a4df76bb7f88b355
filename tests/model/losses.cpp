// SPDX-License-Identifier: Apache-2.0
#include <qwen35/model/losses.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

#include <cmath>
#include <numeric>
#include <random>

using namespace qwen35;
using test_support::message_of;

namespace {

Tensor<float> random_tensor(Shape shape) {
  std::mt19937 generator(5);
  std::normal_distribution<float> normal(0.0f, 3.0f);
  Tensor<float> out(shape);
  for (float& value : out) {
    value = normal(generator);
  }
  return out;
}

std::vector<double> softmax(std::span<const float> row) {
  std::vector<double> p;
  for (const float value : row) {
    p.push_back(std::exp(static_cast<double>(value)));
  }
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& value : p) {
    value /= sum;
  }
  return p;
}

}  // namespace

TEST_CASE("cross entropy is the mean of -log p of the next token, over labels that are not -100") {
  const Tensor<float> logits = random_tensor({2, 4, 7});
  const Tensor<std::int32_t> labels({2, 4}, {3, 0, -100, 6, -100, 2, 1, 5});
  // Position t predicts label t + 1; the last has none.
  double sum = 0.0;
  for (const auto& [row, label] :
       std::vector<std::pair<std::size_t, std::size_t>>{{0, 0}, {2, 6}, {4, 2}, {5, 1}, {6, 5}}) {
    sum -= std::log(softmax(logits.row(row))[label]);
  }
  CHECK(static_cast<double>(causal_lm_loss(logits, labels, {}, {})) == doctest::Approx(sum / 5).epsilon(1e-6));
  CHECK(static_cast<double>(causal_lm_loss(logits, labels, {}, 40.0)) == doctest::Approx(sum / 40).epsilon(1e-6));

  // Shifted labels are taken as they are, whatever the labels say.
  const Tensor<std::int32_t> shifted({2, 4}, {0, -100, 6, -100, 2, 1, 5, -100});
  CHECK(causal_lm_loss(logits, labels, shifted, {}) == causal_lm_loss(logits, labels, {}, {}));
  CHECK(causal_lm_loss(logits, {}, shifted, {}) == causal_lm_loss(logits, labels, {}, {}));
}

TEST_CASE("cross entropy of logits that overflow exp, and of nothing") {
  const Tensor<float> large({1, 2, 3}, {1000.0f, 0.0f, 998.0f, 0.0f, 0.0f, 0.0f});
  const Tensor<std::int32_t> labels({1, 2}, {0, 2});
  CHECK(static_cast<double>(causal_lm_loss(large, labels, {}, {})) ==
        doctest::Approx(2.0 + std::log1p(std::exp(-2.0))).epsilon(1e-6));
  const Tensor<std::int32_t> ignored({1, 2}, {0, -100});
  CHECK(std::isnan(causal_lm_loss(large, ignored, {}, {})));
  CHECK(causal_lm_loss(large, ignored, {}, 3.0) == 0.0f);
}

TEST_CASE("labels that do not fit are refused") {
  const Tensor<float> logits({1, 2, 3});
  const auto message = [&](Shape shape, std::vector<std::int32_t> values) {
    const Tensor<std::int32_t> labels(shape, std::move(values));
    return message_of<InputError>([&] { causal_lm_loss(logits, labels, {}, {}); });
  };
  CHECK(message({1, 2}, {0, 3}) == "label 3, expected 0 to 2 or -100");
  CHECK(message({1, 2}, {0, -1}) == "label -1, expected 0 to 2 or -100");
  CHECK(message({1, 3}, {0, 1, 2}) == "labels of shape [1, 3], the logits are [1, 2, 3]");
  CHECK(message({2}, {0, 1}) == "labels of shape [2], the logits are [1, 2, 3]");
}

TEST_CASE("the load-balancing loss is E times the sum of share times mean probability") {
  constexpr std::size_t experts = 5, top_k = 2, tokens = 6;
  std::vector<Tensor<float>> layers{random_tensor({tokens, experts}), random_tensor({tokens, experts})};
  for (float& value : layers[1]) {
    value = 1.0f - value;
  }
  const Tensor<std::int32_t> mask({2, 3}, {0, 1, 1, 1, 1, 0});
  for (const bool masked : {false, true}) {
    std::vector<double> share(experts), mean(experts);
    double rows = 0.0;
    for (const Tensor<float>& layer : layers) {
      for (std::size_t t = 0; t < tokens; ++t) {
        if (masked && mask[t] == 0) {
          continue;
        }
        rows += 1.0;
        const std::vector<double> p = softmax(layer.row(t));
        for (std::size_t e = 0; e < experts; ++e) {
          mean[e] += p[e];
          std::size_t larger = 0;
          for (const double other : p) {
            larger += other > p[e] ? 1u : 0u;
          }
          share[e] += larger < top_k ? 1.0 : 0.0;
        }
      }
    }
    double expected = 0.0;
    for (std::size_t e = 0; e < experts; ++e) {
      expected += static_cast<double>(experts) * share[e] / rows * mean[e] / rows;
    }
    const AttentionMask given = masked ? AttentionMask(mask) : AttentionMask();
    CHECK(static_cast<double>(load_balancing_loss(layers, experts, top_k, given)) ==
          doctest::Approx(expected).epsilon(1e-6));
    if (masked) {  // the same tokens behind two that a cache holds
      const Tensor<std::int32_t> longer({2, 5}, {0, 1, 0, 1, 1, 1, 1, 1, 1, 0});
      CHECK(load_balancing_loss(layers, experts, top_k, AttentionMask(longer)) ==
            load_balancing_loss(layers, experts, top_k, given));
    }
  }
}

TEST_CASE("balanced routers cost K, all tokens to the same experts cost more, no layers nothing") {
  // Four tokens, four experts, each token prefers its own.
  Tensor<float> balanced({4, 4}), crowded({4, 4});
  for (std::size_t t = 0; t < 4; ++t) {
    balanced.row(t)[t] = 9.0f;
    crowded.row(t)[1] = 90.0f;
  }
  CHECK(load_balancing_loss({&balanced, 1}, 4, 1) == doctest::Approx(1.0));
  CHECK(load_balancing_loss({&crowded, 1}, 4, 1) == doctest::Approx(4.0));
  CHECK(load_balancing_loss({}, 4, 1) == 0.0f);
  const Tensor<std::int32_t> mask({1, 3}, {1, 1, 1});
  CHECK_THROWS_AS(load_balancing_loss({&balanced, 1}, 4, 1, AttentionMask(mask)), InputError);
}
