// SPDX-License-Identifier: Apache-2.0
// The short causal depthwise convolution with SiLU.
#include <qwen35/kernels/vectors-inl.hpp>

#if defined(QWEN35_KERNELS_CAUSAL_CONV1D_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_CAUSAL_CONV1D_INL_HPP
#undef QWEN35_KERNELS_CAUSAL_CONV1D_INL_HPP
#else
#define QWEN35_KERNELS_CAUSAL_CONV1D_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

inline void causal_conv1d_silu(const CausalConv1dTask& task) {
  const std::size_t kernel = task.kernel, channels = task.channels, tokens = task.tokens, before = kernel - 1;
  // A strip of channels whose taps stay in the first-level cache over all tokens.
  constexpr std::size_t strip = 1024;
  for (std::size_t start = 0; start < channels; start += strip) {
    const std::size_t stop = channels - start < strip ? channels : start + strip;
    for (std::size_t t = 0; t < tokens; ++t) {
      for (std::size_t c = start; c < stop; c += lanes) {
        const std::size_t count = stop - c < lanes ? stop - c : lanes;
        Vec sum = zero();
        for (std::size_t j = 0; j < kernel; ++j) {
          const float* const column =
              (t + j < before ? task.history + (t + j) * channels : task.x + (t + j - before) * task.x_stride) + c;
          const float* const tap = task.weight + j * channels + c;
          sum = count == lanes ? hn::MulAdd(load(tap), load(column), sum)
                               : hn::MulAdd(load_first(tap, count), load_first(column, count), sum);
        }
        float* const to = task.out + t * task.out_stride + c;
        if (count == lanes) {
          store(silu(sum), to);
        } else {
          store_first(silu(sum), to, count);
        }
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
