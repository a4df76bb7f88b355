// SPDX-License-Identifier: Apache-2.0
// A small model with every kind of parameter: experts, biases, both token mixers, a vision tower.
#pragma once

#include <qwen35/config/vision_config.hpp>

namespace weights_test {

// Sizes without common factors.
struct SmallText : qwen35::MoeTextDefaults {
  static constexpr std::size_t vocab_size = 11;
  static constexpr std::size_t hidden_size = 6;
  static constexpr std::size_t num_hidden_layers = 2;
  static constexpr auto layer_types = qwen35::hybrid_layer_types<2>(2);
  static constexpr std::size_t num_attention_heads = 4;
  static constexpr std::size_t num_key_value_heads = 2;
  static constexpr std::size_t head_dim = 10;
  static constexpr std::size_t linear_num_key_heads = 1;
  static constexpr std::size_t linear_num_value_heads = 2;
  static constexpr std::size_t linear_key_head_dim = 3;
  static constexpr std::size_t linear_value_head_dim = 5;
  static constexpr std::size_t num_experts = 4;
  static constexpr std::size_t num_experts_per_tok = 2;
  static constexpr std::size_t moe_intermediate_size = 7;
  static constexpr std::size_t shared_expert_intermediate_size = 9;
  static constexpr bool attention_bias = true;
};

struct SmallVision : qwen35::VisionDefaults {
  static constexpr std::size_t depth = 1;
  static constexpr std::size_t hidden_size = 8;
  static constexpr std::size_t intermediate_size = 12;
  static constexpr std::size_t num_heads = 2;
  static constexpr std::size_t patch_size = 2;
  static constexpr std::size_t num_position_embeddings = 4;
  static constexpr std::size_t out_hidden_size = 6;
};

struct SmallComposite : qwen35::CompositeDefaults {
  using text_config = SmallText;
  using vision_config = SmallVision;
};

}  // namespace weights_test
