// SPDX-License-Identifier: Apache-2.0
// A GenerationConfig as the reference's generation_config.json. Include generation_config.hpp.
#pragma once

#include <qwen35/io/file_writer.hpp>
#include <qwen35/json/dump.hpp>
#include <qwen35/sampling/generation_config.hpp>

#include <string>
#include <type_traits>
#include <vector>

QWEN35_BEGIN_NAMESPACE

namespace detail {

// One overload for each kind of field.
template <class T>
requires std::is_arithmetic_v<T> json::Value field_json(T value) {
  return value;
}
inline json::Value field_json(const std::string& value) {
  return value;
}
inline json::Value field_json(EarlyStopping value) {
  return value == EarlyStopping::never ? json::Value("never") : json::Value(value == EarlyStopping::yes);
}
inline json::Value field_json(const TokenIds& ids) {
  if (ids.size() == 1) {
    return ids[0];
  }
  json::Value out = json::Value::array();
  for (const TokenId id : ids) {
    out.push_back(id);
  }
  return out;
}
inline json::Value field_json(const SequenceBias& value);
template <class T>
json::Value field_json(const std::vector<T>& values) {
  json::Value out = json::Value::array();
  for (const T& value : values) {
    out.push_back(field_json(value));
  }
  return out;
}
inline json::Value field_json(const SequenceBias& value) {
  json::Value out = json::Value::array();
  out.push_back(field_json(value.ids));
  out.push_back(value.bias);
  return out;
}
inline json::Value field_json(const ExponentialDecay& value) {
  json::Value out = json::Value::array();
  out.push_back(value.start_index);
  out.push_back(value.decay_factor);
  return out;
}
inline json::Value field_json(const WatermarkingConfig& value) {
  json::Value out = json::Value::object();
  out["greenlist_ratio"] = value.greenlist_ratio;
  out["bias"] = value.bias;
  out["hashing_key"] = value.hashing_key;
  out["seeding_scheme"] = value.seeding_scheme == SeedingScheme::selfhash ? "selfhash" : "lefthash";
  out["context_width"] = value.context_width;
  return out;
}

}  // namespace detail

template <class>
json::Value GenerationConfig::to_json() const {
  json::Value out = json::Value::object();
  for_each_field([&](const char* name, auto field) {
    if (const auto& value = this->*field) {
      out[name] = detail::field_json(*value);
    }
  });
  return out;
}

template <class>
void GenerationConfig::save_pretrained(const std::string& folder) const {
  write_file<ConfigError>(folder + "/generation_config.json", json::dump(to_json()) + "\n");
}

QWEN35_END_NAMESPACE
