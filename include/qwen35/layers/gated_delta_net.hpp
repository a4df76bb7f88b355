// SPDX-License-Identifier: Apache-2.0
// Gated DeltaNet: the linear-attention token mixer. Source: "Gated Delta Networks", arXiv 2412.06464; reference
// `Qwen3_5MoeGatedDeltaNet`.
#pragma once

#include <qwen35/core/part_clock.hpp>
#include <qwen35/layers/norm.hpp>
#include <qwen35/layers/parameter.hpp>
#include <qwen35/layers/pass.hpp>
#include <qwen35/layers/rows.hpp>
#include <qwen35/math/activations.hpp>
#include <qwen35/math/norms.hpp>

#include <cmath>
#include <cstring>

QWEN35_BEGIN_NAMESPACE

// Value heads stand in the order of the key heads that they read: head h reads key head h / (value heads / key heads).
// In files for llama.cpp they are `tiled`: head h reads key head h % key heads. Kd = key heads * key dim, Vd = value
// heads * value dim, Cd = 2 Kd + Vd.
struct GatedDeltaNetWeights {
  Matrix in_proj_qkv;              // [Cd, hidden_size]: rows q, k, v, each head-major
  Matrix in_proj_z;                // [Vd, hidden_size]
  Matrix in_proj_b;                // [value heads, hidden_size]
  Matrix in_proj_a;                // [value heads, hidden_size]
  Matrix out_proj;                 // [hidden_size, Vd]
  const float* conv1d = nullptr;   // [kernel, Cd]: transposed, so that a tap of all channels is one row
  const float* dt_bias = nullptr;  // [value heads]
  const float* a = nullptr;        // [value heads]: -exp(A_log)
  RmsNormWeights norm;             // [value dim]: plain weight, not 1 + w
  bool tiled_heads = false;        // the rows of all of these, and the states,
  bool tiled_out_proj = false;     // and the columns of out_proj
};

struct GatedDeltaNetSizes {
  std::size_t hidden_size = 0;
  std::size_t conv_channels = 0;
  std::size_t conv_kernel = 0;
  std::size_t value_size = 0;
  std::size_t value_heads = 0;
  std::size_t value_dim = 0;
};

void visit_parameters(GatedDeltaNetWeights& weights, const GatedDeltaNetSizes& sizes, const std::string& prefix,
                      ParameterVisitor& visitor);

// The state of one sequence in one layer.
struct GatedDeltaNetState {
  float* conv = nullptr;  // [kernel - 1, Cd]: the last raw columns of in_proj_qkv, oldest first
  float* recurrent =
      nullptr;  // [value heads][delta_state_size(key dim, value dim)]: column tiles of 16, see kernels.hpp
};

// Both the one-token and the many-token form run the same recurrence: the kernel keeps 16 columns of a head's state in
// L1 over all tokens, which costs as many multiply-adds as the chunked form and gives the same bits for every split of
// a sequence.
template <std::size_t H, std::size_t D, std::size_t KeyHeads = H, std::size_t ValueDim = D, std::size_t ConvKernel = 4>
class GatedDeltaNet {
  static_assert(H > 0 && KeyHeads > 0 && H % KeyHeads == 0,
                "GatedDeltaNet<H, D, KeyHeads>: H value heads must be a multiple of the key heads");
  static_assert(D > 0 && ValueDim > 0, "GatedDeltaNet<H, D, KeyHeads, ValueDim>: head dimensions must be positive");
  static_assert(ConvKernel >= 1 && ConvKernel <= 64, "GatedDeltaNet: the short convolution has between 1 and 64 taps");

 public:
  using Weights = GatedDeltaNetWeights;
  using State = GatedDeltaNetState;
  static constexpr Part part = Part::delta_net;

  static constexpr std::size_t key_size = KeyHeads * D;
  static constexpr std::size_t value_size = H * ValueDim;
  static constexpr std::size_t conv_channels = 2 * key_size + value_size;
  static constexpr GatedDeltaNetSizes sizes(std::size_t hidden_size) {
    return {hidden_size, conv_channels, ConvKernel, value_size, H, ValueDim};
  }
  static constexpr std::size_t conv_state_size = (ConvKernel - 1) * conv_channels;                 // floats
  static constexpr std::size_t recurrent_state_size = H * kernels::delta_state_size(D, ValueDim);  // floats
  static constexpr std::size_t state_bytes =
      (conv_state_size + recurrent_state_size) * sizeof(float);  // of one sequence

