// SPDX-License-Identifier: Apache-2.0
// Norms of one row. All in f32; `out` may be `x`.
#pragma once

#include <qwen35/core/abi.hpp>

#include <cmath>

#if QWEN35_BODIES
#include <qwen35/math/activations.hpp>
#include <qwen35/math/batch.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

namespace math {

float sum_of_squares(const float* x, std::size_t n);

namespace detail {

float inverse_rms(const float* x, std::size_t n, float eps);

}  // namespace detail

// out = x / sqrt(mean(x^2) + eps) * weight. For the reference's RMSNorm with a zero-centred weight, `weight` holds 1 +
// w.
void rms_norm(const float* x, const float* weight, std::size_t n, float eps, float* out);

// out = x / sqrt(mean(x^2) + eps) * weight * silu(gate)
void gated_rms_norm(const float* x, const float* weight, const float* gate, std::size_t n, float eps, float* out);

// out = (x - mean(x)) / sqrt(var(x) + eps) * weight + bias, with the biased variance taken around the mean.
void layer_norm(const float* x, const float* weight, const float* bias, std::size_t n, float eps, float* out);

// out = x / sqrt(sum(x^2) + eps) * scale
void l2_normalise(const float* x, std::size_t n, float eps, float scale, float* out);

}  // namespace math

#if QWEN35_BODIES

namespace math {

QWEN35_BODY float sum_of_squares(const float* x, std::size_t n) {
  return sum(x, n, [](const auto& v) { return v * v; });
}

}  // namespace math

namespace math::detail {

QWEN35_BODY float inverse_rms(const float* x, std::size_t n, float eps) {
  return 1.0f / std::sqrt(sum_of_squares(x, n) / static_cast<float>(n) + eps);
}

}  // namespace math::detail

namespace math {

QWEN35_BODY void rms_norm(const float* x, const float* weight, std::size_t n, float eps, float* out) {
  const float factor = detail::inverse_rms(x, n, eps);
  map(
      n, out, [factor](const auto& v, const auto& w) { return v * factor * w; }, x, weight);
}

QWEN35_BODY void gated_rms_norm(const float* x, const float* weight, const float* gate, std::size_t n, float eps,
                                float* out) {
  const float factor = detail::inverse_rms(x, n, eps);
  map(
      n, out, [factor](const auto& v, const auto& w, const auto& g) { return v * factor * w * silu(g); }, x, weight,
      gate);
}

QWEN35_BODY void layer_norm(const float* x, const float* weight, const float* bias, std::size_t n, float eps,
                            float* out) {
  const float count = static_cast<float>(n);
  const float mean = sum(x, n, [](const auto& v) { return v; }) / count;
  const float variance = sum(x, n, [mean](const auto& v) { return (v - mean) * (v - mean); }) / count;
  const float factor = 1.0f / std::sqrt(variance + eps);
  map(
      n, out, [mean, factor](const auto& v, const auto& w, const auto& b) { return (v - mean) * factor * w + b; }, x,
      weight, bias);
}

QWEN35_BODY void l2_normalise(const float* x, std::size_t n, float eps, float scale, float* out) {
  const float factor = scale / std::sqrt(sum_of_squares(x, n) + eps);
  map(
      n, out, [factor](const auto& v) { return v * factor; }, x);
}

}  // namespace math

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
