// SPDX-License-Identifier: Apache-2.0
// Which sources carry their own bytes, and which are no files of this machine. Whoever decides what may be opened and
// whoever opens it ask the same.
#pragma once

#include <qwen35/core/error.hpp>

#include <string_view>

QWEN35_BEGIN_NAMESPACE

// "data:" in either case.
constexpr bool is_data_url(std::string_view text) {
  return text.size() >= 5 && (text[0] | 0x20) == 'd' && (text[1] | 0x20) == 'a' && (text[2] | 0x20) == 't' &&
         (text[3] | 0x20) == 'a' && text[4] == ':';
}

// "https" of "https://...", "file" of "file:///..."; empty for what has no such beginning.
constexpr std::string_view address_scheme(std::string_view text) {
  std::size_t end = 0;
  const auto belongs = [&](char c) {
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
           (end > 0 && ((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'));
  };
  while (end < text.size() && belongs(text[end])) {
    ++end;
  }
  return end > 1 && text.substr(end).starts_with("://") ? text.substr(0, end) : std::string_view();
}

// Raises MediaError for a `kind` ("picture") that is named by an address.
inline void require_no_address(std::string_view source, std::string_view kind) {
  const std::string_view scheme = address_scheme(source);
  if (!scheme.empty()) {
    decline<MediaError>(concat(shortened(source), ": nothing is fetched from the net, and no ", scheme,
                               ":// address is opened; give the ", kind, " as a path, a data: URL, bytes or pixels"));
  }
}

QWEN35_END_NAMESPACE
