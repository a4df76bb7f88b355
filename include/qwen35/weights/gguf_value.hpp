// SPDX-License-Identifier: Apache-2.0
// One metadata value of a GGUF file, left where the file has it.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/json/value.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#if QWEN35_BODIES
#include <qwen35/core/decimal.hpp>

#include <charconv>
#endif

QWEN35_BEGIN_NAMESPACE

// In the order of the format's own numbers.
enum class GgufType : std::uint8_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };
inline constexpr std::size_t gguf_type_count = 13;

constexpr std::string_view name(GgufType type) {
  constexpr std::string_view names[gguf_type_count] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                                       "bool", "string", "array", "u64", "i64", "f64"};
  return names[static_cast<std::size_t>(type)];
}

// Bytes of a value; 0 for strings and arrays, which say their own.
constexpr std::size_t gguf_type_bytes(GgufType type) {
  constexpr std::uint8_t bytes[gguf_type_count] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return bytes[static_cast<std::size_t>(type)];
}

// A little-endian number of sizeof(T) bytes.
template <class T>
constexpr T read_little_endian(const std::byte* from) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>(value | static_cast<T>(static_cast<T>(std::to_integer<std::uint8_t>(from[i])) << (8 * i)));
  }
  return value;
}

// What read_gguf() found well formed. It looks at the file's bytes.
struct GgufValue {
  GgufType type = GgufType::u8;  // of an array: of its elements
  bool is_array = false;
  std::size_t count = 1;             // elements of an array
  std::span<const std::byte> bytes;  // one after the other; a string is its length (u64) and its bytes

  // fn(text) for each string of an array of strings, or for the one string.
  template <class Fn>
  void each_text(const Fn& fn) const {
    const std::byte* at = bytes.data();
    for (std::size_t i = 0; type == GgufType::string && i < count; ++i) {
      const auto length = static_cast<std::size_t>(read_little_endian<std::uint64_t>(at));
      fn(std::string_view(reinterpret_cast<const char*>(at + 8), length));
      at += 8 + length;
    }
  }
  // Number `index` of the values; not of strings. An f32 is the shortest decimal number that means it: 1e-06, not
  // 9.99999997e-07.
  json::Value number(std::size_t index = 0) const;
  // As JSON; of an array at most `most` elements, so that a long one costs nothing.
  json::Value json(std::size_t most = 4096) const;
};

#if QWEN35_BODIES

QWEN35_BODY json::Value GgufValue::number(std::size_t index) const {
  const std::byte* const at = bytes.data() + index * gguf_type_bytes(type);
  switch (type) {
    case GgufType::u8:
      return read_little_endian<std::uint8_t>(at);
    case GgufType::i8:
      return static_cast<std::int8_t>(read_little_endian<std::uint8_t>(at));
    case GgufType::u16:
      return read_little_endian<std::uint16_t>(at);
    case GgufType::i16:
      return static_cast<std::int16_t>(read_little_endian<std::uint16_t>(at));
    case GgufType::u32:
      return read_little_endian<std::uint32_t>(at);
    case GgufType::i32:
      return static_cast<std::int32_t>(read_little_endian<std::uint32_t>(at));
    case GgufType::u64:
      return read_little_endian<std::uint64_t>(at);
    case GgufType::i64:
      return static_cast<std::int64_t>(read_little_endian<std::uint64_t>(at));
    case GgufType::boolean:
      return std::to_integer<int>(*at) != 0;
    case GgufType::f64:
      return std::bit_cast<double>(read_little_endian<std::uint64_t>(at));
    case GgufType::f32: {
      const auto value = std::bit_cast<float>(read_little_endian<std::uint32_t>(at));
      char text[32];
      double out = static_cast<double>(value);
      const std::to_chars_result end = std::to_chars(text, text + sizeof(text), value);
      read_decimal(text, end.ptr, out);
      return out;
    }
    case GgufType::string:
    case GgufType::array:
      break;
  }
  return {};
}

QWEN35_BODY json::Value GgufValue::json(std::size_t most) const {
  json::Value out = is_array ? json::Value::array() : json::Value();
  if (type == GgufType::string) {
    each_text([&](std::string_view text) {
      if (!is_array) {
        out = text;
      } else if (out.size() < most) {
        out.push_back(text);
      }
    });
    return out;
  }
  for (std::size_t i = 0; is_array && i < count && i < most; ++i) {
    out.push_back(number(i));
  }
  return is_array ? out : number();
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
