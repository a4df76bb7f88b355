// SPDX-License-Identifier: Apache-2.0
// Which token mixer each decoder layer has: the `layer_types` entry of a config.
#pragma once

#include <qwen35/core/abi.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

QWEN35_BEGIN_NAMESPACE

enum class LayerType : std::uint8_t { linear_attention, full_attention };

constexpr std::string_view name(LayerType type) {
  return type == LayerType::linear_attention ? "linear_attention" : "full_attention";
}

// The published pattern: layer i is full attention iff (i + 1) mod `full_attention_interval` == 0.
template <std::size_t NumHiddenLayers>
constexpr std::array<LayerType, NumHiddenLayers> hybrid_layer_types(std::size_t full_attention_interval = 4) {
  std::array<LayerType, NumHiddenLayers> types{};
  for (std::size_t i = 0; i < NumHiddenLayers; ++i) {
    types[i] = (i + 1) % full_attention_interval == 0 ? LayerType::full_attention : LayerType::linear_attention;
  }
  return types;
}

QWEN35_END_NAMESPACE
