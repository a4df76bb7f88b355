// SPDX-License-Identifier: Apache-2.0
// A model's config.json as the reference writes it, from the type and the values that a file may change.
#pragma once

#include <qwen35/config/config_file.hpp>

#include <string>
#include <string_view>

QWEN35_BEGIN_NAMESPACE

namespace detail {

json::Value token_ids_json(const TokenIds& ids);

// Of a config that is no text config's base: 0.02, the reference's default.
template <class C>
double written_initializer_range() {
  if constexpr (requires { C::initializer_range; }) {
    return C::initializer_range;
  } else {
    return 0.02;
  }
}

json::Value rope_json(const RopeParameters& rope);

}  // namespace detail

// "Qwen3_5Moe" or "Qwen3_5", what the reference's class names of the family begin with, and `rest`.
template <class Config>
std::string architecture(std::string_view rest) {
  return concat(is_moe<Config> ? "Qwen3_5Moe" : "Qwen3_5", rest);
}

// A text config, alone or in a composite one. Config: composite or text; `tied`: its tie_word_embeddings.
template <class Config>
json::Value text_config_json(const TextValues& values, bool tied) {
  using Text = text_config_t<Config>;
  json::Value out = json::Value::object();
  out["model_type"] = is_moe<Text> ? "qwen3_5_moe_text" : "qwen3_5_text";
  out["vocab_size"] = Text::vocab_size;
  out["hidden_size"] = Text::hidden_size;
  out["num_hidden_layers"] = Text::num_hidden_layers;
  out["num_attention_heads"] = Text::num_attention_heads;
  out["num_key_value_heads"] = Text::num_key_value_heads;
  out["head_dim"] = Text::head_dim;
  out["hidden_act"] = name(Text::hidden_act);
  out["max_position_embeddings"] = values.max_position_embeddings;
  out["initializer_range"] = detail::written_initializer_range<Text>();
  out["rms_norm_eps"] = values.rms_norm_eps;
  out["use_cache"] = values.use_cache;
  out["tie_word_embeddings"] = tied;
  out["rope_parameters"] = detail::rope_json(values.rope_parameters);
  // For every type but "default" the reference lets this level win.
  out["partial_rotary_factor"] = values.rope_parameters.partial_rotary_factor;
  out["attention_bias"] = Text::attention_bias;
  out["attention_dropout"] = 0.0;
  out["linear_conv_kernel_dim"] = Text::linear_conv_kernel_dim;
  out["linear_key_head_dim"] = Text::linear_key_head_dim;
  out["linear_value_head_dim"] = Text::linear_value_head_dim;
  out["linear_num_key_heads"] = Text::linear_num_key_heads;
  out["linear_num_value_heads"] = Text::linear_num_value_heads;
  for (const LayerType type : Text::layer_types) {
    out["layer_types"].push_back(name(type));
  }
  if constexpr (is_moe<Text>) {
    out["moe_intermediate_size"] = Text::moe_intermediate_size;
    out["shared_expert_intermediate_size"] = Text::shared_expert_intermediate_size;
    out["num_experts_per_tok"] = Text::num_experts_per_tok;
    out["num_experts"] = Text::num_experts;
    out["output_router_logits"] = values.output_router_logits;
    out["router_aux_loss_coef"] = values.router_aux_loss_coef;
  } else {
    out["intermediate_size"] = Text::intermediate_size;
  }
  out["pad_token_id"] = detail::token_ids_json(values.pad_token_id);
  out["bos_token_id"] = detail::token_ids_json(values.bos_token_id);
  out["eos_token_id"] = detail::token_ids_json(values.eos_token_id);
  return out;
}

// A vision config, alone or in a composite one. `moe`: of a composite config with experts.
template <VisionConfig Vision>
json::Value vision_config_json(bool moe) {
  json::Value out = json::Value::object();
  out["model_type"] = moe ? "qwen3_5_moe_vision" : "qwen3_5_vision";
  out["depth"] = Vision::depth;
  out["hidden_size"] = Vision::hidden_size;
  out["hidden_act"] = name(Vision::hidden_act);
  out["intermediate_size"] = Vision::intermediate_size;
  out["num_heads"] = Vision::num_heads;
  out["in_channels"] = Vision::in_channels;
  out["patch_size"] = Vision::patch_size;
  out["spatial_merge_size"] = Vision::spatial_merge_size;
  out["temporal_patch_size"] = Vision::temporal_patch_size;
  out["out_hidden_size"] = Vision::out_hidden_size;
  out["num_position_embeddings"] = Vision::num_position_embeddings;
  out["initializer_range"] = detail::written_initializer_range<Vision>();
  return out;
}

// The config of a multimodal model.
template <class Config>
json::Value composite_config_json(const ConfigValues& values) {
  json::Value out = json::Value::object();
  out["model_type"] = is_moe<Config> ? "qwen3_5_moe" : "qwen3_5";
  out["text_config"] = text_config_json<Config>(values.text_config, text_config_t<Config>::tie_word_embeddings);
  out["vision_config"] = vision_config_json<vision_config_t<Config>>(is_moe<Config>);
  out["image_token_id"] = values.image_token_id;
  out["video_token_id"] = values.video_token_id;
  out["vision_start_token_id"] = values.vision_start_token_id;
  out["vision_end_token_id"] = values.vision_end_token_id;
  out["tie_word_embeddings"] = tied_embeddings<Config>;
  return out;
}

#if QWEN35_BODIES

namespace detail {

QWEN35_BODY json::Value token_ids_json(const TokenIds& ids) {
  if (ids.empty()) {
    return {};
  }
  if (ids.size() == 1) {
    return ids[0];
  }
  json::Value list = json::Value::array();
  for (const TokenId id : ids) {
    list.push_back(id);
  }
  return list;
}

QWEN35_BODY json::Value rope_json(const RopeParameters& rope) {
  json::Value out = json::Value::object();
  out["rope_type"] = name(rope.rope_type);
  out["rope_theta"] = rope.rope_theta;
  out["partial_rotary_factor"] = rope.partial_rotary_factor;
  out["mrope_interleaved"] = true;
  for (const std::size_t section : rope.mrope_section) {
    out["mrope_section"].push_back(section);
  }
  const auto optional = [&](const char* key, const auto& value) {
    if (value) {
      out[key] = *value;
    }
  };
  if (rope.rope_type == RopeType::yarn) {
    out["factor"] = nullptr;  // the key must be there, be it with a null
  }
  optional("factor", rope.factor);
  optional("original_max_position_embeddings", rope.original_max_position_embeddings);
  optional("attention_factor", rope.attention_factor);
  optional("beta_fast", rope.beta_fast);
  optional("beta_slow", rope.beta_slow);
  optional("mscale", rope.mscale);
  optional("mscale_all_dim", rope.mscale_all_dim);
  optional("low_freq_factor", rope.low_freq_factor);
  optional("high_freq_factor", rope.high_freq_factor);
  if (!rope.truncate) {
    out["truncate"] = false;
  }
  const auto factors = [&](const char* key, const FactorList& list) {
    for (const double factor : list) {
      out[key].push_back(factor);
    }
  };
  factors("short_factor", rope.short_factor);
  factors("long_factor", rope.long_factor);
  return out;
}

}  // namespace detail

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
