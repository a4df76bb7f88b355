// SPDX-License-Identifier: Apache-2.0
// The activation functions of a config: which implementation of each is the fast one.
#pragma once

#include <qwen35/config/text_defaults.hpp>

#if QWEN35_BODIES
#include <qwen35/kernels/kernels.hpp>
#include <qwen35/math/activations.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

// out = act(x), `n` values; out may be x.
void activate(Activation activation, const float* x, std::size_t n, float* out);

// out = act(gate) * up; out may be either.
void activate_gate(Activation activation, const float* gate, const float* up, std::size_t n, float* out);

#if QWEN35_BODIES

QWEN35_BODY void activate(Activation activation, const float* x, std::size_t n, float* out) {
  switch (activation) {
    case Activation::silu:
      math::silu(x, n, out);
      return;
    case Activation::gelu_pytorch_tanh:
      kernels::gelu_tanh({.x = x, .n = n, .out = out});
      return;
    case Activation::gelu:
      math::gelu_erf(x, n, out);
      return;
  }
}

QWEN35_BODY void activate_gate(Activation activation, const float* gate, const float* up, std::size_t n, float* out) {
  switch (activation) {
    case Activation::silu:
      kernels::silu_multiply({gate, up, n, out});
      return;
    case Activation::gelu_pytorch_tanh:
      math::gelu_tanh_multiply(gate, up, n, out);
      return;
    case Activation::gelu:
      math::gelu_erf_multiply(gate, up, n, out);
      return;
  }
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
