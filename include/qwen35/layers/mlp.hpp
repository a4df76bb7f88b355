// SPDX-License-Identifier: Apache-2.0
// The gated feed-forward (SwiGLU): the dense siblings' layer, and the form of every expert. Source: reference
// `Qwen3_5MoeMLP`.
#pragma once

#include <qwen35/core/part_clock.hpp>
#include <qwen35/layers/parameter.hpp>
#include <qwen35/layers/pass.hpp>
#include <qwen35/layers/rows.hpp>

#if QWEN35_BODIES
#include <qwen35/config/text_defaults.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

struct MlpWeights {
  Matrix gate_proj, up_proj;  // [intermediate, hidden_size]
  Matrix down_proj;           // [hidden_size, intermediate]
};

struct MlpSizes {
  std::size_t hidden_size = 0;
  std::size_t intermediate = 0;
};

void visit_parameters(MlpWeights& weights, const MlpSizes& sizes, const std::string& prefix, ParameterVisitor& visitor);

// act(x gate^T) * (x up^T) `[rows, stride]`, the rows of which down_proj takes; `gate` is scratch of that size.
Projection gated_projection(const MlpWeights& weights, Activation activation, float* gate, float* hidden,
                            std::size_t stride);

template <std::size_t Intermediate, Activation Act = Activation::silu>
class Mlp {
  static_assert(Intermediate > 0, "Mlp<Intermediate>: intermediate_size must be positive");

 public:
  using Weights = MlpWeights;
  static constexpr Part part = Part::feed_forward;

  static constexpr MlpSizes sizes(std::size_t hidden_size) { return {hidden_size, Intermediate}; }
  static constexpr std::size_t workspace_bytes(std::size_t tokens, std::size_t hidden_size) {
    return scratch_bytes<Scratch<ArenaMeter>>(tokens, hidden_size);
  }

  // x, y `[pass.tokens, hidden_size]`.
  static void forward(const Weights& weights, const float* x, float* y, const Pass& pass, Arena& arena) {
    const std::size_t tokens = pass.tokens;
    const std::size_t hidden_size = weights.gate_proj.cols;
    const Scratch<Arena> scratch(arena, tokens, hidden_size);
    project(Rows(x, tokens, hidden_size, scratch.rows),
            {gated_projection(weights, Act, scratch.gate, scratch.hidden, Intermediate)});
    project(Rows(scratch.hidden, tokens, Intermediate, scratch.rows), {{weights.down_proj, y, hidden_size}});
  }

 private:
  template <class A>
  struct Scratch {
    typename A::Scope scope;
    float* gate;    // [tokens, Intermediate]
    float* hidden;  // [tokens, Intermediate]
    RowsScratch<A> rows;

    constexpr Scratch(A& arena, std::size_t tokens, std::size_t hidden_size)
        : scope(arena),
          gate(arena.template take<float>(tokens * Intermediate)),
          hidden(arena.template take<float>(tokens * Intermediate)),
          rows(arena, tokens, std::max(Intermediate, hidden_size)) {}
  };
};

#if QWEN35_BODIES

QWEN35_BODY void visit_parameters(MlpWeights& weights, const MlpSizes& sizes, const std::string& prefix,
                                  ParameterVisitor& visitor) {
  const Shape inward{sizes.intermediate, sizes.hidden_size};
  visitor(Parameter{prefix, "gate_proj.weight", inward}, weights.gate_proj);
  visitor(Parameter{prefix, "up_proj.weight", inward}, weights.up_proj);
  visitor(Parameter{prefix, "down_proj.weight", {sizes.hidden_size, sizes.intermediate}}, weights.down_proj);
}

QWEN35_BODY Projection gated_projection(const MlpWeights& weights, Activation activation, float* gate, float* hidden,
                                        std::size_t stride) {
  return {.weight = weights.up_proj,
          .y = hidden,
          .y_stride = stride,
          .gate = weights.gate_proj,
          .gate_y = gate,
          .activation = activation};
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
