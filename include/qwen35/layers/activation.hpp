// SPDX-License-Identifier: Apache-2.0
// The activation functions of a config: which implementation of each is the fast one.
#pragma once

#include <qwen35/config/text_defaults.hpp>
#include <qwen35/kernels/kernels.hpp>
#include <qwen35/math/activations.hpp>

QWEN35_BEGIN_NAMESPACE

// out = act(x), `n` values; out may be x.
inline void activate(Activation activation, const float* x, std::size_t n, float* out) {
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

// out = act(gate) * up; out may be either.
inline void activate_gate(Activation activation, const float* gate, const float* up, std::size_t n, float* out) {
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

QWEN35_END_NAMESPACE
