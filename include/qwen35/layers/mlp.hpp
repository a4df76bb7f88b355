// SPDX-License-Identifier: Apache-2.0
// The gated feed-forward (SwiGLU): the dense siblings' layer, and the form of every expert. Source: reference
// `Qwen3_5MoeMLP`.
#pragma once

#include <qwen35/config/text_defaults.hpp>
#include <qwen35/layers/parameter.hpp>
#include <qwen35/layers/pass.hpp>
#include <qwen35/layers/projection.hpp>
#include <qwen35/math/activations.hpp>

QWEN35_BEGIN_NAMESPACE

struct MlpWeights {
  Matrix gate_proj, up_proj;  // [intermediate, hidden_size]
  Matrix down_proj;           // [hidden_size, intermediate]
};

struct MlpSizes {
  std::size_t hidden_size = 0;
  std::size_t intermediate = 0;
};

template <class Weights, class Visitor>
void visit_parameters(Weights& weights, const MlpSizes& sizes, const std::string& prefix, Visitor& visitor) {
  const Shape inward{sizes.intermediate, sizes.hidden_size};
  visitor(Parameter{prefix + "gate_proj.weight", inward}, weights.gate_proj);
  visitor(Parameter{prefix + "up_proj.weight", inward}, weights.up_proj);
  visitor(Parameter{prefix + "down_proj.weight", {sizes.hidden_size, sizes.intermediate}}, weights.down_proj);
}

namespace detail {

// out = act(gate) * up, elementwise.
template <Activation Act>
inline void gated_activation(const float* gate, const float* up, std::size_t n, float* out) {
  if constexpr (Act == Activation::silu) {
    kernels::silu_multiply({gate, up, n, out});
  } else if constexpr (Act == Activation::gelu_pytorch_tanh) {
    math::gelu_tanh_multiply(gate, up, n, out);
  } else {
    math::gelu_erf_multiply(gate, up, n, out);
  }
}

// Rows [begin, end) of act(x gate^T) * (x up^T), written to `hidden`; `gate` is scratch. Both `[tokens, stride]`.
template <Activation Act>
inline void gate_up(const MlpWeights& weights, std::size_t begin, std::size_t end, const float* x, std::size_t x_stride,
                    std::size_t tokens, float* gate, float* hidden, std::size_t stride) {
  kernels::matmul({weights.gate_proj, begin, end, x, x_stride, tokens, gate, stride});
  kernels::matmul({weights.up_proj, begin, end, x, x_stride, tokens, hidden, stride});
  for (std::size_t t = 0; t < tokens; ++t) {
    gated_activation<Act>(gate + t * stride + begin, hidden + t * stride + begin, end - begin,
                          hidden + t * stride + begin);
  }
}

}  // namespace detail

template <std::size_t Intermediate, Activation Act = Activation::silu>
class Mlp {
  static_assert(Intermediate > 0, "Mlp<Intermediate>: intermediate_size must be positive");

 public:
  using Weights = MlpWeights;

  static constexpr MlpSizes sizes(std::size_t hidden_size) { return {hidden_size, Intermediate}; }
  static constexpr std::size_t workspace_bytes(std::size_t tokens, std::size_t) {
    ArenaMeter meter;
    const Scratch<ArenaMeter> scratch(meter, tokens);
    ProjectionScratch<ArenaMeter>(meter, tokens, Intermediate);
    return meter.peak();
  }

  // x, y `[pass.tokens, hidden_size]`.
  static void forward(const Weights& weights, const float* x, float* y, const Pass& pass, Arena& arena) {
    const std::size_t tokens = pass.tokens;
    const Scratch<Arena> scratch(arena, tokens);
    const std::size_t hidden_size = weights.gate_proj.cols;
    const std::size_t step = detail::rows_per_task(Intermediate);
    detail::share(2 * tokens * Intermediate * hidden_size, (Intermediate + step - 1) / step, [&](std::size_t task) {
      detail::gate_up<Act>(weights, task * step, std::min(task * step + step, Intermediate), x, hidden_size, tokens,
                           scratch.gate, scratch.hidden, Intermediate);
    });
    project({weights.down_proj, y, hidden_size}, scratch.hidden, tokens, arena);
  }

 private:
  template <class A>
  struct Scratch {
    typename A::Scope scope;
    float* gate;    // [tokens, Intermediate]
    float* hidden;  // [tokens, Intermediate]

    constexpr Scratch(A& arena, std::size_t tokens)
        : scope(arena),
          gate(arena.template take<float>(tokens * Intermediate)),
          hidden(arena.template take<float>(tokens * Intermediate)) {}
  };
};

QWEN35_END_NAMESPACE
