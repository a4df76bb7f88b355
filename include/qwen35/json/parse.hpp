// SPDX-License-Identifier: Apache-2.0
// JSON text to values; and, by dump.hpp, back.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/json/dump.hpp>
#include <qwen35/json/value.hpp>

#include <cstddef>
#include <optional>
#include <string_view>

#if QWEN35_BODIES
#include <qwen35/json/builder.hpp>
#include <qwen35/json/read.hpp>
#endif

QWEN35_BEGIN_NAMESPACE
namespace json {

// Of equal keys in one object the last counts. Raises TextError for ill-formed text, text after the value, invalid
// UTF-8, a depth beyond `deepest`, or a number too large for a double (integers keep their digits; up to 308 of them).
Value parse(std::string_view text, std::string_view source_name = "JSON", std::size_t deepest = usual_depth);

// The same; nothing when the text is no JSON. Raises nothing.
std::optional<Value> try_parse(std::string_view text);

}  // namespace json

#if QWEN35_BODIES

namespace json {

QWEN35_BODY Value parse(std::string_view text, std::string_view source_name, std::size_t deepest) {
  Builder builder(deepest);
  read(text, builder, source_name);
  return declined() ? Value() : builder.take();
}

QWEN35_BODY std::optional<Value> try_parse(std::string_view text) {
  Builder builder;
  if (!try_read(text, builder).ok) {
    return std::nullopt;
  }
  return builder.take();
}

}  // namespace json

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
