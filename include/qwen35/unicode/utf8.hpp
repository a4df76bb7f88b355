// SPDX-License-Identifier: Apache-2.0
// UTF-8: validation with the offset of the first error, lossy repair, decoding.
#pragma once

#include <qwen35/core/abi.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#if QWEN35_BODIES
#include <cstring>
#endif

QWEN35_BEGIN_NAMESPACE
namespace unicode {

// What stands at the start of some bytes: a code point of `size` bytes, or an ill-formed maximal subpart of `size`
// bytes. `truncated`: the subpart ends the text and more bytes could make it well formed.
struct Utf8Step {
  std::uint32_t point = 0;
  std::uint32_t size = 0;
  bool valid = false;
  bool truncated = false;
};

// `text` is not empty. Source: table 3-7 of the Unicode standard.
Utf8Step utf8_step(std::string_view text);

// Offset of the first byte at or after `i` that is not ASCII, or the size.
std::size_t skip_ascii(std::string_view text, std::size_t i);

struct CodePoint {
  std::uint32_t point = 0;
  std::uint32_t size = 0;
};

// The code point at byte `i` of text that is known to be well formed.
CodePoint decode_utf8(std::string_view text, std::size_t i);

// `point` is a code point and no surrogate.
void append_utf8(std::uint32_t point, std::string& out);

// Offset of the first ill-formed byte, or npos.
std::size_t find_ill_formed(std::string_view text);

// Each maximal ill-formed subpart replaced by U+FFFD. With `keep_tail`, a truncated sequence at the end is left out;
// `used` receives the bytes read.
std::string repair_utf8(std::string_view text, bool keep_tail = false, std::size_t* used = nullptr);

}  // namespace unicode

#if QWEN35_BODIES

namespace unicode {

QWEN35_BODY Utf8Step utf8_step(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) {
    return {lead, 1, true, false};
  }
  if (lead < 0xC2 || lead > 0xF4) {
    return {0, 1, false, false};
  }
  const std::uint32_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  std::uint32_t low = 0x80;
  std::uint32_t high = 0xBF;
  low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : low;
  high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : high;
  std::uint32_t point = lead & (0x7Fu >> length);
  for (std::uint32_t i = 1; i < length; ++i) {
    if (i == text.size()) {
      return {0, i, false, true};
    }
    if (byte(i) < low || byte(i) > high) {
      return {0, i, false, false};
    }
    point = point << 6 | (byte(i) & 0x3F);
    low = 0x80;
    high = 0xBF;
  }
  return {point, length, true, false};
}

QWEN35_BODY std::size_t skip_ascii(std::string_view text, std::size_t i) {
  for (std::uint64_t word = 0; i + 8 <= text.size(); i += 8) {
    std::memcpy(&word, text.data() + i, 8);
    if ((word & 0x8080808080808080u) != 0) {
      break;
    }
  }
  while (i < text.size() && static_cast<unsigned char>(text[i]) < 0x80) {
    ++i;
  }
  return i;
}

QWEN35_BODY CodePoint decode_utf8(std::string_view text, std::size_t i) {
  const auto byte = [&](std::size_t k) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i + k])); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) {
    return {lead, 1};
  }
  if (lead < 0xE0) {
    return {(lead & 31) << 6 | (byte(1) & 63), 2};
  }
  if (lead < 0xF0) {
    return {(lead & 15) << 12 | (byte(1) & 63) << 6 | (byte(2) & 63), 3};
  }
  return {(lead & 7) << 18 | (byte(1) & 63) << 12 | (byte(2) & 63) << 6 | (byte(3) & 63), 4};
}

QWEN35_BODY void append_utf8(std::uint32_t point, std::string& out) {
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (point < 0x80) {
    put(point);
    return;
  }
  if (point < 0x800) {
    put(0xC0 | point >> 6);
  } else {
    if (point < 0x10000) {
      put(0xE0 | point >> 12);
    } else {
      put(0xF0 | point >> 18);
      put(0x80 | (point >> 12 & 63));
    }
    put(0x80 | (point >> 6 & 63));
  }
  put(0x80 | (point & 63));
}

QWEN35_BODY std::size_t find_ill_formed(std::string_view text) {
  for (std::size_t i = skip_ascii(text, 0); i < text.size();) {
    const Utf8Step step = utf8_step(text.substr(i));
    if (!step.valid) {
      return i;
    }
    i += step.size;
    if (i < text.size() && static_cast<unsigned char>(text[i]) < 0x80) {
      i = skip_ascii(text, i);
    }
  }
  return std::string_view::npos;
}

QWEN35_BODY std::string repair_utf8(std::string_view text, bool keep_tail, std::size_t* used) {
  std::string out;
  out.reserve(text.size());
  std::size_t i = 0;
  std::size_t copied = 0;
  while ((i = skip_ascii(text, i)) < text.size()) {
    const Utf8Step step = utf8_step(text.substr(i));
    if (step.truncated && keep_tail) {
      break;
    }
    if (!step.valid) {
      out.append(text.substr(copied, i - copied));
      out += "\xEF\xBF\xBD";
      copied = i + step.size;
    }
    i += step.size;
  }
  out.append(text.substr(copied, i - copied));
  if (used != nullptr) {
    *used = i;
  }
  return out;
}

}  // namespace unicode

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
