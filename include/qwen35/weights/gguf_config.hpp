// SPDX-License-Identifier: Apache-2.0
// The config of a model in GGUF files, as the config.json of a folder has it: from their metadata, and from shapes
// where a key is missing.
#pragma once

#include <qwen35/unicode/utf8.hpp>
#include <qwen35/weights/gguf_parts.hpp>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

QWEN35_BEGIN_NAMESPACE

// What JSON that is made from a file calls it. (A path may be no UTF-8, texts of JSON are.)
inline std::string gguf_name(const GgufFile& file) {
  return unicode::repair_utf8(file.source);
}

// Beside the fields stands "key_names", see JsonFields: what the files call each of them, for messages; under "", the
// file. Raises
// ConfigError for a key that is missing and that no shape gives, or metadata that contradict each other.
json::Value gguf_config(const GgufModel& model);

namespace detail {

// A field of the config, the key that holds it, and where that is missing an axis of a tensor (of the first layer that
// has it).
struct GgufField {
  std::string_view field;
  std::string_view key;
  std::string_view tensor = {};
  std::size_t axis = 0;
};

// Fills in fields of one object of the config.
class GgufFields {
 public:
  // `prefix`: stands before the keys.
  GgufFields(const GgufFile& file, std::string prefix) : file_(file), prefix_(std::move(prefix)) {
    out["key_names"][""] = gguf_name(file);
  }

  json::Value out = json::Value::object();

  std::string key_name(std::string_view key) const { return prefix_ + std::string(key); }
  const GgufValue* find(std::string_view key) const { return file_.find(key_name(key)); }
  void set(std::string_view field, json::Value value, std::string_view called);
  void add(std::initializer_list<GgufField> fields);
  // The same for a number that a file may have for each layer: one for all that have any, 0 for the others.
  void add_of_layers(const GgufField& field);
  // A key that only confirms what this family is: where it is there, it holds one of `known`, which is `called` so.
  void expect(std::string_view key, std::initializer_list<json::Value> known, std::string_view called) const;
  // A whole number that a key has to have.
  std::size_t size(std::string_view key) const;

 private:
  const TensorInfo* find_tensor(std::string_view name) const;

  const GgufFile& file_;
  std::string prefix_;
};

// Linear attention or full attention, layer by layer: the array says it, or the interval, or the tensors of each layer.
void add_gguf_layer_types(const GgufFile& file, std::size_t layers, GgufFields& fields);

void add_gguf_rope(const GgufFile& file, GgufFields& fields);

json::Value gguf_text_config(const GgufFile& file);

json::Value gguf_vision_config(const GgufFile& file);

}  // namespace detail

#if QWEN35_BODIES

