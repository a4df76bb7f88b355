// SPDX-License-Identifier: Apache-2.0
// Scratch memory of a model's forward, sized by its config.
#pragma once

#include <qwen35/layers/layers_of.hpp>
#include <qwen35/model/forward_workspace.hpp>
#include <qwen35/model/ragged_pass.hpp>

QWEN35_BEGIN_NAMESPACE

// See ForwardWorkspace.
template <class Config>
class Workspace : public ForwardWorkspace {
 public:
  using Layers = LayersOf<Config>;
  static constexpr std::size_t default_tokens = 512;
  // A wanted row: the last hidden state and the logits.
  static constexpr std::size_t row_floats = Layers::Text::hidden_size + Layers::Text::vocab_size;

  // Bytes for passes of `tokens` tokens in at most `sequences` sequences, and for the results of a row of each.
  static constexpr std::size_t bytes(std::size_t tokens, std::size_t sequences = 1) {
    return arena_bytes(tokens, sequences) + Arena::cost<float>(sequences * row_floats);
  }
  std::size_t bytes() const { return ForwardWorkspace::bytes(); }

  explicit Workspace(std::size_t tokens, std::size_t sequences = 1) : ForwardWorkspace(tokens, sequences) {
    prepare(arena_bytes(tokens, sequences), row_floats, sequences);
  }
  // In the caller's memory: at least bytes(tokens, sequences), aligned to 64.
  Workspace(std::span<std::byte> memory, std::size_t tokens, std::size_t sequences = 1)
      : ForwardWorkspace(checked(memory, tokens, sequences), tokens, sequences, arena_bytes(tokens, sequences),
                         row_floats) {}

  // What passes take of the arena.
  static constexpr std::size_t arena_bytes(std::size_t tokens, std::size_t sequences) {
    constexpr std::size_t hidden = Layers::Text::hidden_size;
    std::size_t layer = 0;
    if constexpr (Layers::linear_layers > 0) {
      layer = std::max(layer, Layers::LinearLayer::workspace_bytes(tokens, hidden));
    }
    if constexpr (Layers::full_layers > 0) {
      layer = std::max(layer, Layers::FullLayer::workspace_bytes(tokens, hidden));
    }
    return scratch_bytes<PassScratch<ArenaMeter>>(
               PassSizes{tokens, sequences, (Layers::Text::head_dim + 1) / 2 + 1, hidden, experts()}) +
           layer;
  }
  // 0: no router.
  static constexpr std::size_t experts() {
    if constexpr (requires { Layers::FeedForward::num_experts; }) {
      return Layers::FeedForward::num_experts;
    } else {
      return 0;
    }
  }

 private:
  static std::span<std::byte> checked(std::span<std::byte> memory, std::size_t tokens, std::size_t sequences) {
    require<InputError>(memory.size() >= bytes(tokens, sequences), "workspace memory of ", memory.size(), " bytes, ",
                        bytes(tokens, sequences), " needed for ", tokens, " tokens");
    return memory;
  }
};

QWEN35_END_NAMESPACE
