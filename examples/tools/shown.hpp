// SPDX-License-Identifier: Apache-2.0
// What a file or a user has written, as a terminal may see it.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/unicode/utf8.hpp>

#include <algorithm>
#include <string>

namespace tool {

// Lines as messages have them: without control characters, not too long.
inline std::string shown(const std::string& text) {
  return qwen35::unicode::repair_utf8(qwen35::shown_message(text));
}

// A name, on one line.
inline std::string shown_name(const std::string& text) {
  std::string out = shown(text);
  std::replace(out.begin(), out.end(), '\n', '?');
  return out;
}

}  // namespace tool
