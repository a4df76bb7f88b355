// SPDX-License-Identifier: Apache-2.0
// Rotary embedding of one head vector, half-split pairing.
#pragma once

#include <qwen35/core/abi.hpp>

#include <cstddef>

#if QWEN35_BODIES
#include <qwen35/math/batch.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

namespace math {

// Rotates the pairs (x[j], x[j + half]) by the angle of cos[j], sin[j], j < half. Values from 2 half on are neither
// read nor written. `out` is `x` or does not overlap it.
void rotate_half(const float* x, const float* cos, const float* sin, std::size_t half, float* out);

}  // namespace math

#if QWEN35_BODIES

namespace math {

QWEN35_BODY void rotate_half(const float* x, const float* cos, const float* sin, std::size_t half, float* out) {
  const auto step = [](const auto& low, const auto& high, const auto& c, const auto& s, auto& rotated_low,
                       auto& rotated_high) {
    rotated_low = low * c - high * s;
    rotated_high = high * c + low * s;
  };
  Batch low, high;
  std::size_t j = 0;
  for (; j + lanes <= half; j += lanes) {
    step(load(x + j), load(x + half + j), load(cos + j), load(sin + j), low, high);
    store(out + j, low);
    store(out + half + j, high);
  }
  if (j < half) {
    const std::size_t rest = half - j;
    step(load_first(x + j, rest), load_first(x + half + j, rest), load_first(cos + j, rest), load_first(sin + j, rest),
         low, high);
    store_first(out + j, low, rest);
    store_first(out + half + j, high, rest);
  }
}

}  // namespace math

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
