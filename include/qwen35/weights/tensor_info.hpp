// SPDX-License-Identifier: Apache-2.0
// A tensor of a checkpoint, whatever file it came out of, and how files call the formats.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/formats/formats.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// One tensor of a checkpoint. `dtype` is the file's own name; only those of stored_format() can be bound to a model.
struct TensorInfo {
  std::string name;
  std::string dtype;
  std::vector<std::size_t> shape;
  std::span<const std::byte> bytes;
  std::string file;
};

// What files call a format: its name in capitals.
std::string dtype_name(Format format);

// fn(format) for each format that can stand in a safetensors file and that this program holds.
template <class Fn>
inline void each_dtype(const Fn& fn) {
  for (std::size_t i = 0; i < format_count; ++i) {
    if (format_infos[i].block_values == 1 && is_available(static_cast<Format>(i))) {
      fn(static_cast<Format>(i));
    }
  }
}

std::optional<Format> dtype_of(std::string_view name);

// For messages: "F32, F16, BF16".
std::string dtype_names();

// The format that a file calls so, of those that this program holds; unlike dtype_of() also one of blocks, which only
// GGUF files have.
std::optional<Format> stored_format(std::string_view name);

// What is to be said of a dtype that is not a stored_format().
std::string unread_dtype_text(std::string_view name);

std::string shape_text(std::span<const std::size_t> shape);

#if QWEN35_BODIES

QWEN35_BODY std::string dtype_name(Format format) {
  std::string out(name(format));
  for (char& c : out) {
    c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return out;
}

QWEN35_BODY std::optional<Format> dtype_of(std::string_view name) {
  std::optional<Format> found;
  each_dtype([&](Format format) { found = dtype_name(format) == name ? format : found; });
  return found;
}

QWEN35_BODY std::string dtype_names() {
  std::string out;
  each_dtype([&](Format format) { out += (out.empty() ? "" : ", ") + dtype_name(format); });
  return out;
}

QWEN35_BODY std::optional<Format> stored_format(std::string_view name) {
  for (std::size_t i = 0; i < format_count; ++i) {
    if (is_available(static_cast<Format>(i)) && dtype_name(static_cast<Format>(i)) == name) {
      return static_cast<Format>(i);
    }
  }
  return std::nullopt;
}

QWEN35_BODY std::string unread_dtype_text(std::string_view name) {
  for (std::size_t i = 0; i < format_count; ++i) {
    if (dtype_name(static_cast<Format>(i)) == name) {
      return concat("dtype ", name, ": ", unavailable_text(static_cast<Format>(i)));
    }
  }
  return concat("dtype ", name, ", expected one of ", dtype_names());
}

QWEN35_BODY std::string shape_text(std::span<const std::size_t> shape) {
  std::string out = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    out += concat(i == 0 ? "" : ", ", shape[i]);
  }
  return out + "]";
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
