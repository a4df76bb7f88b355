// SPDX-License-Identifier: Apache-2.0
// Sums and scaled sums of arrays.
#pragma once

#include <qwen35/core/abi.hpp>

#include <cstddef>

#if QWEN35_BODIES
#include <qwen35/math/batch.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

namespace math {

// out = x + y
void add(const float* x, const float* y, std::size_t n, float* out);

// out = x y
void multiply(const float* x, const float* y, std::size_t n, float* out);

// out = a x
void scale(float a, const float* x, std::size_t n, float* out);

// y += a x
void scale_add(float a, const float* x, std::size_t n, float* y);

}  // namespace math

#if QWEN35_BODIES

namespace math {

QWEN35_BODY void add(const float* x, const float* y, std::size_t n, float* out) {
  map(
      n, out, [](const auto& a, const auto& b) { return a + b; }, x, y);
}

QWEN35_BODY void multiply(const float* x, const float* y, std::size_t n, float* out) {
  map(
      n, out, [](const auto& a, const auto& b) { return a * b; }, x, y);
}

QWEN35_BODY void scale(float a, const float* x, std::size_t n, float* out) {
  map(
      n, out, [a](const auto& v) { return v * a; }, x);
}

QWEN35_BODY void scale_add(float a, const float* x, std::size_t n, float* y) {
  map(
      n, y, [a](const auto& v, const auto& w) { return w + v * a; }, x, static_cast<const float*>(y));
}

}  // namespace math

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
