// SPDX-License-Identifier: Apache-2.0
// `config.json` held against the compiled type: shapes must match, values are taken from the file.
#pragma once

#include <qwen35/config/rope_fields.hpp>
#include <qwen35/config/vision_config.hpp>
#include <qwen35/core/result.hpp>

#include <initializer_list>
#include <span>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/json/dump.hpp>

#include <algorithm>
#endif

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

  // Of a text config and of a composite one, as in the reference.
  const TextValues& get_text_config() const { return *this; }
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
  TextValues text_config;
  TokenId image_token_id = -1;  // the last four: -1 for a text-only type
  TokenId video_token_id = -1;
  TokenId vision_start_token_id = -1;
  TokenId vision_end_token_id = -1;

  const TextValues& get_text_config() const { return text_config; }
  template <class Config>
  static ConfigValues from() {
    ConfigValues values;
    values.text_config = TextValues::from<Config>();
    if constexpr (is_multimodal<Config>) {
      values.image_token_id = Config::image_token_id;
      values.video_token_id = Config::video_token_id;
      values.vision_start_token_id = Config::vision_start_token_id;
      values.vision_end_token_id = Config::vision_end_token_id;
    }
    return values;
  }
};

namespace detail {

struct SizeField {
  std::string_view key;
  std::size_t absent;  // the reference's default
  std::size_t type;    // what the compiled type has
};

// Collects every difference between the file and the type.
class Differences {
 public:
  // `said`: the file has the value, it is no default.
  template <class T>
  void compare(const JsonFields& fields, std::string_view key, const T& file, const T& type, bool said) {
    if (file != type) {
      add(concat(fields.place(key), said ? ": the file has " : ": the file does not say, by default ",
                 fields.own_word(key), file, ", the type ", type));
    }
  }
  template <class T>
  void compare(const JsonFields& fields, std::string_view key, const T& file, const T& type) {
    compare(fields, key, file, type, fields.find(key) != nullptr);
  }
  void compare(const JsonFields& fields, std::initializer_list<SizeField> sizes);
  void add(const std::string& line);
  // Nothing: the file describes the type.
  std::optional<Failure> failure(const std::string& file) const;

 private:
  static constexpr std::size_t shown = 60;