  // Bytes of arena that a pass over `tokens` tokens takes.
  static constexpr std::size_t workspace_bytes(std::size_t tokens, std::size_t hidden_size) {
    return scratch_bytes<Scratch<ArenaMeter>>(tokens, hidden_size);
  }

  // x, y `[pass.tokens, hidden_size]`; states: one per sequence, updated. A hole enters as a row of zeros; y is 0
  // outside the spans.
  static void forward(const Weights& weights, const float* x, float* y, const Pass& pass, std::span<const State> states,
                      Arena& arena) {
    const std::size_t hidden_size = weights.in_proj_qkv.cols;
    const std::size_t tokens = pass.tokens;
    const Scratch<Arena> scratch(arena, tokens, hidden_size);
    const Projection inputs[] = {{weights.in_proj_qkv, scratch.mixed, conv_channels},
                                 {weights.in_proj_z, scratch.z, value_size},
                                 {weights.in_proj_b, scratch.beta, H},
                                 {weights.in_proj_a, scratch.decay, H}};
    project(Rows(x, tokens, hidden_size, scratch.rows), inputs);
    for (const Projection& input : inputs) {
      zero_holes(pass, input.y, input.y_stride);
    }
    convolve(weights, scratch.mixed, scratch.convolved, pass, states);
    if (covered(pass) < tokens) {
      std::memset(scratch.core, 0, tokens * value_size * sizeof(float));
    }
    parallel_tasks(4 * tokens * value_size * D, pass.spans.size() * KeyHeads, [&](std::size_t task) {
      const TokenSpan& span = pass.spans[task / KeyHeads];
      mix_heads(weights, states[span.sequence], span, task % KeyHeads, scratch);
    });
    project(Rows(scratch.core, tokens, value_size, scratch.rows), {{weights.out_proj, y, hidden_size}});
  }

 private:
  static constexpr std::size_t heads_per_key = H / KeyHeads;
  static constexpr float l2_eps = 1e-6f;

  template <class A>
  struct Scratch {
    typename A::Scope scope;
    float* mixed;      // [tokens, Cd]: in_proj_qkv of x
    float* convolved;  // [tokens, Cd]
    float* z;          // [tokens, Vd]: in_proj_z of x
    float* core;       // [tokens, Vd]: what the heads give
    float* beta;       // [tokens, H]
    float* decay;      // [tokens, H]
    RowsScratch<A> rows;

    constexpr Scratch(A& arena, std::size_t tokens, std::size_t hidden_size)
        : scope(arena),
          mixed(arena.template take<float>(tokens * conv_channels)),
          convolved(arena.template take<float>(tokens * conv_channels)),
          z(arena.template take<float>(tokens * value_size)),
          core(arena.template take<float>(tokens * value_size)),
          beta(arena.template take<float>(tokens * H)),
          decay(arena.template take<float>(tokens * H)),
          rows(arena, tokens, std::max(hidden_size, value_size)) {}
  };

  static std::size_t covered(const Pass& pass) {
    std::size_t count = 0;
    for (const TokenSpan& span : pass.spans) {
      count += span.count;
    }
    return count;
  }

  // The products of a row of zeros are zeros.
  static void zero_holes(const Pass& pass, float* y, std::size_t width) {
    for (std::size_t t = 0; pass.hole != nullptr && t < pass.tokens; ++t) {
      if (pass.hole[t] != 0) {
        std::memset(y + t * width, 0, width * sizeof(float));
      }
    }
  }

  // The short causal convolution over all q, k and v channels, and the columns kept for the next pass.
  static void convolve(const Weights& weights, const float* mixed, float* out, const Pass& pass,
                       std::span<const State> states) {
    constexpr std::size_t history = ConvKernel - 1;
    for (const TokenSpan& span : pass.spans) {
      float* const kept = states[span.sequence].conv;
      const float* const x = mixed + span.first * conv_channels;
      float* const y = out + span.first * conv_channels;
      // Runs of tokens carry their own history: the K-1 columns before them.
      constexpr std::size_t run = 64;  // at least ConvKernel - 1
      parallel_tasks(
          span.count * conv_channels * (ConvKernel + 16), (span.count + run - 1) / run, [&](std::size_t task) {
            const std::size_t begin = task * run;
            const std::size_t count = std::min(run, span.count - begin);
            if (begin == 0) {
              kernels::causal_conv1d_silu(
                  {kept, x, conv_channels, weights.conv1d, ConvKernel, conv_channels, count, y, conv_channels});
            } else {
              kernels::causal_conv1d_silu({x + (begin - history) * conv_channels, x + begin * conv_channels,
                                           conv_channels, weights.conv1d, ConvKernel, conv_channels, count,
                                           y + begin * conv_channels, conv_channels});
            }
          });
      if constexpr (history > 0) {
        const std::size_t fresh = std::min(history, span.count);
        std::memmove(kept, kept + fresh * conv_channels, (history - fresh) * conv_channels * sizeof(float));
        std::memcpy(kept + (history - fresh) * conv_channels, x + (span.count - fresh) * conv_channels,
                    fresh * conv_channels * sizeof(float));
      }
    }
  }

