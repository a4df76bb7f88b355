// SPDX-License-Identifier: Apache-2.0
// Activation functions where the rows are long enough to matter beside the products around them.
#include <qwen35/kernels/vectors-inl.hpp>

#if defined(QWEN35_KERNELS_ACTIVATIONS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_ACTIVATIONS_INL_HPP
#undef QWEN35_KERNELS_ACTIVATIONS_INL_HPP
#else
#define QWEN35_KERNELS_ACTIVATIONS_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

// 0.5 x (1 + tanh(u)), u = sqrt(2/pi) (x + 0.044715 x^3), as x / (1 + e^(-2u)).
HWY_INLINE Vec gelu_tanh(Vec x) {
  const Vec minus_2u =
      hn::Mul(x, hn::NegMulAdd(broadcast(0.07135481282553605f), hn::Mul(x, x), broadcast(-1.5957691216057308f)));
  return hn::Div(x, hn::Add(broadcast(1.0f), exp(minus_2u)));
}

inline void gelu_tanh(const ActivationTask& task) {
  const float* const x = task.x;
  const std::size_t n = task.n;
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    store(gelu_tanh(load(x + i)), task.out + i);
  }
  if (i < n) {
    store_first(gelu_tanh(load_first(x + i, n - i)), task.out + i, n - i);
  }
}

inline void silu_multiply(const ActivationTask& task) {
  const float* const x = task.x;
  const float* const up = task.up;
  const std::size_t n = task.n;
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    store(hn::Mul(silu(load(x + i)), load(up + i)), task.out + i);
  }
  if (i < n) {
    store_first(hn::Mul(silu(load_first(x + i, n - i)), load_first(up + i, n - i)), task.out + i, n - i);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
