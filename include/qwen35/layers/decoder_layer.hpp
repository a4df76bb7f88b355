// SPDX-License-Identifier: Apache-2.0
// One decoder layer: norm, token mixer, residual, norm, feed-forward, residual.
#pragma once

#include <qwen35/core/arena.hpp>
#include <qwen35/core/part_clock.hpp>
#include <qwen35/layers/norm.hpp>
#include <qwen35/layers/parameter.hpp>
#include <qwen35/layers/pass.hpp>
#include <qwen35/math/elementwise.hpp>
#include <qwen35/parallel/parallel_for.hpp>

#include <concepts>

QWEN35_BEGIN_NAMESPACE

// Mixes tokens of a pass: Weights (views) + State (one per sequence) + forward. `x` and `y` are [pass.tokens,
// hidden_size].
template <class M>
concept TokenMixer = requires(const typename M::Weights& weights, const float* x, float* y, const Pass& pass,
                              std::span<const typename M::State> states, Arena& arena, std::size_t size) {
  M::forward(weights, x, y, pass, states, arena);
  { M::workspace_bytes(size, size) } -> std::same_as<std::size_t>;
};

// Works on each token alone: Weights + forward.
template <class F>
concept FeedForward = requires(const typename F::Weights& weights, const float* x, float* y, const Pass& pass,
                               Arena& arena, std::size_t size) {
  F::forward(weights, x, y, pass, arena);
  { F::workspace_bytes(size, size) } -> std::same_as<std::size_t>;
};

// The weights of a DecoderLayer; `mixer` and `mlp` are the sizes of its parts, `mixer_name` as in "self_attn.".
template <class Weights, class MixerSizes, class MlpSizes>
void visit_parameters(Weights& weights, const MixerSizes& mixer, const MlpSizes& mlp, const char* mixer_name,
                      const std::string& prefix, ParameterVisitor& visitor) {
  const auto norm = [&](const char* name, auto& weight) {
    visitor.norm(Parameter{prefix, name, {mlp.hidden_size}, Initial::zeros, Meaning::one_plus}, weight);
  };
  norm("input_layernorm.weight", weights.input_layernorm);
  visit_parameters(weights.mixer, mixer, prefix + mixer_name, visitor);
  norm("post_attention_layernorm.weight", weights.post_attention_layernorm);
  visit_parameters(weights.mlp, mlp, prefix + "mlp.", visitor);
}

template <TokenMixer Mixer, FeedForward Ffn>
struct DecoderLayer {
  struct Weights {
    RmsNormWeights input_layernorm, post_attention_layernorm;  // [hidden_size]: 1 + w
    typename Mixer::Weights mixer;
    typename Ffn::Weights mlp;
  };

  // Bytes of arena that a pass over `tokens` tokens takes.
  static constexpr std::size_t workspace_bytes(std::size_t tokens, std::size_t hidden_size) {
    return scratch_bytes<Scratch<ArenaMeter>>(tokens, hidden_size) +
           std::max(Mixer::workspace_bytes(tokens, hidden_size), Ffn::workspace_bytes(tokens, hidden_size));
  }

  // hidden `[pass.tokens, hidden_size]` is updated in place; `states`: one per sequence.
  static void forward(const Weights& weights, float* hidden, std::size_t hidden_size, const Pass& pass,
                      std::span<const typename Mixer::State> states, Arena& arena) {
    const Scratch<Arena> scratch(arena, pass.tokens, hidden_size);
    float* const normed = scratch.normed;
    float* const update = scratch.update;

    PartClock::enter(Part::norms);
    rms_norm_rows(weights.input_layernorm, hidden, pass.tokens, hidden_size, normed);
    PartClock::enter(part_of<Mixer>());
    Mixer::forward(weights.mixer, normed, update, pass, states, arena);
    PartClock::enter(Part::norms);
    add_residual(update, hidden, pass.tokens, hidden_size);

    rms_norm_rows(weights.post_attention_layernorm, hidden, pass.tokens, hidden_size, normed);
    PartClock::enter(part_of<Ffn>());
    Ffn::forward(weights.mlp, normed, update, pass, arena);
    PartClock::enter(Part::norms);
    add_residual(update, hidden, pass.tokens, hidden_size);
    PartClock::enter(Part::rest);
  }

 private:
  template <class A>
  struct Scratch {
    typename A::Scope scope;
    float* normed;  // [tokens, hidden_size]
    float* update;  // [tokens, hidden_size]

    constexpr Scratch(A& arena, std::size_t tokens, std::size_t hidden_size)
        : scope(arena),
          normed(arena.template take<float>(tokens * hidden_size)),
          update(arena.template take<float>(tokens * hidden_size)) {}
  };

  // That a mixer's or feed-forward's time is counted to.
  template <class Block>
  static constexpr Part part_of() {
    if constexpr (requires { Block::part; }) {
      return Block::part;
    } else {
      return Part::rest;
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
