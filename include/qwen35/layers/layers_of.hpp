// SPDX-License-Identifier: Apache-2.0
// The one place that maps a config to numbers: the layer types of a model.
#pragma once

#include <qwen35/config/text_config.hpp>
#include <qwen35/layers/decoder_layer.hpp>
#include <qwen35/layers/gated_attention.hpp>
#include <qwen35/layers/gated_delta_net.hpp>
#include <qwen35/layers/moe_block.hpp>

QWEN35_BEGIN_NAMESPACE

namespace detail {

template <class Text, bool Moe>
struct FeedForwardOf {
  using type = Mlp<Text::intermediate_size, Text::hidden_act>;
};
template <class Text>
struct FeedForwardOf<Text, true> {
  using type = MoeBlock<Text::num_experts, Text::num_experts_per_tok, Text::moe_intermediate_size,
                        Text::shared_expert_intermediate_size, Text::hidden_act>;
};

template <class Config>
inline constexpr bool is_text_config = TextConfig<typename TextConfigOf<Config>::type>;

// The text part of a config; of what is none, so that the compiler has that one thing to say, of another.
template <class Config>
using checked_text_config_t = std::conditional_t<is_text_config<Config>, text_config_t<Config>, MoeTextDefaults>;

}  // namespace detail

// Each class of a model begins with it: the outermost then says what is wrong, and no other does again.
template <class Config>
struct RequireTextConfig {
  static_assert(detail::is_text_config<Config>,
                "the model's Config is none: derive it from qwen35::MoeTextDefaults, "
                "DenseTextDefaults or CompositeDefaults, or let qwen35_add_config() write it");
};

// The layers of a config (composite or text). A layer type that the config has none of may be named, not used.
template <class Config>
struct LayersOf {
  static_assert(sizeof(RequireTextConfig<Config>) > 0);
  using Text = detail::checked_text_config_t<Config>;
  using Linear = GatedDeltaNet<Text::linear_num_value_heads, Text::linear_key_head_dim, Text::linear_num_key_heads,
                               Text::linear_value_head_dim, Text::linear_conv_kernel_dim>;
  using Full = GatedAttention<Text::num_attention_heads, Text::num_key_value_heads, Text::head_dim>;
  using FeedForward = typename detail::FeedForwardOf<Text, is_moe<Text>>::type;
  using LinearLayer = DecoderLayer<Linear, FeedForward>;
  using FullLayer = DecoderLayer<Full, FeedForward>;

  static constexpr std::size_t count(LayerType type) {
    std::size_t found = 0;
    for (const LayerType other : Text::layer_types) {
      found += other == type ? 1 : 0;
    }
    return found;
  }
  static constexpr std::size_t linear_layers = count(LayerType::linear_attention);
  static constexpr std::size_t full_layers = count(LayerType::full_attention);
};

QWEN35_END_NAMESPACE
