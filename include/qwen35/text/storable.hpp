// SPDX-License-Identifier: Apache-2.0
// What a conversation may hold so that it can be written as JSON and read again.
#pragma once

#include <qwen35/json/value.hpp>
#include <qwen35/text/message.hpp>
#include <qwen35/unicode/utf8.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// The deepest nesting of a tool call's arguments and of a tool: a level more than a reader gives, since a call puts
// values into an object.
inline constexpr std::size_t storable_depth = json::usual_depth + 1;
// Of a whole conversation, whose messages, calls and functions stand around that.
inline constexpr std::size_t conversation_depth = storable_depth + 16;

// Each raises TextError that begins with `where`.

inline void require_utf8(std::string_view text, std::string_view where) {
  const std::size_t at = unicode::find_ill_formed(text);
  require<TextError>(at == std::string_view::npos, where, ": the byte at ", at, " is not UTF-8");
}

// UTF-8, finite numbers, no two members of one name, at most `depth` levels.
inline void require_storable(const json::Value& value, std::string_view where, std::size_t depth = storable_depth) {
  const bool nested = value.is_array() || value.is_object();
  require<TextError>(!nested || depth > 0, where, ": nested deeper than ", storable_depth, " levels");
  require<TextError>(!value.is_number() || std::isfinite(value.as_number()), where,
                     ": a number that JSON cannot write or that is beyond the doubles");
  if (value.is_string()) {
    require_utf8(value.as_string(), where);
  } else if (value.is_array()) {
    for (const json::Value& item : value.items()) {
      require_storable(item, where, depth - 1);
    }
  } else if (value.is_object()) {
    std::vector<std::string_view> names;
    for (const json::Value::Member& member : value.members()) {
      require_utf8(member.first, where);
      require_storable(member.second, where, depth - 1);
      names.push_back(member.first);
    }
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    require<TextError>(twice == names.end(), where, ": two members of the name \"",
                       twice == names.end() ? std::string_view() : twice->substr(0, 100), "\"");
  }
}

inline void require_storable(const Message& message, std::string_view where) {
  const auto place = [&](std::string_view part) { return concat(where, ".", part); };
  if (const std::string* const text = message.content.text()) {
    require_utf8(*text, place("content"));
  } else {
    for (const ContentPart& part : *message.content.parts()) {
      require_utf8(part.value, place("content"));
    }
  }
  require_utf8(message.reasoning_content.value_or(""), place("reasoning_content"));
  require_utf8(message.tool_call_id, place("tool_call_id"));
  for (const ToolCall& call : message.tool_calls) {
    require<TextError>(!call.name.empty(), place("tool_calls"), ": a call without a name");
    require<TextError>(call.arguments.is_object(), place("tool_calls"), ": arguments that are no object");
    require_utf8(call.name, place("tool_calls"));
    require_utf8(call.id, place("tool_calls"));
    require_storable(call.arguments, place("tool_calls"));
  }
}

QWEN35_END_NAMESPACE