  std::string lines_;
  std::size_t count_ = 0;
};

void compare_layer_types(const JsonFields& text, std::size_t layers, std::span<const LayerType> type,
                         Differences& differences);

// Of a model_type that is none of ours: there is nothing to compare, its fields and their defaults are another
// family's. `part`: what may stand behind the family's name. A file need not say its model_type: "".
std::optional<Failure> other_family(const JsonFields& top, std::string_view model_type, std::string_view part);

// qwen3_5_moe, of qwen3_5_moe_text too.
constexpr std::string_view family_of(std::string_view model_type, std::string_view part = "_text") {
  return model_type.substr(0, model_type.size() - (model_type.ends_with(part) ? part.size() : 0));
}

template <class Text>
inline TextValues check_text(const JsonFields& text, std::string_view family, Differences& differences) {
  // The default of an absent key is the reference's for the family, not the type's.
  using Defaults = std::conditional_t<is_moe<Text>, MoeTextDefaults, DenseTextDefaults>;
  differences.compare(text, "model_type", family, std::string_view(is_moe<Text> ? "qwen3_5_moe_text" : "qwen3_5_text"),
                      true);
  differences.compare(text,
                      {{"vocab_size", Defaults::vocab_size, Text::vocab_size},
                       {"hidden_size", Defaults::hidden_size, Text::hidden_size},
                       {"num_hidden_layers", Defaults::num_hidden_layers, Text::num_hidden_layers},
                       {"num_attention_heads", Defaults::num_attention_heads, Text::num_attention_heads},
                       {"num_key_value_heads", Defaults::num_key_value_heads, Text::num_key_value_heads},
                       {"head_dim", Defaults::head_dim, Text::head_dim},
                       {"linear_conv_kernel_dim", Defaults::linear_conv_kernel_dim, Text::linear_conv_kernel_dim},
                       {"linear_key_head_dim", Defaults::linear_key_head_dim, Text::linear_key_head_dim},
                       {"linear_value_head_dim", Defaults::linear_value_head_dim, Text::linear_value_head_dim},
                       {"linear_num_key_heads", Defaults::linear_num_key_heads, Text::linear_num_key_heads},
                       {"linear_num_value_heads", Defaults::linear_num_value_heads, Text::linear_num_value_heads}});
  if constexpr (is_moe<Text>) {
    differences.compare(text, {{"moe_intermediate_size", Defaults::moe_intermediate_size, Text::moe_intermediate_size},
                               {"shared_expert_intermediate_size", Defaults::shared_expert_intermediate_size,
                                Text::shared_expert_intermediate_size},
                               {"num_experts_per_tok", Defaults::num_experts_per_tok, Text::num_experts_per_tok},
                               {"num_experts", Defaults::num_experts, Text::num_experts}});
  } else {
    differences.compare(text, {{"intermediate_size", Defaults::intermediate_size, Text::intermediate_size}});
  }
  differences.compare(text, "attention_bias", text.boolean("attention_bias", Defaults::attention_bias),
                      Text::attention_bias);
  differences.compare(text, "hidden_act", std::string_view(text.text("hidden_act", name(Defaults::hidden_act))),
                      name(Text::hidden_act));
  compare_layer_types(text, text.size("num_hidden_layers", Defaults::num_hidden_layers), Text::layer_types,
                      differences);

  TextValues values = TextValues::from<Defaults>();
  values.rms_norm_eps = text.number("rms_norm_eps", values.rms_norm_eps);
  text.expect(values.rms_norm_eps >= 0.0, "rms_norm_eps", "a number not below 0");
  values.max_position_embeddings = text.size("max_position_embeddings", values.max_position_embeddings);
  text.expect(values.max_position_embeddings > 0, "max_position_embeddings", "a number above 0");
  values.rope_parameters = read_rope(text, values.max_position_embeddings);
  values.use_cache = text.boolean("use_cache", values.use_cache);
  values.output_router_logits = text.boolean("output_router_logits", values.output_router_logits);
  values.router_aux_loss_coef = text.number("router_aux_loss_coef", values.router_aux_loss_coef);
  values.pad_token_id = text.token_ids("pad_token_id");
  values.bos_token_id = text.token_ids("bos_token_id");
  values.eos_token_id = text.token_ids("eos_token_id");
  constexpr RopeParameters type = Text::rope_parameters;
  const JsonFields rope = rope_fields(text);
  constexpr std::string_view factor = "partial_rotary_factor", section = "mrope_section";
  differences.compare(
      text, "rope_parameters.partial_rotary_factor", number_text(values.rope_parameters.partial_rotary_factor),
      number_text(type.partial_rotary_factor), rope.find(factor) != nullptr || text.find(factor) != nullptr);
  for (std::size_t i = 0; i < 3; ++i) {
    differences.compare(text, concat("rope_parameters.mrope_section[", i, "]"), values.rope_parameters.mrope_section[i],
                        type.mrope_section[i], rope.find(section) != nullptr);
  }
  return values;
}

template <class Vision>
inline void check_vision(const JsonFields& vision, Differences& differences) {
  using Defaults = VisionDefaults;
  differences.compare(
      vision, {{"depth", Defaults::depth, Vision::depth},
               {"hidden_size", Defaults::hidden_size, Vision::hidden_size},
               {"intermediate_size", Defaults::intermediate_size, Vision::intermediate_size},
               {"num_heads", Defaults::num_heads, Vision::num_heads},
               {"in_channels", Defaults::in_channels, Vision::in_channels},
               {"patch_size", Defaults::patch_size, Vision::patch_size},
               {"spatial_merge_size", Defaults::spatial_merge_size, Vision::spatial_merge_size},
               {"temporal_patch_size", Defaults::temporal_patch_size, Vision::temporal_patch_size},
               {"out_hidden_size", Defaults::out_hidden_size, Vision::out_hidden_size},
               {"num_position_embeddings", Defaults::num_position_embeddings, Vision::num_position_embeddings}});
  differences.compare(vision, "hidden_act", std::string_view(vision.text("hidden_act", name(Defaults::hidden_act))),
                      name(Vision::hidden_act));
}

}  // namespace detail

