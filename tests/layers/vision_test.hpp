// SPDX-License-Identifier: Apache-2.0
// Shared by the tests of the vision layers: random weights, and the plain formulas in double precision.
#pragma once

#include <qwen35/layers/vision_block.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <deque>
#include <random>
#include <vector>

namespace vision_test {

struct Random {
  std::mt19937 generator{7};
  std::deque<std::vector<float>> store;

  std::vector<float> values(std::size_t count, float mean, float deviation) {
    std::normal_distribution<float> normal(mean, deviation);
    std::vector<float> out(count);
    for (float& value : out) {
      value = normal(generator);
    }
    return out;
  }
  const float* vector(std::size_t count, float mean) { return store.emplace_back(values(count, mean, 0.1f)).data(); }
  qwen35::LayerNormWeights norm(std::size_t size) { return {vector(size, 1.0f), vector(size, 0.0f)}; }
  qwen35::LinearWeights linear(std::size_t rows, std::size_t cols) {
    store.push_back(values(rows * cols, 0.0f, 0.3f));
    const std::vector<float>& weight = store.back();
    return {{reinterpret_cast<const std::byte*>(weight.data()), qwen35::DType::f32, rows, cols}, vector(rows, 0.0f)};
  }
};

using Row = std::vector<double>;

inline Row row(const float* x, std::size_t size) {
  return {x, x + size};
}

inline Row layer_norm(const qwen35::LayerNormWeights& w, const Row& x) {
  const auto size = static_cast<double>(x.size());
  double mean = 0.0, variance = 0.0;
  for (const double value : x) {
    mean += value / size;
  }
  for (const double value : x) {
    variance += (value - mean) * (value - mean) / size;
  }
  Row y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    y[i] =
        (x[i] - mean) / std::sqrt(variance + 1e-6) * static_cast<double>(w.weight[i]) + static_cast<double>(w.bias[i]);
  }
  return y;
}

inline Row linear(const qwen35::LinearWeights& w, const Row& x) {
  const auto* const weight = reinterpret_cast<const float*>(w.weight.data);
  Row y(w.weight.rows);
  for (std::size_t n = 0; n < y.size(); ++n) {
    y[n] = static_cast<double>(w.bias[n]);
    for (std::size_t k = 0; k < x.size(); ++k) {
      y[n] += static_cast<double>(weight[n * x.size() + k]) * x[k];
    }
  }
  return y;
}

// Relative L2 distance of rows of f32 from rows of double.
inline double distance(const std::vector<float>& y, const std::vector<Row>& expected) {
  double off = 0.0, size = 0.0;
  std::size_t i = 0;
  for (const Row& own : expected) {
    for (const double value : own) {
      off += (static_cast<double>(y[i]) - value) * (static_cast<double>(y[i]) - value);
      size += value * value;
      ++i;
    }
  }
  CHECK(i == y.size());
  return std::sqrt(off / size);
}

}  // namespace vision_test
