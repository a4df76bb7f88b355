// SPDX-License-Identifier: Apache-2.0
// Texts from outside as a message or a terminal shows them.
#pragma once

#include <qwen35/core/abi.hpp>
#include <qwen35/core/concat.hpp>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

QWEN35_BEGIN_NAMESPACE

// A text as it can be shown: with '?' for what ends a C string, commands a terminal, reorders what stands around it or
// cannot be seen. (U+200C and U+200D stay: Persian and emoji are written with them.)
std::string shown_text(std::string_view text);

// A message as it can be shown, whatever was quoted in it: of long lines and of too many the beginning and the end.
std::string shown_message(std::string_view message);

namespace detail {

// The place at or before `at` where no character of UTF-8 is cut.
inline std::size_t character_begin(std::string_view text, std::size_t at) {
  while (at > 0 && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) {
    --at;
  }
  return at;
}

}  // namespace detail

// A text from outside, for a message: on one line, and its beginning alone when it is longer than a name or a path ever
// is.
inline std::string shortened(std::string_view text) {
  constexpr std::size_t shown = 300;
  std::string out = shown_text(text.substr(0, detail::character_begin(text, shown)));
  std::replace(out.begin(), out.end(), '\n', '?');
  return text.size() <= shown ? out : concat(out, "... (", text.size(), " bytes)");
}

namespace detail {

// The beginning and the end of a text of more than `most` bytes, with a note of what was left out between them.
inline std::string without_middle(std::string_view text, std::size_t most) {
  if (text.size() <= most) {
    return std::string(text);
  }
  const std::size_t first = character_begin(text, most * 3 / 4);
  const std::size_t last = character_begin(text, text.size() - most / 5);
  return concat(text.substr(0, first), " ... (", last - first, " bytes) ... ", text.substr(last));
}

}  // namespace detail

#if QWEN35_BODIES

namespace detail {

// How many bytes at the start of a text are a character that shown_text() does not show; 0: it shows it.
QWEN35_BODY std::size_t unshown_bytes(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])) : 0u;
  };
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
  if (byte(0) < 0x80) {
    return (byte(0) < 0x20 && text[0] != '\n' && text[0] != '\t') || byte(0) == 0x7F ? 1 : 0;
  }
  const std::size_t size = byte(0) >> 5 == 6 && follows(1) ? 2 : byte(0) >> 4 == 14 && follows(1) && follows(2) ? 3 : 0;
  const std::uint32_t point = size == 2   ? (byte(0) & 31) << 6 | (byte(1) & 63)
                              : size == 3 ? (byte(0) & 15) << 12 | (byte(1) & 63) << 6 | (byte(2) & 63)
                                          : 0;
  // C1 controls; marks of direction, of no width, at the ends of lines and paragraphs.
  constexpr std::uint32_t unshown[][2] = {{0x80, 0x9F},     {0x061C, 0x061C}, {0x200B, 0x200B}, {0x200E, 0x200F},
                                          {0x2028, 0x202E}, {0x2060, 0x206F}, {0xFEFF, 0xFEFF}};
  return std::any_of(std::begin(unshown), std::end(unshown),
                     [&](const std::uint32_t(&range)[2]) { return point >= range[0] && point <= range[1]; })
             ? size
             : 0;
}

}  // namespace detail

QWEN35_BODY std::string shown_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t unshown = detail::unshown_bytes(text.substr(i));
    out += unshown > 0 ? '?' : text[i];
    i += std::max<std::size_t>(unshown, 1);
  }
  return out;
}

QWEN35_BODY std::string shown_message(std::string_view message) {
  constexpr std::size_t longest_line = 1000, longest = 8000;
  std::string out;
  for (std::size_t at = 0; at <= message.size();) {
    const std::size_t end = std::min(message.find('\n', at), message.size());
    out += at == 0 ? "" : "\n";
    out += detail::without_middle(message.substr(at, end - at), longest_line);
    at = end + 1;
  }
  return shown_text(detail::without_middle(out, longest));
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
