// SPDX-License-Identifier: Apache-2.0
// A fuzz input that is a model's folder: a JSON object from the names of files to what they contain, JSON or text.
#pragma once

#include <qwen35/io/model_folder.hpp>
#include <qwen35/json/parse.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/fuzz.hpp"
#include "support/json_mutator.hpp"

namespace fuzz {

using Files = std::vector<std::pair<std::string, std::string>>;

inline Files files_of(std::string_view input) {
  Files out;
  const std::optional<qwen35::json::Value> root = qwen35::json::try_parse(input);
  if (root && root->is_object()) {
    for (const auto& [name, content] : root->members()) {
      out.emplace_back(name, content.is_string() ? content.as_string() : qwen35::json::dump(content));
    }
  }
  return out;
}

// `files` must outlive it.
inline qwen35::ModelFolder folder_of(const Files& files) {
  std::vector<qwen35::NamedBytes> named;
  for (const auto& [name, content] : files) {
    named.push_back({name, bytes_of(content)});
  }
  return qwen35::ModelFolder::from_bytes(named);
}

}  // namespace fuzz
