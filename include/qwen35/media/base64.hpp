// SPDX-License-Identifier: Apache-2.0
// Base64 and the data: URLs that carry pictures.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/io/data_url.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

QWEN35_BEGIN_NAMESPACE

namespace detail {

// 0..63 of the standard or the URL-safe alphabet, else 64.
constexpr std::uint32_t base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') {
    return static_cast<std::uint32_t>(c - 'A');
  }
  if (c >= 'a' && c <= 'z') {
    return static_cast<std::uint32_t>(c - 'a') + 26;
  }
  if (c >= '0' && c <= '9') {
    return static_cast<std::uint32_t>(c - '0') + 52;
  }
  return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : 64;
}

}  // namespace detail

// White space is skipped, the padding may be left out. Raises MediaError with the offset of the first character that
// does not belong.
inline std::vector<std::byte> decode_base64(std::string_view text, std::string_view source_name = "base64") {
  std::vector<std::byte> out;
  out.reserve(text.size() / 4 * 3 + 3);
  std::uint32_t bits = 0;
  std::size_t digits = 0, padding = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
      continue;
    }
    if (c == '=') {
      ++padding;
      continue;
    }
    const std::uint32_t digit = detail::base64_digit(c);
    if (!holds<MediaError>(digit < 64 && padding == 0, source_name, ": character ", i, " is not base64")) {
      return {};
    }
    bits = (bits << 6) | digit;
    if (++digits % 4 == 0) {
      for (int shift = 16; shift >= 0; shift -= 8) {
        out.push_back(static_cast<std::byte>((bits >> shift) & 0xffu));
      }
      bits = 0;
    }
  }
  const std::size_t rest = digits % 4;
  if (!holds<MediaError>(rest != 1 && padding <= 2 && (padding == 0 || (rest + padding) % 4 == 0), source_name,
                         ": the base64 text is cut off")) {
    return {};
  }
  if (rest >= 2) {
    out.push_back(static_cast<std::byte>((bits >> (rest == 2 ? 4 : 10)) & 0xffu));
  }
  if (rest == 3) {
    out.push_back(static_cast<std::byte>((bits >> 2) & 0xffu));
  }
  return out;
}

// May this be base64 without anything around it? Of its characters alone, and more than a file's name has.
inline bool looks_like_base64(std::string_view text) {
  return text.size() >= 32 && std::all_of(text.begin(), text.end(), [](char c) {
           return detail::base64_digit(c) < 64 || c == '=' || c == '\n' || c == '\r';
         });
}

// The bytes of "data:image/png;base64,....". What it says about its type is not believed. Raises MediaError when it is
// not of that form.
inline std::vector<std::byte> decode_data_url(std::string_view url) {
  if (!holds<MediaError>(is_data_url(url), "data URL: expected \"data:...;base64,...\"")) {
    return {};
  }
  const std::size_t comma = url.find(',');
  const std::string_view form = comma == std::string_view::npos ? std::string_view() : url.substr(0, comma);
  std::string ending(form.substr(form.size() - std::min<std::size_t>(form.size(), 7)));
  for (char& c : ending) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  }
  if (!holds<MediaError>(ending == ";base64", "data URL: expected \"data:...;base64,...\", found no \";base64,\"")) {
    return {};
  }
  return decode_base64(url.substr(comma + 1), "data URL");
}

QWEN35_END_NAMESPACE
