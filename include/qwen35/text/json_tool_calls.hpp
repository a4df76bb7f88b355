// SPDX-License-Identifier: Apache-2.0
// Tool calls that are written as JSON.
#pragma once

#include <qwen35/json/value.hpp>
#include <qwen35/text/recovery.hpp>
#include <qwen35/text/tool_schema.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/json/respelling.hpp>
#include <qwen35/text/trim.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

struct JsonToolCall {
  std::string name;
  json::Value arguments;  // an object
  Recovery recovery = Recovery::none;
};

// {"name": ..., "arguments": {...}}, also with "parameters", with the object as a string, inside "function", or with
// "function" for the name; nothing when it is none of these.
std::optional<JsonToolCall> json_tool_call(const json::Value& value);

// The call or list of calls that `value` is; nothing unless each is one of an offered tool.
std::optional<std::vector<JsonToolCall>> json_tool_calls(const json::Value& value,
                                                         const std::vector<json::Value>& tools);

#if QWEN35_BODIES

QWEN35_BODY std::optional<JsonToolCall> json_tool_call(const json::Value& value) {
  const json::Value* const inner = value.find("function");
  const json::Value& call = inner != nullptr && inner->is_object() ? *inner : value;
  const json::Value* name = call.find("name");
  name = name == nullptr ? inner : name;
  if (name == nullptr || !name->is_string()) {
    return std::nullopt;
  }
  JsonToolCall out{name->as_string(), json::Value::object()};
  const json::Value* arguments = call.find("arguments");
  arguments = arguments == nullptr ? call.find("parameters") : arguments;
  if (arguments == nullptr) {  // a call without any, unless it is some other object with a name
    const std::size_t labels = (call.find("id") != nullptr ? 1U : 0U) + (call.find("type") != nullptr ? 1U : 0U);
    return call.size() == 1 + labels ? std::optional(std::move(out)) : std::nullopt;
  }
  if (arguments->is_string()) {
    out.recovery |= Recovery::arguments_as_text;
    if (!trim_blanks(arguments->as_string()).empty()) {
      json::Respelt read = json::try_parse_respelt(arguments->as_string());
      if (!read.value.has_value()) {
        return std::nullopt;
      }
      out.arguments = std::move(*read.value);
      out.recovery |= literal_recovery(read.python, read.controls);
    }
  } else if (!arguments->is_null() && !(arguments->is_array() && arguments->size() == 0)) {
    out.arguments = *arguments;
  }
  return out.arguments.is_object() ? std::optional(std::move(out)) : std::nullopt;
}

QWEN35_BODY std::optional<std::vector<JsonToolCall>> json_tool_calls(const json::Value& value,
                                                                     const std::vector<json::Value>& tools) {
  std::vector<JsonToolCall> out;
  const std::size_t count = value.is_array() ? value.size() : 1;
  for (std::size_t i = 0; i < count; ++i) {
    std::optional<JsonToolCall> call = json_tool_call(value.is_array() ? value.items()[i] : value);
    if (!call.has_value() || !ToolSchema::find(tools, call->name).known()) {
      return std::nullopt;
    }
    out.push_back(std::move(*call));
  }
  return out.empty() ? std::nullopt : std::optional(std::move(out));
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
