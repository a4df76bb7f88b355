// SPDX-License-Identifier: Apache-2.0
// Activation functions: scalars, and arrays of them fused with the product that follows. Relative error a few units in
// the last place.
#pragma once

#include <qwen35/core/abi.hpp>

#include <cstddef>

#if QWEN35_BODIES
#include <qwen35/math/batch.hpp>

#include <cmath>
#endif

QWEN35_BEGIN_NAMESPACE

namespace math {

// 1 / (1 + e^-x)
float sigmoid(float x);

// log(1 + e^x), and x itself above 20 (the reference's threshold).
float softplus(float x);

// out = e^x
void exp(const float* x, std::size_t n, float* out);

// out = x sigmoid(x)
void silu(const float* x, std::size_t n, float* out);

// out = x sigmoid(gate)
void sigmoid_multiply(const float* x, const float* gate, std::size_t n, float* out);

// GELU by its tanh approximation ("gelu_pytorch_tanh").
void gelu_tanh(const float* x, std::size_t n, float* out);
void gelu_tanh_multiply(const float* gate, const float* up, std::size_t n, float* out);

// GELU, exact ("gelu").
void gelu_erf(const float* x, std::size_t n, float* out);
void gelu_erf_multiply(const float* gate, const float* up, std::size_t n, float* out);

}  // namespace math

#if QWEN35_BODIES

namespace math {

QWEN35_BODY float sigmoid(float x) {
  return 1.0f / (1.0f + std::exp(-x));
}

QWEN35_BODY float softplus(float x) {
  return x > 20.0f ? x : std::log1p(std::exp(x));
}

QWEN35_BODY Batch silu(const Batch& x) {
  return x / (Batch(1.0f) + xsimd::exp(-x));
}

}  // namespace math

namespace math::detail {

QWEN35_BODY Batch sigmoid(const Batch& x) {
  return Batch(1.0f) / (Batch(1.0f) + xsimd::exp(-x));
}

// 0.5 x (1 + tanh(u)) with u = sqrt(2/pi) (x + 0.044715 x^3), written as x sigmoid(2u): the same function, without the
// cancellation that costs the first form its digits for negative x. The cube is kept finite by taking x^2 first.
QWEN35_BODY Batch gelu_tanh(const Batch& x) {
  const Batch twice_u = x * (Batch(1.5957691216057308f) + Batch(0.07135481282553605f) * (x * x));
  return x * sigmoid(twice_u);
}

QWEN35_BODY Batch gelu_erf(const Batch& x) {
  return Batch(0.5f) * x * (Batch(1.0f) + xsimd::erf(x * Batch(0.7071067811865476f)));
}

}  // namespace math::detail

namespace math {

QWEN35_BODY void exp(const float* x, std::size_t n, float* out) {
  map(
      n, out, [](const auto& v) { return xsimd::exp(v); }, x);
}

QWEN35_BODY void silu(const float* x, std::size_t n, float* out) {
  map(
      n, out, [](const auto& v) { return silu(v); }, x);
}

QWEN35_BODY void sigmoid_multiply(const float* x, const float* gate, std::size_t n, float* out) {
  map(
      n, out, [](const auto& v, const auto& g) { return v * detail::sigmoid(g); }, x, gate);
}

QWEN35_BODY void gelu_tanh(const float* x, std::size_t n, float* out) {
  map(
      n, out, [](const auto& v) { return detail::gelu_tanh(v); }, x);
}

QWEN35_BODY void gelu_tanh_multiply(const float* gate, const float* up, std::size_t n, float* out) {
  map(
      n, out, [](const auto& g, const auto& u) { return detail::gelu_tanh(g) * u; }, gate, up);
}

QWEN35_BODY void gelu_erf(const float* x, std::size_t n, float* out) {
  map(
      n, out, [](const auto& v) { return detail::gelu_erf(v); }, x);
}

QWEN35_BODY void gelu_erf_multiply(const float* gate, const float* up, std::size_t n, float* out) {
  map(
      n, out, [](const auto& g, const auto& u) { return detail::gelu_erf(g) * u; }, gate, up);
}

}  // namespace math

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