// What is to be said of a full_attention_interval that contradicts layer_types, which counts, as in the reference; "":
// nothing.
std::string unheeded_interval(const json::Value& config);

// Holds the vision_config of a composite config file, or the config file of a tower alone, against Vision. Raises one
// ConfigError with every difference, or for a file of another family.
template <class Vision>
void check_vision(const json::Value& config) {
  if (!holds<ConfigError>(config.is_object(), "config.json: expected an object")) {
    return;
  }
  const JsonFields top(&config, "config");
  const std::string model_type = top.text("model_type", "");
  const bool alone = model_type.ends_with("_vision");
  const json::Value* const vision = alone ? &config : top.object("vision_config");
  if (!holds<ConfigError>(vision != nullptr, "config.json: no vision_config, the model reads text alone")) {
    return;
  }
  if (const auto failure = detail::other_family(top, model_type, "_vision")) {
    decline(*failure);
    return;
  }
  detail::Differences differences;
  detail::check_vision<Vision>(JsonFields(vision, "vision_config"), differences);
  if (const auto failure = differences.failure(JsonFields(vision, "vision_config").file())) {
    decline(*failure);
  }
}

// Holds a config file (composite or text-only) against Config (composite or text-only). Unknown keys are ignored, an
// absent key means the reference's default. The failure lists every shape that differs, with both values and whether
// the file's is a default, or says that the file is of another family. Raises
// ConfigError for a file that describes no model of any type: one that names a field of the wrong kind.
//
// A text-only file may describe the text part of a composite type: the vision sizes and token ids are then the type's.
template <class Config>
Result<ConfigValues> try_check(const json::Value& config) {
  if (!holds<ConfigError>(config.is_object(), "config.json: expected an object")) {
    return ConfigValues::from<Config>();
  }
  const JsonFields top(&config, "config");
  const std::string model_type = top.text("model_type", "");
  const bool composite = top.object("text_config") != nullptr || top.object("vision_config") != nullptr ||
                         model_type == "qwen3_5_moe" || model_type == "qwen3_5";
  const JsonFields text(composite ? top.object("text_config") : &config, composite ? "text_config" : "config");
  const std::string text_type = text.text("model_type", model_type);
  for (const std::string& each : {model_type, text_type}) {
    if (auto failure = detail::other_family(top, each, "_text")) {
      return std::move(*failure);
    }
  }
  detail::Differences differences;
  // Without a model_type a file is of the type's family.
  constexpr std::string_view own = is_moe<Config> ? "qwen3_5_moe" : "qwen3_5";
  const std::string family(text_type.empty() ? own : detail::family_of(text_type));
  if (!model_type.empty() && detail::family_of(model_type) != family) {
    differences.compare(top, "model_type", detail::family_of(model_type), own);
  }
  ConfigValues values = ConfigValues::from<Config>();
  values.text_config = detail::check_text<text_config_t<Config>>(text, family + "_text", differences);
  // A composite file has the flag at both levels; the multimodal model goes by the outer one, the text model by the
  // inner.
  const JsonFields& flags = is_multimodal<Config> ? top : text;
  differences.compare(flags, "tie_word_embeddings", flags.boolean("tie_word_embeddings", false),
                      tied_embeddings<Config>);
  if constexpr (is_multimodal<Config>) {
    if (composite) {
      detail::check_vision<typename Config::vision_config>(JsonFields(top.object("vision_config"), "vision_config"),
                                                           differences);
      values.image_token_id = top.token_id("image_token_id", CompositeDefaults::image_token_id);
      values.video_token_id = top.token_id("video_token_id", CompositeDefaults::video_token_id);
      values.vision_start_token_id = top.token_id("vision_start_token_id", CompositeDefaults::vision_start_token_id);
      values.vision_end_token_id = top.token_id("vision_end_token_id", CompositeDefaults::vision_end_token_id);
    }
  }
  if (auto failure = differences.failure(top.file())) {
    return std::move(*failure);
  }
  return values;
}