  // One key head and the value heads that read it: gates, normalised q and k, the recurrence, the gated norm.
  static void mix_heads(const Weights& weights, const State& state, const TokenSpan& span, std::size_t key_head,
                        const Scratch<Arena>& scratch) {
    const float scale = 1.0f / std::sqrt(static_cast<float>(D));
    float* const q = scratch.convolved + span.first * conv_channels + key_head * D;
    float* const k = q + key_size;
    for (std::size_t t = 0; t < span.count; ++t) {
      float* const q_row = q + t * conv_channels;
      float* const k_row = k + t * conv_channels;
      math::l2_normalise(q_row, D, l2_eps, scale, q_row);
      math::l2_normalise(k_row, D, l2_eps, 1.0f, k_row);
    }
    for (std::size_t i = 0; i < heads_per_key; ++i) {
      const std::size_t grouped = key_head * heads_per_key + i, tiled = i * KeyHeads + key_head;
      const std::size_t head = weights.tiled_heads ? tiled : grouped;
      float* const head_beta = scratch.beta + span.first * H + head;
      float* const head_decay = scratch.decay + span.first * H + head;
      for (std::size_t t = 0; t < span.count; ++t) {
        head_beta[t * H] = math::sigmoid(head_beta[t * H]);
        head_decay[t * H] = std::exp(weights.a[head] * math::softplus(head_decay[t * H] + weights.dt_bias[head]));
      }
      float* const out = scratch.core + span.first * value_size + (weights.tiled_out_proj ? tiled : grouped) * ValueDim;
      kernels::gated_delta_rule({.state = state.recurrent + head * kernels::delta_state_size(D, ValueDim),
                                 .q = q,
                                 .k = k,
                                 .qk_stride = conv_channels,
                                 .v = scratch.convolved + span.first * conv_channels + 2 * key_size + head * ValueDim,
                                 .v_stride = conv_channels,
                                 .decay = head_decay,
                                 .beta = head_beta,
                                 .gate_stride = H,
                                 .out = out,
                                 .out_stride = value_size,
                                 .tokens = span.count,
                                 .key_dim = D,
                                 .value_dim = ValueDim});
      const float* const gate = scratch.z + span.first * value_size + head * ValueDim;
      for (std::size_t t = 0; t < span.count; ++t) {
        math::gated_rms_norm(out + t * value_size, weights.norm.weight, gate + t * value_size, ValueDim,
                             weights.norm.eps, out + t * value_size);
      }
    }
  }
};

#if QWEN35_BODIES

QWEN35_BODY void visit_parameters(GatedDeltaNetWeights& weights, const GatedDeltaNetSizes& sizes,
                                  const std::string& prefix, ParameterVisitor& visitor) {
  const std::size_t hidden = sizes.hidden_size, heads = sizes.value_heads;
  visitor(Parameter{prefix, "in_proj_qkv.weight", {sizes.conv_channels, hidden}}, weights.in_proj_qkv);
  visitor(Parameter{prefix, "in_proj_z.weight", {sizes.value_size, hidden}}, weights.in_proj_z);
  visitor(Parameter{prefix, "in_proj_b.weight", {heads, hidden}}, weights.in_proj_b);
  visitor(Parameter{prefix, "in_proj_a.weight", {heads, hidden}}, weights.in_proj_a);
  visitor(Parameter{prefix, "out_proj.weight", {hidden, sizes.value_size}}, weights.out_proj);
  visitor(Parameter{prefix, "conv1d.weight", {sizes.conv_channels, 1, sizes.conv_kernel}}, weights.conv1d);
  visitor(Parameter{prefix, "dt_bias", {heads}, Initial::ones}, weights.dt_bias);
  visitor(Parameter{prefix, "A_log", {heads}, Initial::log_uniform, Meaning::minus_exp}, weights.a);
  visitor.norm(Parameter{prefix, "norm.weight", {sizes.value_dim}, Initial::ones}, weights.norm);
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
