// SPDX-License-Identifier: Apache-2.0
// How a tool call departs from the form that the chat template teaches, and was understood all the same.
#pragma once

#include <qwen35/core/abi.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

QWEN35_BEGIN_NAMESPACE

// A set: values are joined with `|` and asked for with `has`. A program that is strict runs calls with `none` only.
enum class Recovery : std::uint32_t {
  none = 0,
  inside_thinking = 1U << 0U,      // written in the reasoning, which was never closed
  withdrawn = 1U << 1U,            // a later </think> made it a draft; such a call is never complete
  missing_open = 1U << 2U,         // without a <tool_call> of its own
  missing_close = 1U << 3U,        // without </parameter>, </function> or </tool_call>
  loose_name = 1U << 4U,           // quotes around a name, no > behind it, <parameter name="city">, </city>
  json_call = 1U << 5U,            // {"name": ..., "arguments": ...} in place of the tags
  json_arguments = 1U << 6U,       // a JSON object in place of the parameters
  arguments_as_text = 1U << 7U,    // the arguments as a string that holds the object
  code_fence = 1U << 8U,           // in a fenced block of code, or behind a backtick
  python_literal = 1U << 9U,       // an object or array as Python reads it; NaN, Infinity and 1e400 become strings
  control_characters = 1U << 10U,  // line ends or tabs inside a JSON string
  letter_case = 1U << 11U,         // TRUE for true, NULL for null
  extra_close = 1U << 12U,         // a bracket or tag behind a call closes what was not open
  loose_scalar = 1U << 13U,        // 007, +5, 1_000, .5 or 5. for a number, 1 or 0 for a boolean
  stray_text = 1U << 14U,          // text between the parameters that belongs to none: a parameter written otherwise?
  extra_open = 1U << 15U,          // <tool_call> more than once
  parameter_tag = 1U << 16U,       // <city> in place of <parameter=city>
  behind_open_value = 1U << 17U,   // behind a value that was never closed, and would have quoted it if it had been
  missing_argument = 1U << 18U     // closed without an argument that the tool requires; such a call is never complete
};

constexpr Recovery operator|(Recovery a, Recovery b) noexcept {
  return static_cast<Recovery>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}
constexpr Recovery& operator|=(Recovery& a, Recovery b) noexcept {
  return a = a | b;
}
// Whether `set` holds all of `part`.
constexpr bool has(Recovery set, Recovery part) noexcept {
  return (set | part) == set;
}

// How an object or array was written that is no JSON: as Python does, or with control characters in its strings.
constexpr Recovery literal_recovery(bool python, bool controls) noexcept {
  return (python ? Recovery::python_literal : Recovery::none) |
         (controls ? Recovery::control_characters : Recovery::none);
}

// The names, joined with ", "; empty for none.
std::string name(Recovery set);

#if QWEN35_BODIES

QWEN35_BODY std::string name(Recovery set) {
  constexpr std::pair<Recovery, std::string_view> names[] = {{Recovery::inside_thinking, "inside_thinking"},
                                                             {Recovery::withdrawn, "withdrawn"},
                                                             {Recovery::missing_open, "missing_open"},
                                                             {Recovery::missing_close, "missing_close"},
                                                             {Recovery::loose_name, "loose_name"},
                                                             {Recovery::json_call, "json_call"},
                                                             {Recovery::json_arguments, "json_arguments"},
                                                             {Recovery::arguments_as_text, "arguments_as_text"},
                                                             {Recovery::code_fence, "code_fence"},
                                                             {Recovery::python_literal, "python_literal"},
                                                             {Recovery::control_characters, "control_characters"},
                                                             {Recovery::letter_case, "letter_case"},
                                                             {Recovery::extra_close, "extra_close"},
                                                             {Recovery::loose_scalar, "loose_scalar"},
                                                             {Recovery::stray_text, "stray_text"},
                                                             {Recovery::extra_open, "extra_open"},
                                                             {Recovery::parameter_tag, "parameter_tag"},
                                                             {Recovery::behind_open_value, "behind_open_value"},
                                                             {Recovery::missing_argument, "missing_argument"}};
  std::string out;
  for (const auto& [part, text] : names) {
    if (has(set, part)) {
      out.append(out.empty() ? "" : ", ").append(text);
    }
  }
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
