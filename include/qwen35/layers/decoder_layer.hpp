// SPDX-License-Identifier: Apache-2.0
// One decoder layer: norm, token mixer, residual, norm, feed-forward, residual.
#pragma once

#include <qwen35/layers/layers_of.hpp>

#include <concepts>

QWEN35_BEGIN_NAMESPACE

// Mixes tokens of a pass: Weights (views) + State (one per sequence) + forward.
template <class M>
concept TokenMixer = requires(const typename M::Weights& weights, float* x, const Pass& pass,
                              std::span<const typename M::State> states, Arena& arena) {
  M::forward(weights, x, x, pass, states, arena);
};

// Works on each token alone: Weights + forward.
template <class F>
concept FeedForward = requires(const typename F::Weights& weights, const float* x, float* y, std::size_t tokens,
                               Arena& arena) {
  F::forward(weights, x, y, tokens, arena);
};

// The weights of a DecoderLayer; `mixer` and `mlp` are the sizes of its parts, `mixer_name` as in "self_attn.".
template <class Weights, class MixerSizes, class MlpSizes, class Visitor>
void visit_parameters(Weights& weights, const MixerSizes& mixer, const MlpSizes& mlp, const char* mixer_name,
                      const std::string& prefix, Visitor& visitor) {
  const auto norm = [&](const char* name, auto& weight) {
    visitor(Parameter{prefix + name, {mlp.hidden_size}, Initial::zeros, Meaning::one_plus}, weight);
  };
  norm("input_layernorm.weight", weights.input_layernorm);
  visit_parameters(weights.mixer, mixer, prefix + mixer_name, visitor);
  norm("post_attention_layernorm.weight", weights.post_attention_layernorm);
  visit_parameters(weights.mlp, mlp, prefix + "mlp.", visitor);
}

template <TokenMixer Mixer, FeedForward Ffn>
struct DecoderLayer {
  struct Weights {
    const float* input_layernorm = nullptr;           // [hidden_size]: 1 + w
    const float* post_attention_layernorm = nullptr;  // [hidden_size]: 1 + w
    typename Mixer::Weights mixer;
    typename Ffn::Weights mlp;
    float norm_eps = 1e-6f;  // rms_norm_eps
  };

  // hidden `[pass.tokens, hidden_size]` is updated in place; `states`: one per sequence.
  static void forward(const Weights& weights, float* hidden, std::size_t hidden_size, const Pass& pass,
                      std::span<const typename Mixer::State> states, Arena& arena) {
    const Arena::Scope scope(arena);
    float* const normed = arena.take<float>(pass.tokens * hidden_size);
    float* const update = arena.take<float>(pass.tokens * hidden_size);

    normalise(hidden, weights.input_layernorm, weights.norm_eps, normed, pass.tokens, hidden_size);
    Mixer::forward(weights.mixer, normed, update, pass, states, arena);
    add_residual(update, hidden, pass.tokens, hidden_size);

    normalise(hidden, weights.post_attention_layernorm, weights.norm_eps, normed, pass.tokens, hidden_size);
    feed_forward(weights.mlp, normed, update, pass, arena);
    add_residual(update, hidden, pass.tokens, hidden_size);
  }

  // y = x / rms(x) * weight, row by row: x, y `[tokens, hidden_size]`.
  static void normalise(const float* x, const float* weight, float eps, float* y, std::size_t tokens,
                        std::size_t hidden_size) {
    parallel_ranges(tokens, 16, [&](std::size_t begin, std::size_t end) {
      for (std::size_t t = begin; t < end; ++t) {
        math::rms_norm(x + t * hidden_size, weight, hidden_size, eps, y + t * hidden_size);
      }
    });
  }

 private:
  static void feed_forward(const typename Ffn::Weights& weights, const float* x, float* y, const Pass& pass,
                           Arena& arena) {
    if constexpr (requires { Ffn::num_experts; }) {
      Ffn::forward(weights, x, y, pass.tokens, arena, pass.router_logits);
    } else {
      Ffn::forward(weights, x, y, pass.tokens, arena);
    }
  }
  static void add_residual(const float* update, float* hidden, std::size_t tokens, std::size_t hidden_size) {
    parallel_ranges(tokens, 16, [&](std::size_t begin, std::size_t end) {
      math::add(hidden + begin * hidden_size, update + begin * hidden_size, (end - begin) * hidden_size,
                hidden + begin * hidden_size);
    });
  }
};

QWEN35_END_NAMESPACE
