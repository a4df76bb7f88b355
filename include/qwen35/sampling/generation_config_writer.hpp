// SPDX-License-Identifier: Apache-2.0
// A GenerationConfig as the reference's generation_config.json, written and read. Include generation_config.hpp.
#pragma once

#include <qwen35/io/file_writer.hpp>
#include <qwen35/io/folder.hpp>
#include <qwen35/json/dump.hpp>
#include <qwen35/json/parse.hpp>
#include <qwen35/sampling/generation_config.hpp>

#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

QWEN35_BEGIN_NAMESPACE

namespace detail {

// One overload for each kind of field.
template <class T>
requires std::is_arithmetic_v<T> json::Value field_json(T value) {
  return value;
}
json::Value field_json(const std::string& value);
json::Value field_json(EarlyStopping value);
json::Value field_json(const TokenIds& ids);
json::Value field_json(const SequenceBias& value);
template <class T>
json::Value field_json(const std::vector<T>& values) {
  json::Value out = json::Value::array();
  for (const T& value : values) {
    out.push_back(field_json(value));
  }
  return out;
}

json::Value field_json(const ExponentialDecay& value);
json::Value field_json(const WatermarkingConfig& value);

}  // namespace detail

#if QWEN35_BODIES

namespace detail {

QWEN35_BODY json::Value field_json(const std::string& value) {
  return value;
}

QWEN35_BODY json::Value field_json(EarlyStopping value) {
  return value == EarlyStopping::never ? json::Value("never") : json::Value(value == EarlyStopping::yes);
}

QWEN35_BODY json::Value field_json(const TokenIds& ids) {
  if (ids.size() == 1) {
    return ids[0];
  }
  json::Value out = json::Value::array();
  for (const TokenId id : ids) {
    out.push_back(id);
  }
  return out;
}

QWEN35_BODY json::Value field_json(const SequenceBias& value) {
  json::Value out = json::Value::array();
  out.push_back(field_json(value.ids));
  out.push_back(value.bias);
  return out;
}

QWEN35_BODY json::Value field_json(const ExponentialDecay& value) {
  json::Value out = json::Value::array();
  out.push_back(value.start_index);
  out.push_back(value.decay_factor);
  return out;
}

QWEN35_BODY json::Value field_json(const WatermarkingConfig& value) {
  json::Value out = json::Value::object();
  out["greenlist_ratio"] = value.greenlist_ratio;
  out["bias"] = value.bias;
  out["hashing_key"] = value.hashing_key;
  out["seeding_scheme"] = value.seeding_scheme == SeedingScheme::selfhash ? "selfhash" : "lefthash";
  out["context_width"] = value.context_width;
  return out;
}

}  // namespace detail

QWEN35_LAZY_BODY
json::Value GenerationConfig::to_json() const {
  json::Value out = json::Value::object();
  for_each_field([&](const char* name, auto field) {
    if (const auto& value = this->*field) {
      out[name] = detail::field_json(*value);
    }
  });
  return out;
}

QWEN35_LAZY_BODY
std::string to_string(const GenerationConfig& config) {
  return json::dump(config.to_json());
}

QWEN35_LAZY_BODY
GenerationConfig GenerationConfig::from_pretrained(const ModelFolder& files) {
  constexpr std::string_view name = "generation_config.json";
  return from_json(json::parse(files.text<ConfigError>(name), files.place(name)));
}

QWEN35_LAZY_BODY
void GenerationConfig::save_pretrained(const std::string& folder) const {
  validate();
  make_folders<ConfigError>(folder);
  write_file<ConfigError>(folder + "/generation_config.json", json::dump(to_json()) + "\n");
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
