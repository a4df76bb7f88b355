// SPDX-License-Identifier: Apache-2.0
// The fields of a config.json that nothing reads: misspelt ones, and those of models that compute something else or are
// quantised in some way of their own.
#pragma once

#include <qwen35/config/config_writer.hpp>
#include <qwen35/config/presets.hpp>
#include <qwen35/core/edit_distance.hpp>
#include <qwen35/core/name_list.hpp>
#include <qwen35/json/dump.hpp>
#include <qwen35/weights/quantization_config.hpp>

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace inspect_tool {

// What is said of a config that is held against a type, and of how its weights are quantised.
template <class Config>
std::string said_of(const qwen35::json::Value& config) {
  const auto message = [](const auto& read) {
    const qwen35::Result<bool> result = qwen35::attempt([&] {
      read();
      return true;
    });
    return result ? std::string() : result.failure().message;
  };
  return message([&] { qwen35::check<Config>(config); }) + '\n' +
         message([&] { qwen35::QuantizationConfig::of(config); });
}

// Fields that tell of the file and not of the model, or of the prediction of further tokens; full_attention_interval is
// what layer_types says in full.
inline constexpr std::string_view passed_over_fields[] = {"_name_or_path",
                                                          "architectures",
                                                          "dtype",
                                                          "torch_dtype",
                                                          "transformers_version",
                                                          "full_attention_interval",
                                                          "mtp_num_hidden_layers",
                                                          "mtp_use_dedicated_embeddings"};

inline bool is_passed_over(std::string_view key) {
  return std::find(std::begin(passed_over_fields), std::end(passed_over_fields), key) != std::end(passed_over_fields);
}

// Is it what the model does in any case, as published files say it?
inline bool says_nothing_new(std::string_view key, const qwen35::json::Value& value) {
  constexpr std::pair<std::string_view, std::string_view> known[] = {
      {"deepstack_visual_indexes", "[]"}, {"attn_output_gate", "true"},       {"output_gate_type", "\"swish\""},
      {"mlp_only_layers", "[]"},          {"mamba_ssm_dtype", "\"float32\""}, {"language_model_only", "false"}};
  return std::any_of(std::begin(known), std::end(known), [&](const auto& field) {
    return field.first == key && qwen35::json::dump(value) == field.second;
  });
}

// An object with these fields.
inline qwen35::json::Value with_fields(std::span<const std::string_view> names) {
  qwen35::json::Value out = qwen35::json::Value::object();
  for (const std::string_view name : names) {
    out[name] = true;
  }
  return out;
}

// In an object whose fields have names of the file's own, that of each.
inline constexpr std::string_view any_name = "*";

// What the "quantization_config" of published files has, read or not, in the ways of quantising that are read.
inline qwen35::json::Value published_quantization() {
  constexpr std::string_view fields[] = {
      // of all, and of FP8
      "quant_method", "version", "format", "modules_to_not_convert", "activation_scheme", "fmt", "weight_block_size",
      "ignored_layers", "dequantize", "scale_fmt",
      // of GPTQ
      "bits", "group_size", "desc_act", "sym", "checkpoint_format", "method", "lm_head", "damp_percent",
      "damp_auto_increment", "static_groups", "true_sequential", "mse", "act_group_aware", "dynamic", "meta",
      "pack_dtype", "pack_impl", "adapter", "rotation", "is_marlin_format", "model_name_or_path",
      "model_file_base_name", "dataset", "tokenizer", "batch_size", "pad_token_id", "block_name_to_quantize",
      "module_name_preceding_first_block", "modules_in_block_to_quantize", "model_seqlen", "max_input_length",
      "cache_block_outputs", "use_cuda_fp16", "use_exllama", "disable_exllama", "exllama_config", "backend",
      // of AWQ
      "zero_point", "do_fuse", "fuse_max_seq_len", "modules_to_fuse",
      // of AutoRound
      "packing_format", "autoround_version", "data_type", "act_bits", "act_data_type", "act_group_size", "act_sym",
      "act_dynamic", "super_bits", "super_group_size", "amp", "iters", "lr", "minmax_lr", "nsamples", "seqlen",
      "enable_minmax_tuning", "enable_norm_bias_tuning", "enable_quanted_input", "gradient_accumulate_steps",
      "low_gpu_mem_usage", "scale_dtype", "quant_lm_head", "quant_block_list", "to_quant_block_names",
      "supported_types", "regex_config", "extra_config",
      // of compressed-tensors
      "config_groups", "ignore", "global_compression_ratio", "kv_cache_scheme", "quantization_status",
      "sparsity_config", "transform_config", "provider",
      // of MLX
      "mode",
      // of ModelOpt
      "quant_algo", "kv_cache_quant_algo", "exclude_modules", "producer", "quantization", "quantized_layers"};
  constexpr std::string_view group_fields[] = {"targets", "weights", "input_activations", "output_activations",
                                               "format"};
  constexpr std::string_view weight_fields[] = {"num_bits",        "type",     "symmetric",   "group_size",
                                                "strategy",        "dynamic",  "actorder",    "observer",
                                                "observer_kwargs", "zp_dtype", "scale_dtype", "block_structure"};
  qwen35::json::Value out = with_fields(fields);
  qwen35::json::Value group = with_fields(group_fields);
  group["weights"] = with_fields(weight_fields);
  out["config_groups"] = qwen35::json::Value::object();
  out["config_groups"][any_name] = std::move(group);
  return out;
}

// MLX has the settings of single modules among those of all, by the modules' names.
inline void add_modules(const qwen35::json::Value* config, qwen35::json::Value& written) {
  constexpr std::string_view module_fields[] = {"group_size", "bits", "mode"};
  if (config == nullptr || !config->is_object()) {
    return;
  }
  for (const auto& [name, value] : config->members()) {
    if (name.find('.') != std::string::npos && (value.is_object() || value.is_bool())) {
      written[name] = with_fields(module_fields);
    }
  }
}

// The field that a misspelt one may mean, of those that stand beside it in `written` or are passed over; "": none.
inline std::string_view meant_field(std::string_view key, const qwen35::json::Value& written) {
  std::size_t least = std::min<std::size_t>(key.size() / 3, 2) + 1;
  std::string_view out;
  const auto look = [&](std::string_view name) {
    if (const std::size_t distance = qwen35::edit_distance(key, name, 2); distance < least) {
      least = distance;
      out = name;
    }
  };
  for (const auto& [name, value] : written.members()) {
    look(name);
  }
  std::for_each(std::begin(passed_over_fields), std::end(passed_over_fields), look);
  return out;
}

// Those of one config.
struct UnreadFields {
  qwen35::NameList fields;  // each with the one that may be meant
  std::size_t looked_at = 0, not_looked_at = 0;
};

// Adds what is neither in `written`, a config of the same family as the library writes it, nor read: no reader takes a
// list of lists, so that what is `said` changes with one in the place of a field that is read. `object` is a part of
// `config` and as before afterwards.
template <class Config>
void add_unread(const qwen35::json::Value& config, qwen35::json::Value& object, const qwen35::json::Value& written,
                const std::string& said, const std::string& place, UnreadFields& out) {
  constexpr std::size_t most = 100;  // each is held against all of the config
  for (auto& [key, value] : object.members()) {
    const qwen35::json::Value* const named = written.find(key);
    const qwen35::json::Value* const known = named == nullptr ? written.find(any_name) : named;
    if (known != nullptr && known->is_object() && value.is_object()) {
      add_unread<Config>(config, value, *known, said, place + key + '.', out);
    } else if (known == nullptr && !is_passed_over(key) && !says_nothing_new(key, value)) {
      if (out.looked_at == most) {
        ++out.not_looked_at;
        continue;
      }
      ++out.looked_at;
      qwen35::json::Value odd = qwen35::json::Value::array();
      odd.push_back(qwen35::json::Value::array());
      std::swap(value, odd);
      const bool read = said_of<Config>(config) != said;
      std::swap(value, odd);
      if (!read) {
        const std::string_view meant = meant_field(key, written);
        out.fields.add(meant.empty() ? place + key : qwen35::concat(place, key, " (did you mean ", meant, "?)"));
      }
    }
  }
}

// Of a config of the family. Config: any composite type with or without experts, as the file's is.
template <class Config>
UnreadFields unread_fields(qwen35::json::Value config) {
  const auto values = qwen35::ConfigValues::from<Config>();
  const bool composite = config.find("text_config") != nullptr || config.find("vision_config") != nullptr;
  qwen35::json::Value written = composite ? qwen35::composite_config_json<Config>(values)
                                          : qwen35::text_config_json<Config>(values.text_config, false);
  // Of weights quantised in a way that is not read, no field is.
  if (qwen35::attempt([&] { return qwen35::QuantizationConfig::of(config).method; })) {
    for (const char* const key : {"quantization_config", "quantization", "compression_config"}) {
      written[key] = published_quantization();
      add_modules(config.find(key), written[key]);
      if (composite) {
        written["text_config"][key] = published_quantization();
      }
    }
  }
  UnreadFields out;
  add_unread<Config>(config, config, written, said_of<Config>(config), "", out);
  return out;
}

}  // namespace inspect_tool