namespace detail {

QWEN35_BODY void GgufFields::set(std::string_view field, json::Value value, std::string_view called) {
  out[field] = std::move(value);
  out["key_names"][field] = called;
}

QWEN35_BODY void GgufFields::add(std::initializer_list<GgufField> fields) {
  for (const GgufField& field : fields) {
    if (const GgufValue* const value = find(field.key)) {
      set(field.field, gguf_json(file_, key_name(field.key), *value), key_name(field.key));
    } else {
      const TensorInfo* const tensor = field.tensor.empty() ? nullptr : find_tensor(field.tensor);
      if (!holds<ConfigError>(tensor != nullptr && field.axis < tensor->shape.size(), file_.source,
                              ": no metadata key ", key_name(field.key))) {
        return;
      }
      set(field.field, tensor->shape[field.axis], concat(tensor->name, "'s axis ", field.axis));
    }
  }
}

QWEN35_BODY void GgufFields::add_of_layers(const GgufField& field) {
  const GgufValue* const value = find(field.key);
  if (value == nullptr || !value->is_array) {
    add({field});
    return;
  }
  const json::Value numbers = gguf_json(file_, key_name(field.key), *value);
  json::Value one = 0;
  for (const json::Value& number : numbers.items()) {
    if (number != json::Value(0)) {
      if (!holds<ConfigError>(one == json::Value(0) || number == one, file_.source, ": ", key_name(field.key), ": ",
                              shortened(json::dump(one)), " and ", shortened(json::dump(number)),
                              ", expected the same number for all layers that have one")) {
        return;
      }
      one = number;
    }
  }
  set(field.field, std::move(one), key_name(field.key));
}

QWEN35_BODY void GgufFields::expect(std::string_view key, std::initializer_list<json::Value> known,
                                    std::string_view called) const {
  if (const GgufValue* const value = find(key)) {
    const json::Value found = gguf_json(file_, key_name(key), *value);
    if (std::find(known.begin(), known.end(), found) == known.end()) {
      decline<ConfigError>(
          concat(file_.source, ": ", key_name(key), ": ", shortened(json::dump(found)), ", expected ", called));
    }
  }
}

QWEN35_BODY std::size_t GgufFields::size(std::string_view key) const {
  const GgufValue* const value = find(key);
  if (!holds<ConfigError>(value != nullptr, file_.source, ": no metadata key ", key_name(key))) {
    return 0;
  }
  const json::Value number = value->json();
  const bool is_one = holds<ConfigError>(
      number.is_integer() && number.as_integer() >= 0 && number.as_integer() < (std::int64_t{1} << 31), file_.source,
      ": ", key_name(key), ": expected a whole number from 0 to 2147483647, found ", shortened(json::dump(number)));
  return is_one ? static_cast<std::size_t>(number.as_integer()) : 0;
}

QWEN35_BODY const TensorInfo* GgufFields::find_tensor(std::string_view name) const {
  for (const TensorInfo& tensor : file_.tensors) {
    if (tensor.name == name || (tensor.name.starts_with("blk.") && tensor.name.ends_with(concat(".", name)))) {
      return &tensor;
    }
  }
  return nullptr;
}

QWEN35_BODY void add_gguf_layer_types(const GgufFile& file, std::size_t layers, GgufFields& fields) {
  json::Value types = json::Value::array();
  std::string called = fields.key_name("attention.recurrent_layers");
  const auto add = [&](bool linear) { types.push_back(linear ? "linear_attention" : "full_attention"); };
  if (const GgufValue* const list = fields.find("attention.recurrent_layers")) {
    if (!holds<ConfigError>(
            list->is_array && list->type == GgufType::boolean && list->count >= layers, file.source, ": ", called,
            ": expected a truth value for each of ", layers, " layers, found ",
            list->is_array ? concat(list->count, " of ", name(list->type)) : std::string(name(list->type)))) {
      return;
    }
    for (std::size_t i = 0; i < layers; ++i) {
      add(list->number(i).as_bool());
    }
  } else if (fields.find("full_attention_interval") != nullptr) {
    called = fields.key_name("full_attention_interval");
    const std::size_t interval = fields.size("full_attention_interval");
    if (!holds<ConfigError>(interval > 0, file.source, ": ", called, ": expected a number above 0, found 0")) {
      return;
    }
    for (std::size_t i = 0; i < layers; ++i) {
      add((i + 1) % interval != 0);
    }
  } else {
    called = "the tensors blk.N.ssm_a";
    std::unordered_set<std::string_view> names;
    for (const TensorInfo& tensor : file.tensors) {
      names.insert(tensor.name);
    }
    for (std::size_t i = 0; i < layers; ++i) {
      add(names.contains(concat("blk.", i, ".ssm_a")));
    }
  }
  fields.set("layer_types", std::move(types), called);
}

QWEN35_BODY void add_gguf_rope(const GgufFile& file, GgufFields& fields) {
  json::Value rope = json::Value::object();
  rope["key_names"][""] = gguf_name(file);
  const auto take = [&](std::string_view field, std::string_view key) {
    const GgufValue* const value = fields.find(key);
    if (value != nullptr || rope["key_names"].find(field) == nullptr) {
      rope["key_names"][field] = fields.key_name(key);
    }
    if (value != nullptr) {
      rope[field] = gguf_json(file, fields.key_name(key), *value);
    }
  };
  if (!holds<ConfigError>(fields.find("rope.freq_base") != nullptr, file.source, ": no metadata key ",
                          fields.key_name("rope.freq_base"))) {
    return;
  }
  take("rope_theta", "rope.freq_base");
  const GgufValue* const type = fields.find("rope.scaling.type");
  const json::Value scaling =
      type == nullptr ? json::Value("none") : gguf_json(file, fields.key_name("rope.scaling.type"), *type);
  rope["rope_type"] = scaling == json::Value("none") ? json::Value("default") : scaling;
  rope["key_names"]["rope_type"] = fields.key_name("rope.scaling.type");
  take("factor", "rope.scaling.factor");
  take("original_max_position_embeddings", "rope.scaling.original_context_length");
  take("attention_factor", "rope.scaling.attn_factor");
  take("attention_factor", "rope.scaling.yarn_attn_factor");
  take("beta_fast", "rope.scaling.yarn_beta_fast");
  take("beta_slow", "rope.scaling.yarn_beta_slow");
  take("truncate", "rope.scaling.yarn_truncate");
  const std::string called = fields.key_name("rope.dimension_sections");
  rope["key_names"]["mrope_section"] = called;
  if (const GgufValue* const sections = fields.find("rope.dimension_sections")) {
    const json::Value list = gguf_json(file, called, *sections);
    if (!holds<ConfigError>(list.is_array() && list.size() >= 3, file.source, ": ", called,
                            ": expected four sizes, found ", shortened(json::dump(list)))) {
      return;
    }
    for (std::size_t i = 0; i < 3; ++i) {
      rope["mrope_section"].push_back(list.items()[i]);
    }
  }
  const std::size_t turned = fields.size("rope.dimension_count");
  const json::Value& head_dim = fields.out.at("head_dim");
  if (!holds<ConfigError>(head_dim.is_integer() && head_dim.as_integer() > 0, file.source, ": ",
                          fields.out.at("key_names").at("head_dim").as_string(), ": expected a number above 0, found ",
                          shortened(json::dump(head_dim)))) {
    return;
  }
  const double part = static_cast<double>(turned) / static_cast<double>(head_dim.as_integer());
  rope["partial_rotary_factor"] = part;
  fields.out["partial_rotary_factor"] = part;
  fields.out["rope_parameters"] = std::move(rope);
  fields.out["key_names"]["rope_parameters.partial_rotary_factor"] =
      fields.key_name("rope.dimension_count") + " / " + fields.key_name("attention.key_length");
  for (std::size_t i = 0; i < 3; ++i) {
    fields.out["key_names"][concat("rope_parameters.mrope_section[", i, "]")] = concat(called, "[", i, "]");
  }
}

QWEN35_BODY json::Value gguf_text_config(const GgufFile& file) {
  const std::string architecture(gguf_architecture(file));
  const bool moe = architecture == "qwen35moe";
  GgufFields fields(file, architecture + ".");
  fields.set("model_type", moe ? "qwen3_5_moe_text" : "qwen3_5_text", "general.architecture");
  fields.out["key_names"]["=model_type"] = architecture;
  const TensorInfo* const embedding = file.tensor("token_embd.weight");
  if (!holds<ConfigError>(embedding != nullptr && embedding->shape.size() == 2, file.source,
                          ": no tensor token_embd.weight of two axes")) {
    return {};
  }
  fields.set("vocab_size", embedding->shape[0], "the rows of token_embd.weight");
  fields.set("tie_word_embeddings", file.tensor("output.weight") == nullptr, "the absence of output.weight");
  const std::size_t blocks = fields.size("block_count");
  const std::size_t predicting =
      fields.find("nextn_predict_layers") == nullptr ? 0 : fields.size("nextn_predict_layers");
  if (!holds<ConfigError>(predicting < blocks && blocks - predicting <= file.tensors.size(), file.source, ": ",
                          fields.key_name("block_count"), ": ", blocks, " with ", predicting,
                          " that predict further tokens, in a file of ", file.tensors.size(), " tensors")) {
    return {};
  }
  fields.set("num_hidden_layers", blocks - predicting, fields.key_name("block_count"));
  fields.add_of_layers({"num_attention_heads", "attention.head_count"});
  fields.add_of_layers({"num_key_value_heads", "attention.head_count_kv"});
  fields.add({{"hidden_size", "embedding_length", "token_embd.weight", 1},
              {"head_dim", "attention.key_length", "attn_k_norm.weight", 0},
              {"rms_norm_eps", "attention.layer_norm_rms_epsilon"},
              {"max_position_embeddings", "context_length"},
              {"linear_conv_kernel_dim", "ssm.conv_kernel", "ssm_conv1d.weight", 1},
              {"linear_key_head_dim", "ssm.state_size"},
              {"linear_num_key_heads", "ssm.group_count"},
              {"linear_num_value_heads", "ssm.time_step_rank", "ssm_a", 0}});
  if (declined()) {
    return {};
  }
  if (fields.find("attention.value_length") != nullptr) {
    const std::size_t length = fields.size("attention.value_length");
    if (!holds<ConfigError>(json::Value(length) == fields.out.at("head_dim"), file.source, ": ",
                            fields.key_name("attention.value_length"), ": ", length, ", expected that of keys (",
                            fields.key_name("attention.key_length"), "), ", json::dump(fields.out.at("head_dim")))) {
      return {};
    }
  }
  if (fields.find("ssm.inner_size") != nullptr) {
    const std::size_t inner = fields.size("ssm.inner_size"), heads = fields.size("ssm.time_step_rank");
    if (!holds<ConfigError>(heads > 0 && inner % heads == 0, file.source, ": ", fields.key_name("ssm.inner_size"), ": ",
                            inner, ", expected a multiple of ", fields.key_name("ssm.time_step_rank"), ", ", heads)) {
      return {};
    }
    fields.set("linear_value_head_dim", inner / heads,
               fields.key_name("ssm.inner_size") + " / " + fields.key_name("ssm.time_step_rank"));
  } else {
    fields.add({{"linear_value_head_dim", "ssm.inner_size", "ssm_norm.weight", 0}});
  }
  if (moe) {
    fields.add({{"num_experts", "expert_count", "ffn_gate_inp.weight", 0},
                {"num_experts_per_tok", "expert_used_count"},
                {"moe_intermediate_size", "expert_feed_forward_length", "ffn_down_exps.weight", 2},
                {"shared_expert_intermediate_size", "expert_shared_feed_forward_length", "ffn_down_shexp.weight", 1}});
    // How routers' scores become weights: keys that say it the family's way change nothing (0: not said).
    fields.expect("expert_gating_func", {0, 1}, "1, a softmax");
    fields.expect("expert_weights_norm", {true}, "true: the chosen experts' weights sum to 1");
    fields.expect("expert_weights_scale", {0.0, 1.0}, "1");
    fields.expect("norm_top_k_prob", {true}, "true: the chosen experts' weights sum to 1");
  } else {
    fields.add_of_layers({"intermediate_size", "feed_forward_length", "ffn_down.weight", 1});
  }
  fields.expect("ssm.v_head_reordered", {true}, "true: value heads in tiled order");
  fields.expect("rope.mrope_interleaved", {true}, "true: the sections' frequencies take turns");
  add_gguf_layer_types(file, blocks - predicting, fields);
  add_gguf_rope(file, fields);
  for (const auto& [field, key] :
       {std::pair<std::string_view, std::string_view>{"eos_token_id", "tokenizer.ggml.eos_token_id"},
        {"pad_token_id", "tokenizer.ggml.padding_token_id"},
        {"bos_token_id", "tokenizer.ggml.bos_token_id"}}) {
    if (const GgufValue* const id = file.find(key)) {
      const json::Value token = gguf_json(file, key, *id);
      if (!holds<ConfigError>(
              !token.is_integer() || token.as_integer() < static_cast<std::int64_t>(embedding->shape[0]), file.source,
              ": ", key, ": ", json::dump(token), ", expected one of ", embedding->shape[0], " tokens")) {
        return {};
      }
      fields.set(field, token, key);
    }
  }
  return std::move(fields.out);
}

QWEN35_BODY json::Value gguf_vision_config(const GgufFile& file) {
  GgufFields fields(file, "clip.vision.");
  fields.set("model_type", "qwen3_5_moe_vision", "general.architecture");
  fields.add({{"depth", "block_count"},
              {"hidden_size", "embedding_length", "v.patch_embd.bias", 0},
              {"intermediate_size", "feed_forward_length", "v.blk.0.ffn_up.bias", 0},
              {"num_heads", "attention.head_count"},
              {"patch_size", "patch_size"},
              {"spatial_merge_size", "spatial_merge_size"},
              {"out_hidden_size", "projection_dim", "mm.2.bias", 0}});
  const TensorInfo* const table = file.tensor("v.position_embd.weight");
  const TensorInfo* const patches = file.tensor("v.patch_embd.weight");
  if (!holds<ConfigError>(table != nullptr && patches != nullptr && patches->shape.size() == 4, file.source,
                          ": no tensors v.position_embd.weight and v.patch_embd.weight of a picture tower")) {
    return {};
  }
  fields.set("num_position_embeddings", table->shape[0], "the rows of v.position_embd.weight");
  fields.set("in_channels", patches->shape[1], "v.patch_embd.weight's axis 1");
  fields.set("temporal_patch_size", file.tensor("v.patch_embd.weight.1") == nullptr ? 1 : 2,
             "the number of tensors v.patch_embd.weight");
  const GgufValue* const deepstack = fields.find("is_deepstack_layers");
  for (std::size_t i = 0; deepstack != nullptr && deepstack->type == GgufType::boolean && i < deepstack->count; ++i) {
    if (!holds<ConfigError>(!deepstack->number(i).as_bool(), file.source, ": clip.vision.is_deepstack_layers[", i,
                            "] is true: a tower of another family (deepstack)")) {
      return {};
    }
  }
  return std::move(fields.out);
}

}  // namespace detail

