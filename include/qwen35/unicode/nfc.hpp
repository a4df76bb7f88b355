// SPDX-License-Identifier: Apache-2.0
// Normalisation form C with the tables of Unicode 9.0, on utf8proc.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/unicode/classes.hpp>
#include <qwen35/unicode/utf8.hpp>

#include <cstdlib>

#include <utf8proc.h>

QWEN35_BEGIN_NAMESPACE
namespace unicode {

namespace detail {

// Nothing below U+0300 (lead bytes below 0xCC) nor from U+4000 to U+9FFF (0xE4 to 0xE9: ideographs) decomposes, composes with what follows among
// themselves, or reorders; elsewhere utf8proc decides.
inline bool plainly_nfc(unsigned char byte) { return byte < 0xCC || (byte >= 0xE4 && byte <= 0xE9); }
inline bool plainly_nfc(std::string_view text) {
  for (const char c : text) {
    if (!plainly_nfc(static_cast<unsigned char>(c))) {
      return false;
    }
  }
  return true;
}

inline void append_nfc(std::string_view text, std::string& out) {
  if (plainly_nfc(text)) {
    out.append(text);
    return;
  }
  utf8proc_uint8_t* result = nullptr;
  const utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()), &result,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  require<TextError>(size >= 0, "NFC: ", size < 0 ? utf8proc_errmsg(size) : "");
  out.append(reinterpret_cast<const char*>(result), static_cast<std::size_t>(size));
  std::free(result);
}

}  // namespace detail

// `text` is well-formed UTF-8. A code point that Unicode 9.0 did not know has no decomposition, composes with nothing and reorders with nothing there, so
// it is copied and what stands on either side is normalised alone.
inline std::string nfc(std::string_view text) {
  std::string out;
  if (detail::plainly_nfc(text)) {
    out.assign(text);
    return out;
  }
  out.reserve(text.size());
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size();) {
    if (detail::plainly_nfc(static_cast<unsigned char>(text[i]))) {
      ++i;
      continue;
    }
    const Utf8Step step = utf8_step(text.substr(i));
    if (!assigned_in_unicode_9(step.point)) {
      detail::append_nfc(text.substr(start, i - start), out);
      out.append(text.substr(i, step.size));
      start = i + step.size;
    }
    i += step.size;
  }
  detail::append_nfc(text.substr(start), out);
  return out;
}

}  // namespace unicode
QWEN35_END_NAMESPACE
