// SPDX-License-Identifier: Apache-2.0
// Text configs with the reference's default for every field. A model is a struct that derives from one of these and
// overrides members.
#pragma once

#include <qwen35/config/layer_types.hpp>
#include <qwen35/config/rope_parameters.hpp>
#include <qwen35/config/token_ids.hpp>

QWEN35_BEGIN_NAMESPACE

enum class Activation : std::uint8_t { silu, gelu_pytorch_tanh, gelu };

constexpr std::string_view name(Activation act) {
  constexpr std::array<std::string_view, 3> names = {"silu", "gelu_pytorch_tanh", "gelu"};
  return names[static_cast<std::size_t>(act)];
}

// Fields shared by the mixture-of-experts and the dense family; values of Qwen3_5MoeTextConfig. A struct that overrides
// `num_hidden_layers` overrides `layer_types` too.
struct HybridTextDefaults {
  static constexpr std::size_t vocab_size = 248320;
  static constexpr std::size_t hidden_size = 2048;
  static constexpr std::size_t num_hidden_layers = 40;
  static constexpr std::size_t num_attention_heads = 16;
  static constexpr std::size_t num_key_value_heads = 2;
  static constexpr std::size_t head_dim = 256;
  static constexpr Activation hidden_act = Activation::silu;
  static constexpr std::size_t max_position_embeddings = 32768;
  static constexpr double initializer_range = 0.02;
  static constexpr double rms_norm_eps = 1e-6;
  static constexpr bool use_cache = true;
  static constexpr bool tie_word_embeddings = false;
  static constexpr RopeParameters rope_parameters{};
  static constexpr bool attention_bias = false;
  static constexpr double attention_dropout = 0.0;
  static constexpr std::size_t linear_conv_kernel_dim = 4;
  static constexpr std::size_t linear_key_head_dim = 128;
  static constexpr std::size_t linear_value_head_dim = 128;
  static constexpr std::size_t linear_num_key_heads = 16;
  static constexpr std::size_t linear_num_value_heads = 32;
  static constexpr auto layer_types = hybrid_layer_types<num_hidden_layers>();
  static constexpr TokenIds pad_token_id{};
  static constexpr TokenIds bos_token_id{};
  static constexpr TokenIds eos_token_id{};
};

// Qwen3_5MoeTextConfig.
struct MoeTextDefaults : HybridTextDefaults {
  static constexpr std::size_t moe_intermediate_size = 512;
  static constexpr std::size_t shared_expert_intermediate_size = 512;
  static constexpr std::size_t num_experts_per_tok = 8;
  static constexpr std::size_t num_experts = 256;
  static constexpr bool output_router_logits = false;
  static constexpr double router_aux_loss_coef = 0.001;
};

// Qwen3_5TextConfig, the dense siblings: a SwiGLU feed-forward in the experts' place.
struct DenseTextDefaults : HybridTextDefaults {
  static constexpr std::size_t hidden_size = 4096;
  static constexpr std::size_t intermediate_size = 12288;
  static constexpr std::size_t num_hidden_layers = 32;
  static constexpr std::size_t num_key_value_heads = 4;
  static constexpr auto layer_types = hybrid_layer_types<num_hidden_layers>();
};

QWEN35_END_NAMESPACE
