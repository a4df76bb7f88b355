// SPDX-License-Identifier: Apache-2.0
// `config.json` held against the compiled type: shapes must match, values are taken from the file.
#pragma once

#include <qwen35/config/vision_config.hpp>
#include <qwen35/json/value.hpp>

#include <cmath>
#include <limits>

QWEN35_BEGIN_NAMESPACE

// The fields of a text config that are values, not shapes.
struct TextValues {
  double rms_norm_eps = 1e-6;
  RopeParameters rope_parameters{};
  std::size_t max_position_embeddings = 32768;
  bool use_cache = true;
  bool output_router_logits = false;
  double router_aux_loss_coef = 0.001;
  TokenIds pad_token_id{};
  TokenIds bos_token_id{};
  TokenIds eos_token_id{};

  // The type's own values. Config: composite or text.
  template <class Config>
  static TextValues from() {
    using Text = text_config_t<Config>;
    TextValues values{.rms_norm_eps = Text::rms_norm_eps,
                      .rope_parameters = Text::rope_parameters,
                      .max_position_embeddings = Text::max_position_embeddings,
                      .use_cache = Text::use_cache,
                      .pad_token_id = Text::pad_token_id,
                      .bos_token_id = Text::bos_token_id,
                      .eos_token_id = Text::eos_token_id};
    if constexpr (is_moe<Text>) {
      values.output_router_logits = Text::output_router_logits;
      values.router_aux_loss_coef = Text::router_aux_loss_coef;
    }
    return values;
  }
};

struct ConfigValues {
  TextValues text;
  TokenId image_token_id = -1;
  TokenId video_token_id = -1;
  TokenId vision_start_token_id = -1;
  TokenId vision_end_token_id = -1;
};

namespace detail {

// Reads typed fields of one JSON object; a field of the wrong kind is a ConfigError naming it.
class Fields {
 public:
  Fields(const json::Value* object, std::string_view where) : object_(object), where_(where) {
    require<ConfigError>(object == nullptr || object->is_object(), where, ": expected an object");
  }
  const json::Value* find(std::string_view key) const {
    const json::Value* const value = object_ == nullptr ? nullptr : object_->find(key);
    return value == nullptr || value->is_null() ? nullptr : value;
  }
  std::size_t size(std::string_view key, std::size_t absent) const {
    const json::Value* const value = find(key);
    if (value == nullptr) {
      return absent;
    }
    require<ConfigError>(value->is_integer() && value->as_integer() >= 0 && value->as_integer() < (std::int64_t{1} << 40), where_, ".", key,
                         ": expected a size, a whole number not below 0");
    return static_cast<std::size_t>(value->as_integer());
  }
  double number(std::string_view key, double absent) const { return optional_number(key).value_or(absent); }
  std::optional<double> optional_number(std::string_view key) const {
    const json::Value* const value = find(key);
    if (value == nullptr) {
      return std::nullopt;
    }
    require<ConfigError>(value->is_number() && std::isfinite(value->as_number()), where_, ".", key, ": expected a number");
    return value->as_number();
  }
  bool boolean(std::string_view key, bool absent) const {
    const json::Value* const value = find(key);
    require<ConfigError>(value == nullptr || value->is_bool(), where_, ".", key, ": expected true or false");
    return value == nullptr ? absent : value->as_bool();
  }
  std::string text(std::string_view key, std::string_view absent) const {
    const json::Value* const value = find(key);
    require<ConfigError>(value == nullptr || value->is_string(), where_, ".", key, ": expected a string");
    return value == nullptr ? std::string(absent) : value->as_string();
  }
  TokenIds token_ids(std::string_view key) const {
    const json::Value* const value = find(key);
    TokenIds ids;
    if (value == nullptr) {
      return ids;
    }
    const auto add = [&](const json::Value& item) {
      require<ConfigError>(item.is_integer() && item.as_integer() >= 0 && item.as_integer() <= std::numeric_limits<TokenId>::max(), where_, ".", key,
                           ": expected a token id or a list of them");
      ids.push_back(static_cast<TokenId>(item.as_integer()));
    };
    if (value->is_array()) {
      for (const json::Value& item : value->items()) {
        add(item);
      }
    } else {
      add(*value);
    }
    return ids;
  }
  TokenId token_id(std::string_view key, TokenId absent) const {
    const TokenIds ids = token_ids(key);
    return ids.empty() ? absent : ids[0];
  }
  const json::Value* object(std::string_view key) const {
    const json::Value* const value = find(key);
    require<ConfigError>(value == nullptr || value->is_object(), where_, ".", key, ": expected an object");
    return value;
  }
  const std::string& where() const { return where_; }