QWEN35_BODY json::Value gguf_config(const GgufModel& model) {
  if (!model.text) {
    return detail::gguf_vision_config(*model.vision);
  }
  json::Value text = detail::gguf_text_config(*model.text);
  if (!model.vision || declined()) {
    return text;
  }
  json::Value out = json::Value::object();
  out["model_type"] = gguf_architecture(*model.text) == "qwen35moe" ? "qwen3_5_moe" : "qwen3_5";
  out["tie_word_embeddings"] = text.at("tie_word_embeddings");
  out["key_names"][""] = model.text->source;
  out["key_names"]["tie_word_embeddings"] = text.at("key_names").at("tie_word_embeddings");
  // The placeholders of media by their names in the vocabulary; without them the family's ids stand.
  for (const auto& [field, token] : {std::pair<std::string_view, std::string_view>{"image_token_id", "<|image_pad|>"},
                                     {"video_token_id", "<|video_pad|>"},
                                     {"vision_start_token_id", "<|vision_start|>"},
                                     {"vision_end_token_id", "<|vision_end|>"}}) {
    if (const std::optional<std::size_t> id = gguf_token_id(*model.text, token)) {
      out[field] = *id;
    }
  }
  out["text_config"] = std::move(text);
  out["vision_config"] = detail::gguf_vision_config(*model.vision);
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