// The same, with the failure raised as ConfigError.
template <class Config>
ConfigValues check(const json::Value& config) {
  Result<ConfigValues> values = try_check<Config>(config);
  if (!values) {
    decline(values.failure());
    return ConfigValues::from<Config>();
  }
  return std::move(values).value();
}

#if QWEN35_BODIES

namespace detail {

QWEN35_BODY void Differences::compare(const JsonFields& fields, std::initializer_list<SizeField> sizes) {
  for (const SizeField& size : sizes) {
    compare(fields, size.key, fields.size(size.key, size.absent), size.type);
  }
}

QWEN35_BODY void Differences::add(const std::string& line) {
  if (count_++ < shown) {
    lines_ += "\n  " + line;
  }
}

QWEN35_BODY std::optional<Failure> Differences::failure(const std::string& file) const {
  if (count_ == 0) {
    return std::nullopt;
  }
  return Failure{ErrorKind::config, concat(file, " does not describe the compiled model:", lines_,
                                           count_ > shown ? concat("\n  and ", count_ - shown, " more") : "")};
}

QWEN35_BODY void compare_layer_types(const JsonFields& text, std::size_t layers, std::span<const LayerType> type,
                                     Differences& differences) {
  std::vector<std::string> file;
  if (const json::Value* const types = text.list("layer_types")) {
    for (const json::Value& item : types->items()) {
      if (!text.expect(item.is_string(), "layer_types", "a list of names")) {
        return;
      }
      file.push_back(item.as_string());
    }
    text.expect(file.size() == layers, "layer_types",
                concat("one entry for each of num_hidden_layers (", layers, "), not ", file.size()));
  } else {
    const std::size_t interval = text.size("full_attention_interval", 4);
    if (!text.expect(interval > 0, "full_attention_interval", "a number above 0")) {
      return;
    }
    for (std::size_t i = 0; i < std::min(layers, type.size()); ++i) {
      file.emplace_back(name((i + 1) % interval == 0 ? LayerType::full_attention : LayerType::linear_attention));
    }
  }
  for (std::size_t i = 0; i < std::min(file.size(), type.size()); ++i) {
    if (file[i] != name(type[i])) {
      differences.add(
          concat(text.place("layer_types"), "[", i, "]: the file has ", file[i], ", the type ", name(type[i])));
    }
  }
}

QWEN35_BODY std::optional<Failure> other_family(const JsonFields& top, std::string_view model_type,
                                                std::string_view part) {
  const std::string_view family = family_of(model_type, part);
  if (family == "qwen3_5_moe" || family == "qwen3_5" || model_type.empty()) {
    return std::nullopt;
  }
  return Failure{ErrorKind::config, concat(top.file(), ": model_type \"", shortened(model_type),
                                           "\" is another family, expected qwen3_5_moe or qwen3_5")};
}

}  // namespace detail

QWEN35_BODY std::string unheeded_interval(const json::Value& config) {
  const json::Value* const inner = config.find("text_config");
  const json::Value& text = inner == nullptr ? config : *inner;
  const json::Value* const types = text.find("layer_types");
  const json::Value* const given = text.find("full_attention_interval");
  if (types == nullptr || !types->is_array() || given == nullptr || given->is_null()) {
    return "";
  }
  const json::Value interval = JsonFields::plain(*given);
  const auto agrees = [&](std::size_t i) {
    const std::int64_t every = interval.as_integer();
    const bool full = every > 0 && static_cast<std::int64_t>(i + 1) % every == 0;
    return types->items()[i] == name(full ? LayerType::full_attention : LayerType::linear_attention);
  };
  std::size_t i = 0;
  while (interval.is_integer() && i < types->size() && agrees(i)) {
    ++i;
  }
  return i == types->size() ? ""
                            : concat(inner == nullptr ? "config" : "text_config", ".full_attention_interval ",
                                     shortened(json::dump(*given)), " contradicts layer_types, which counts: entry ", i,
                                     " is ", shortened(json::dump(types->items()[i])));
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