 private:
  const json::Value* object_;
  std::string where_;
};

inline FactorList factor_list(const Fields& fields, std::string_view key) {
  FactorList list;
  if (const json::Value* const value = fields.find(key)) {
    require<ConfigError>(value->is_array(), fields.where(), ".", key, ": expected a list of numbers");
    for (const json::Value& item : value->items()) {
      require<ConfigError>(item.is_number(), fields.where(), ".", key, ": expected a list of numbers");
      list.push_back(item.as_number());
    }
  }
  return list;
}

// The reference's resolution: the dict `rope_parameters`, replaced by a non-empty legacy `rope_scaling`; entries it lacks come from the top level,
// then from the class. For every type but "default" a second step lets the top level (0.25 when absent) win over the dict.
inline RopeParameters read_rope(const Fields& text) {
  const json::Value* dict = text.object("rope_parameters");
  if (const json::Value* const legacy = text.object("rope_scaling"); legacy != nullptr && legacy->size() > 0) {
    dict = legacy;
  }
  const Fields rope(dict, text.where() + ".rope_parameters");
  RopeParameters out{};
  const std::string type = rope.text("rope_type", rope.text("type", "default"));
  bool known = false;
  for (const RopeType candidate :
       {RopeType::default_, RopeType::linear, RopeType::dynamic, RopeType::yarn, RopeType::longrope, RopeType::llama3}) {
    if (name(candidate) == type) {
      out.rope_type = candidate;
      known = true;
    }
  }
  require<ConfigError>(known, rope.where(), ".rope_type: \"", type, "\" is none of default, linear, dynamic, yarn, longrope, llama3");
  out.rope_theta = rope.number("rope_theta", text.number("rope_theta", 10000.0));
  const double top_factor = text.number("partial_rotary_factor", 0.25);
  out.partial_rotary_factor = rope.number("partial_rotary_factor", top_factor);
  out.factor = rope.optional_number("factor");
  out.attention_factor = rope.optional_number("attention_factor");
  out.beta_fast = rope.optional_number("beta_fast");
  out.beta_slow = rope.optional_number("beta_slow");
  out.mscale = rope.optional_number("mscale");
  out.mscale_all_dim = rope.optional_number("mscale_all_dim");
  out.low_freq_factor = rope.optional_number("low_freq_factor");
  out.high_freq_factor = rope.optional_number("high_freq_factor");
  out.truncate = rope.boolean("truncate", true);
  out.short_factor = factor_list(rope, "short_factor");
  out.long_factor = factor_list(rope, "long_factor");
  if (rope.find("original_max_position_embeddings") != nullptr) {
    out.original_max_position_embeddings = rope.size("original_max_position_embeddings", 0);
  }
  if (out.rope_type != RopeType::default_) {
    out.partial_rotary_factor = top_factor;
    const bool extends = out.rope_type == RopeType::yarn || out.rope_type == RopeType::longrope || out.rope_type == RopeType::llama3;
    if (extends && text.find("original_max_position_embeddings") != nullptr) {
      out.original_max_position_embeddings = text.size("original_max_position_embeddings", 0);
    }
  }
  if (const json::Value* const section = rope.find("mrope_section")) {
    require<ConfigError>(section->is_array() && section->size() == 3, rope.where(), ".mrope_section: expected three sizes");
    for (std::size_t i = 0; i < 3; ++i) {
      const json::Value& item = section->items()[i];
      require<ConfigError>(item.is_integer() && item.as_integer() >= 0 && item.as_integer() < 4096, rope.where(), ".mrope_section: expected three sizes");
      out.mrope_section[i] = static_cast<std::size_t>(item.as_integer());
    }
  }
  require<ConfigError>(out.rope_theta > 0.0, rope.where(), ".rope_theta: expected a number above 0");
  return out;
}

// Collects every difference between the file and the type.
class Differences {
 public:
  template <class T>
  void compare(std::string_view where, std::string_view key, const T& file, const T& type) {
    if (file != type) {
      add(concat(where, ".", key, ": the file has ", file, ", the type ", type));
    }
  }
  void add(const std::string& line) { lines_ += "\n  " + line; }
  void finish() const { require<ConfigError>(lines_.empty(), "config.json does not describe the compiled model:", lines_); }

