// SPDX-License-Identifier: Apache-2.0
// What the tests of configs share: recorded files, edited copies, and the message of an error.
#pragma once

#include <qwen35/json/parse.hpp>

#include <fstream>
#include <sstream>
#include <string>

namespace config_test {

inline qwen35::json::Value read_json(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return qwen35::json::parse(text.str(), path);
}

inline qwen35::json::Value recorded(const std::string& file) { return read_json(std::string(QWEN35_TEST_DATA "/config/") + file); }

// The message of the E that `run` raises; "" when it raises nothing. Another exception passes through.
template <class E, class Run>
std::string message_of(const Run& run) {
  try {
    run();
  } catch (const E& error) {
    return error.what();
  }
  return "";
}

inline bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace config_test
