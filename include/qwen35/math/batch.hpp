// SPDX-License-Identifier: Apache-2.0
// The loop shapes of this folder over xsimd batches of floats.
//
// A batch that is not full goes through a zero-padded buffer and the same vector code, so that a value does not depend
// on where in an array it stands or how the array is aligned; sums run in an order given by the length alone. Outputs
// may be the inputs.
#pragma once

#include <qwen35/core/abi.hpp>

#include <cstddef>

#if !__has_include(<xsimd/xsimd.hpp>)
#error "qwen35 needs xsimd (Debian: libxsimd-dev): link qwen35::qwen35, which finds or downloads it, or add its folder"
#include <qwen35/core/see_the_error_above.hpp>
#endif
#include <xsimd/xsimd.hpp>
#if defined(XSIMD_NO_SUPPORTED_ARCHITECTURE)
#error "qwen35 runs where xsimd has vectors, on x86-64 and AArch64: it has none for this processor or these flags"
#include <qwen35/core/see_the_error_above.hpp>
#endif

#if QWEN35_BODIES
#include <cstring>
#endif

QWEN35_BEGIN_NAMESPACE

namespace math {

using Batch = xsimd::batch<float>;
inline constexpr std::size_t lanes = Batch::size;

// (Not compiled apart: a call costs more than what it does.)
inline Batch load(const float* p) {
  return Batch::load_unaligned(p);
}
inline void store(float* p, const Batch& v) {
  v.store_unaligned(p);
}
Batch load_first(const float* p, std::size_t count);
void store_first(float* p, const Batch& v, std::size_t count);

// out[i] = f(in[i]...) for i < n. f takes and returns batches.
template <class F, class... In>
inline void map(std::size_t n, float* out, const F& f, const In*... in) {
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    store(out + i, f(load(in + i)...));
  }
  if (i < n) {
    store_first(out + i, f(load_first(in + i, n - i)...), n - i);
  }
}

// The lanes of a batch summed pairwise.
float sum_lanes(const Batch& v);

// Sum of f(x[i]) for i < n, in four interleaved chains per lane. f(0) of the padding does not count: it is replaced by
// 0.
template <class F>
inline float sum(const float* x, std::size_t n, const F& f) {
  Batch chain0(0.0f), chain1(0.0f), chain2(0.0f), chain3(0.0f);
  std::size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    chain0 += f(load(x + i));
    chain1 += f(load(x + i + lanes));
    chain2 += f(load(x + i + 2 * lanes));
    chain3 += f(load(x + i + 3 * lanes));
  }
  for (; i + lanes <= n; i += lanes) {
    chain0 += f(load(x + i));
  }
  if (i < n) {
    float padded[lanes];
    f(load_first(x + i, n - i)).store_unaligned(padded);
    chain1 += load_first(padded, n - i);
  }
  return sum_lanes((chain0 + chain1) + (chain2 + chain3));
}

}  // namespace math

#if QWEN35_BODIES

namespace math {

QWEN35_BODY Batch load_first(const float* p, std::size_t count) {
  float padded[lanes] = {};
  std::memcpy(padded, p, count * sizeof(float));
  return Batch::load_unaligned(padded);
}

QWEN35_BODY void store_first(float* p, const Batch& v, std::size_t count) {
  float padded[lanes];
  v.store_unaligned(padded);
  std::memcpy(p, padded, count * sizeof(float));
}

QWEN35_BODY float sum_lanes(const Batch& v) {
  float values[lanes];
  v.store_unaligned(values);
  for (std::size_t width = lanes / 2; width > 0; width /= 2) {
    for (std::size_t i = 0; i < width; ++i) {
      values[i] += values[i + width];
    }
  }
  return values[0];
}

}  // namespace math

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