 private:
  std::string lines_;
};

template <class Text>
inline void compare_layer_types(const Fields& text, std::size_t layers, Differences& differences) {
  std::vector<std::string> file;
  if (const json::Value* const types = text.find("layer_types")) {
    require<ConfigError>(types->is_array(), text.where(), ".layer_types: expected a list");
    for (const json::Value& type : types->items()) {
      require<ConfigError>(type.is_string(), text.where(), ".layer_types: expected names");
      file.push_back(type.as_string());
    }
  } else {
    const std::size_t interval = text.size("full_attention_interval", 4);
    require<ConfigError>(interval > 0, text.where(), ".full_attention_interval: expected a number above 0");
    for (std::size_t i = 0; i < layers && layers < 100000; ++i) {
      file.emplace_back((i + 1) % interval == 0 ? "full_attention" : "linear_attention");
    }
  }
  differences.compare(text.where(), "layer_types (entries)", file.size(), Text::layer_types.size());
  for (std::size_t i = 0; i < file.size() && i < Text::layer_types.size(); ++i) {
    differences.compare(text.where(), concat("layer_types[", i, "]"), std::string_view(file[i]), name(Text::layer_types[i]));
  }
}

template <class Text>
inline TextValues check_text(const Fields& text, Differences& differences) {
  const auto size = [&](std::string_view key, std::size_t absent, std::size_t type) { differences.compare(text.where(), key, text.size(key, absent), type); };
  // The defaults of an absent key are the reference's for the family, not the type's.
  using Defaults = std::conditional_t<is_moe<Text>, MoeTextDefaults, DenseTextDefaults>;
  size("vocab_size", Defaults::vocab_size, Text::vocab_size);
  size("hidden_size", Defaults::hidden_size, Text::hidden_size);
  size("num_hidden_layers", Defaults::num_hidden_layers, Text::num_hidden_layers);
  size("num_attention_heads", Defaults::num_attention_heads, Text::num_attention_heads);
  size("num_key_value_heads", Defaults::num_key_value_heads, Text::num_key_value_heads);
  size("head_dim", Defaults::head_dim, Text::head_dim);
  size("linear_conv_kernel_dim", Defaults::linear_conv_kernel_dim, Text::linear_conv_kernel_dim);
  size("linear_key_head_dim", Defaults::linear_key_head_dim, Text::linear_key_head_dim);
  size("linear_value_head_dim", Defaults::linear_value_head_dim, Text::linear_value_head_dim);
  size("linear_num_key_heads", Defaults::linear_num_key_heads, Text::linear_num_key_heads);
  size("linear_num_value_heads", Defaults::linear_num_value_heads, Text::linear_num_value_heads);
  const std::string family = text.text("model_type", is_moe<Text> ? "qwen3_5_moe_text" : "qwen3_5_text");
  differences.compare(text.where(), "model_type (mixture of experts)", family.find("moe") != std::string::npos, is_moe<Text>);
  if constexpr (is_moe<Text>) {
    size("moe_intermediate_size", Defaults::moe_intermediate_size, Text::moe_intermediate_size);
    size("shared_expert_intermediate_size", Defaults::shared_expert_intermediate_size, Text::shared_expert_intermediate_size);
    size("num_experts_per_tok", Defaults::num_experts_per_tok, Text::num_experts_per_tok);
    size("num_experts", Defaults::num_experts, Text::num_experts);
  } else {
    size("intermediate_size", Defaults::intermediate_size, Text::intermediate_size);
  }
  differences.compare(text.where(), "attention_bias", text.boolean("attention_bias", false), Text::attention_bias);
  differences.compare(text.where(), "hidden_act", std::string_view(text.text("hidden_act", "silu")), name(Text::hidden_act));
  compare_layer_types<Text>(text, text.size("num_hidden_layers", Defaults::num_hidden_layers), differences);

  TextValues values;
  values.rms_norm_eps = text.number("rms_norm_eps", 1e-6);
  values.rope_parameters = read_rope(text);
  values.max_position_embeddings = text.size("max_position_embeddings", Defaults::max_position_embeddings);
  values.use_cache = text.boolean("use_cache", true);
  values.output_router_logits = text.boolean("output_router_logits", false);
  values.router_aux_loss_coef = text.number("router_aux_loss_coef", 0.001);
  values.pad_token_id = text.token_ids("pad_token_id");
  values.bos_token_id = text.token_ids("bos_token_id");
  values.eos_token_id = text.token_ids("eos_token_id");
  require<ConfigError>(values.max_position_embeddings > 0, text.where(), ".max_position_embeddings: expected a number above 0");
  const RopeParameters& type = Text::rope_parameters;
  if (values.rope_parameters.partial_rotary_factor != type.partial_rotary_factor) {
    differences.add(concat(text.where(), ".partial_rotary_factor: the file has ", values.rope_parameters.partial_rotary_factor, ", the type ",
                           type.partial_rotary_factor));
  }
  for (std::size_t i = 0; i < 3; ++i) {
    differences.compare(text.where(), concat("mrope_section[", i, "]"), values.rope_parameters.mrope_section[i], type.mrope_section[i]);
  }
  return values;
}

template <class Vision>
inline void check_vision(const Fields& vision, Differences& differences) {
  const auto size = [&](std::string_view key, std::size_t absent, std::size_t type) {
    differences.compare(vision.where(), key, vision.size(key, absent), type);
  };
  size("depth", VisionDefaults::depth, Vision::depth);
  size("hidden_size", VisionDefaults::hidden_size, Vision::hidden_size);
  size("intermediate_size", VisionDefaults::intermediate_size, Vision::intermediate_size);
  size("num_heads", VisionDefaults::num_heads, Vision::num_heads);
  size("in_channels", VisionDefaults::in_channels, Vision::in_channels);
  size("patch_size", VisionDefaults::patch_size, Vision::patch_size);
  size("spatial_merge_size", VisionDefaults::spatial_merge_size, Vision::spatial_merge_size);
  size("temporal_patch_size", VisionDefaults::temporal_patch_size, Vision::temporal_patch_size);
  size("out_hidden_size", VisionDefaults::out_hidden_size, Vision::out_hidden_size);
  size("num_position_embeddings", VisionDefaults::num_position_embeddings, Vision::num_position_embeddings);
  differences.compare(vision.where(), "hidden_act", std::string_view(vision.text("hidden_act", "gelu_pytorch_tanh")), name(Vision::hidden_act));
}

}  // namespace detail

