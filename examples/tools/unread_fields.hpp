// SPDX-License-Identifier: Apache-2.0
// The fields of a config.json that nothing reads: misspelt ones, and those of models that compute something else.
#pragma once

#include <qwen35/config/config_writer.hpp>
#include <qwen35/config/presets.hpp>
#include <qwen35/core/name_list.hpp>
#include <qwen35/json/dump.hpp>
#include <qwen35/weights/quantization_config.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "shown.hpp"

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

// Fields that tell of the file and not of the model, and those that published files have with what the model does in
// any case; full_attention_interval is what layer_types says in full.
inline bool needs_no_reader(std::string_view key, const qwen35::json::Value& value) {
  constexpr std::string_view of_file[] = {"_name_or_path", "architectures",        "dtype",
                                          "torch_dtype",   "transformers_version", "full_attention_interval"};
  constexpr std::pair<std::string_view, std::string_view> of_model[] = {
      {"deepstack_visual_indexes", "[]"}, {"attn_output_gate", "true"},       {"output_gate_type", "\"swish\""},
      {"mlp_only_layers", "[]"},          {"mamba_ssm_dtype", "\"float32\""}, {"language_model_only", "false"}};
  return key.starts_with("mtp_") || std::find(std::begin(of_file), std::end(of_file), key) != std::end(of_file) ||
         std::any_of(std::begin(of_model), std::end(of_model), [&](const auto& field) {
           return field.first == key && qwen35::json::dump(value) == field.second;
         });
}

// Those of one config.
struct UnreadFields {
  qwen35::NameList fields;
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
    const qwen35::json::Value* const known = written.find(key);
    if (known != nullptr && known->is_object() && value.is_object()) {
      add_unread<Config>(config, value, *known, said, place + key + '.', out);
    } else if (known == nullptr && !needs_no_reader(key, value)) {
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
        out.fields.add(tool::shown_name(place + key));
      }
    }
  }
}

// Of a config of the family. Config: any composite type with or without experts, as the file's is.
template <class Config>
UnreadFields unread_fields(qwen35::json::Value config) {
  const auto values = qwen35::ConfigValues::from<Config>();
  const bool composite = config.find("text_config") != nullptr || config.find("vision_config") != nullptr;
  const qwen35::json::Value written = composite ? qwen35::composite_config_json<Config>(values)
                                                : qwen35::text_config_json<Config>(values.text_config, false);
  UnreadFields out;
  add_unread<Config>(config, config, written, said_of<Config>(config), "", out);
  return out;
}

}  // namespace inspect_tool
