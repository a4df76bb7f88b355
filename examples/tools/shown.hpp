// SPDX-License-Identifier: Apache-2.0
// What a file or a user has written, as a terminal may see it.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/unicode/utf8.hpp>

#include <string>

namespace tool {

// A message that may be of several lines. Those behind the first are indented, so that no name with an end of a line in
// it passes for something that the program says.
inline std::string shown(const std::string& text) {
  std::string out = qwen35::unicode::repair_utf8(qwen35::shown_message(text));
  for (std::size_t at = out.find('\n'); at < out.size(); at = out.find('\n', at + 1)) {
    out.insert(at + 1, at + 1 == out.size() || out[at + 1] == ' ' ? "" : "  ");
  }
  return out;
}

// A name, on one line.
inline std::string shown_name(const std::string& text) {
  return qwen35::unicode::repair_utf8(qwen35::shortened(text));
}

}  // namespace tool
