// SPDX-License-Identifier: Apache-2.0
// Softmax of one row, and its logarithm's normaliser.
#pragma once

#include <qwen35/core/abi.hpp>

#include <limits>

#if QWEN35_BODIES
#include <qwen35/math/batch.hpp>

#include <cmath>
#endif

QWEN35_BEGIN_NAMESPACE

namespace math {

// The largest value; -inf for an empty row. NaN values are not found.
float max_value(const float* x, std::size_t n);

// out = e^(x - max) / sum of them. A row of -inf alone has no softmax: the result is NaN, as in the reference.
void softmax(const float* x, std::size_t n, float* out);

// log(sum(e^x))
float log_sum_exp(const float* x, std::size_t n);

}  // namespace math

#if QWEN35_BODIES

namespace math {

QWEN35_BODY float max_value(const float* x, std::size_t n) {
  float best = -std::numeric_limits<float>::infinity();
  const std::size_t whole = n - n % lanes;
  if (whole > 0) {
    Batch largest = load(x);
    for (std::size_t i = lanes; i < whole; i += lanes) {
      largest = xsimd::max(largest, load(x + i));
    }
    float values[lanes];
    largest.store_unaligned(values);
    for (const float value : values) {
      best = value > best ? value : best;
    }
  }
  for (std::size_t i = whole; i < n; ++i) {
    best = x[i] > best ? x[i] : best;
  }
  return best;
}

QWEN35_BODY void softmax(const float* x, std::size_t n, float* out) {
  const float largest = max_value(x, n);
  map(
      n, out, [largest](const auto& v) { return xsimd::exp(v - largest); }, x);
  const float total = sum(out, n, [](const auto& v) { return v; });
  map(
      n, out, [total](const auto& v) { return v / total; }, out);
}

QWEN35_BODY float log_sum_exp(const float* x, std::size_t n) {
  const float largest = max_value(x, n);
  return largest + std::log(sum(x, n, [largest](const auto& v) { return xsimd::exp(v - largest); }));
}

}  // namespace math

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
