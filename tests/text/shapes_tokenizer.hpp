// SPDX-License-Identifier: Apache-2.0
// The shapes model's tokenizer and its file, for the tests of the tokenizer.
#pragma once

#include <qwen35/json/parse.hpp>
#include <qwen35/text/tokenizer.hpp>

#include <fstream>

namespace shapes {

inline std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline const std::string folder = QWEN35_SOURCE_DIR "/examples/shapes";

inline const std::string& tokenizer_json() {
  static const std::string text = read(folder + "/tokenizer.json");
  return text;
}

inline const qwen35::Tokenizer& tokenizer() {
  static const qwen35::Tokenizer loaded = qwen35::Tokenizer::from_pretrained(folder);
  return loaded;
}

// The recorded cases of a file, without its first line (the versions).
inline std::vector<qwen35::json::Value> recorded(const std::string& name) {
  std::ifstream file(QWEN35_TEST_DATA "/tokenizer/" + name);
  std::vector<qwen35::json::Value> out;
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    out.push_back(qwen35::json::parse(line));
  }
  return out;
}

inline std::vector<qwen35::TokenId> ids_of(const qwen35::json::Value& list) {
  std::vector<qwen35::TokenId> out;
  for (const qwen35::json::Value& id : list.items()) {
    out.push_back(static_cast<qwen35::TokenId>(id.as_integer()));
  }
  return out;
}

}  // namespace shapes
