// SPDX-License-Identifier: Apache-2.0
// Rotary embedding of one head vector, half-split pairing.
#pragma once

#include <qwen35/math/batch.hpp>

QWEN35_BEGIN_NAMESPACE

namespace math {

// Rotates the pairs (x[j], x[j + half]) by the angle of cos[j], sin[j], j < half. Values from 2 half on are neither
// read nor written. `out` is `x` or does not overlap it.
inline void rotate_half(const float* x, const float* cos, const float* sin, std::size_t half, float* out) {
  const auto step = [](const auto& low, const auto& high, const auto& c, const auto& s, auto& rotated_low,
                       auto& rotated_high) {
    rotated_low = low * c - high * s;
    rotated_high = high * c + low * s;
  };
  detail::Batch low, high;
  std::size_t j = 0;
  for (; j + detail::lanes <= half; j += detail::lanes) {
    step(detail::load(x + j), detail::load(x + half + j), detail::load(cos + j), detail::load(sin + j), low, high);
    detail::store(out + j, low);
    detail::store(out + half + j, high);
  }
  if (j < half) {
    const std::size_t rest = half - j;
    step(detail::load_first(x + j, rest), detail::load_first(x + half + j, rest), detail::load_first(cos + j, rest),
         detail::load_first(sin + j, rest), low, high);
    detail::store_first(out + j, low, rest);
    detail::store_first(out + half + j, high, rest);
  }
}

}  // namespace math

QWEN35_END_NAMESPACE
