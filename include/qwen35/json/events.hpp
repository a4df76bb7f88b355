// SPDX-License-Identifier: Apache-2.0
// What a reader of JSON is told while the text is read.
#pragma once

#include <qwen35/core/abi.hpp>

#include <concepts>
#include <cstdint>
#include <string_view>

QWEN35_BEGIN_NAMESPACE
namespace json {

// One call for each thing in the text, in its order; a call that returns false ends the reading there. Texts are UTF-8
// with their escapes resolved, and live as long as the call. `big_integer` is a whole number beyond 64 bits, as its
// digits; `number` is one with a fraction or an exponent.
template <class H>
concept EventHandler = requires(H& handler, std::int64_t whole, std::string_view text) {
  { handler.null() } -> std::same_as<bool>;
  { handler.boolean(true) } -> std::same_as<bool>;
  { handler.integer(whole) } -> std::same_as<bool>;
  { handler.big_integer(text) } -> std::same_as<bool>;
  { handler.number(0.5) } -> std::same_as<bool>;
  { handler.string(text) } -> std::same_as<bool>;
  { handler.begin_array() } -> std::same_as<bool>;
  { handler.end_array() } -> std::same_as<bool>;
  { handler.begin_object() } -> std::same_as<bool>;
  { handler.key(text) } -> std::same_as<bool>;
  { handler.end_object() } -> std::same_as<bool>;
};

// Takes every event and does nothing: a base for handlers that look at a few.
struct IgnoreEvents {
  bool null() { return true; }
  bool boolean(bool) { return true; }
  bool integer(std::int64_t) { return true; }
  bool big_integer(std::string_view) { return true; }
  bool number(double) { return true; }
  bool string(std::string_view) { return true; }
  bool begin_array() { return true; }
  bool end_array() { return true; }
  bool begin_object() { return true; }
  bool key(std::string_view) { return true; }
  bool end_object() { return true; }
};

}  // namespace json
QWEN35_END_NAMESPACE
