// SPDX-License-Identifier: Apache-2.0
// White space at the ends of a text: that of ASCII, and as the chat template sees it, Python's str.strip on UTF-8
// bytes.
#pragma once

#include <qwen35/core/abi.hpp>

#include <cstddef>
#include <string_view>

QWEN35_BEGIN_NAMESPACE

// One of ASCII's blanks: a space, tab, line feed, vertical tab, form feed or carriage return.
constexpr bool is_blank(char c) noexcept {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

// The text without the blanks at its ends.
constexpr std::string_view trim_blanks(std::string_view text) noexcept {
  while (!text.empty() && is_blank(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && is_blank(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

// Bytes of the Python white space character that `text` starts with; 0 when it starts with something else. Python's
// str.isspace holds for the 25 White_Space code points of Unicode and for U+001C..U+001F.
constexpr std::size_t leading_space(std::string_view text) noexcept {
  if (text.empty()) {
    return 0;
  }
  const auto at = [text](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const unsigned first = at(0);
  if ((first >= 0x09 && first <= 0x0D) || (first >= 0x1C && first <= 0x20)) {
    return 1;
  }
  if (first == 0xC2 && (at(1) == 0x85 || at(1) == 0xA0)) {  // U+0085, U+00A0
    return 2;
  }
  const bool three = (first == 0xE1 && at(1) == 0x9A && at(2) == 0x80) ||  // U+1680
                     (first == 0xE2 && at(1) == 0x80 &&                    // U+2000..U+200A, U+2028, U+2029, U+202F
                      ((at(2) >= 0x80 && at(2) <= 0x8A) || at(2) == 0xA8 || at(2) == 0xA9 || at(2) == 0xAF)) ||
                     (first == 0xE2 && at(1) == 0x81 && at(2) == 0x9F) ||  // U+205F
                     (first == 0xE3 && at(1) == 0x80 && at(2) == 0x80);    // U+3000
  return three ? 3 : 0;
}

namespace detail {

// The same at the end of `text`. No white space character is the tail of another character's bytes, so trying each
// length is safe.
constexpr std::size_t trailing_space(std::string_view text) noexcept {
  for (std::size_t length = 1; length <= 3 && length <= text.size(); ++length) {
    if (leading_space(text.substr(text.size() - length)) == length) {
      return length;
    }
  }
  return 0;
}

}  // namespace detail

// Python's text.rstrip() and text.strip().
constexpr std::string_view python_rstrip(std::string_view text) noexcept {
  while (const std::size_t length = detail::trailing_space(text)) {
    text.remove_suffix(length);
  }
  return text;
}

constexpr std::string_view python_strip(std::string_view text) noexcept {
  while (const std::size_t length = leading_space(text)) {
    text.remove_prefix(length);
  }
  return python_rstrip(text);
}

// Python's text.lstrip('\n').
constexpr std::string_view strip_leading_newlines(std::string_view text) noexcept {
  while (text.starts_with('\n')) {
    text.remove_prefix(1);
  }
  return text;
}
QWEN35_END_NAMESPACE