// Holds a config file (composite or text-only) against Config. Unknown keys are ignored, an absent key means the reference's default. Raises one
// ConfigError that lists every shape that differs, with both values, or one that names a field of the wrong kind.
template <class Config>
ConfigValues check(const json::Value& config) {
  require<ConfigError>(config.is_object(), "config.json: expected an object");
  const detail::Fields top(&config, "config");
  const bool composite = top.object("text_config") != nullptr;
  const detail::Fields text(composite ? top.object("text_config") : &config, composite ? "text_config" : "config");
  detail::Differences differences;
  ConfigValues values;
  values.text = detail::check_text<text_config_t<Config>>(text, differences);
  // Both levels carry the flag in some files; a composite model goes by its own level, a text-only file by its only one.
  differences.compare(top.where(), "tie_word_embeddings", top.boolean("tie_word_embeddings", false), tied_embeddings<Config>);
  if constexpr (is_multimodal<Config>) {
    if (composite) {
      detail::check_vision<typename Config::vision_config>(detail::Fields(top.object("vision_config"), "vision_config"), differences);
    }
    values.image_token_id = top.token_id("image_token_id", CompositeDefaults::image_token_id);
    values.video_token_id = top.token_id("video_token_id", CompositeDefaults::video_token_id);
    values.vision_start_token_id = top.token_id("vision_start_token_id", CompositeDefaults::vision_start_token_id);
    values.vision_end_token_id = top.token_id("vision_end_token_id", CompositeDefaults::vision_end_token_id);
  }
  differences.finish();
  return values;
}

QWEN35_END_NAMESPACE
