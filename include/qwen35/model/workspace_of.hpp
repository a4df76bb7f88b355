// SPDX-License-Identifier: Apache-2.0
// Scratch memory of a model's forward, sized by its config.
#pragma once

#include <qwen35/layers/layers_of.hpp>

QWEN35_BEGIN_NAMESPACE

// Belongs to one caller at a time; reuse it to forward without allocating. A pass handles at most `tokens` tokens at
// once, longer inputs go through in pieces with the same result.
template <class Config>
class Workspace {
 public:
  using Layers = LayersOf<Config>;
  static constexpr std::size_t default_tokens = 512;

  // Bytes for passes of `tokens` tokens in at most `sequences` sequences.
  static constexpr std::size_t bytes(std::size_t tokens, std::size_t sequences = 1) {
    constexpr std::size_t hidden = Layers::Text::hidden_size;
    std::size_t layer = 0;
    if constexpr (Layers::linear_layers > 0) {
      layer = std::max(layer, Layers::LinearLayer::workspace_bytes(tokens, hidden));
    }
    if constexpr (Layers::full_layers > 0) {
      layer = std::max(layer, Layers::FullLayer::workspace_bytes(tokens, hidden));
    }
    const std::size_t rotary =
        2 * Arena::cost<float>(tokens * ((Layers::Text::head_dim + 1) / 2 + 1)) + Arena::cost<std::int32_t>(3 * tokens);
    const std::size_t masks = Arena::cost<TokenSpan>(sequences) + Arena::cost<std::uint8_t>(tokens) +
                              Arena::cost<std::size_t>(tokens) + Arena::cost<const std::uint8_t*>(sequences) +
                              Arena::cost<GatedDeltaNetState>(sequences) + Arena::cost<GatedAttentionState>(sequences);
    return masks + rotary + router_bytes(tokens) + Arena::cost<float>(tokens * hidden) + layer;
  }

  Workspace() = default;
  explicit Workspace(std::size_t tokens, std::size_t sequences = 1)
      : tokens_(tokens), sequences_(sequences), arena_(bytes(tokens, sequences)) {}
  // In the caller's memory: at least bytes(tokens, sequences), aligned to 64.
  Workspace(std::span<std::byte> memory, std::size_t tokens, std::size_t sequences = 1)
      : tokens_(tokens), sequences_(sequences), arena_(memory) {
    require<InputError>(memory.size() >= bytes(tokens, sequences), "workspace memory of ", memory.size(), " bytes, ",
                        bytes(tokens, sequences), " needed for ", tokens, " tokens");
  }

  std::size_t tokens() const { return tokens_; }
  std::size_t sequences() const { return sequences_; }
  Arena& arena() { return arena_; }

 private:
  static constexpr std::size_t router_bytes(std::size_t tokens) {
    if constexpr (requires { Layers::FeedForward::num_experts; }) {
      return Arena::cost<float>(tokens * Layers::FeedForward::num_experts);
    } else {
      return 0;
    }
  }

  std::size_t tokens_ = 0;
  std::size_t sequences_ = 0;
  Arena arena_;
};

QWEN35_END_NAMESPACE
