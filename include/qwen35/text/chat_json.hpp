// SPDX-License-Identifier: Apache-2.0
// Messages from and to JSON in the common chat-completions form.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/io/source_policy.hpp>
#include <qwen35/json/parse.hpp>
#include <qwen35/json/value.hpp>
#include <qwen35/text/message.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// Whether media parts are written with the path or URL they name (a data URL can be megabytes).
enum class MediaSources : std::uint8_t { keep, leave_out };

// One message as a JSON object: role, content (a string, null or a list of {"type": ...}), and reasoning_content,
// tool_calls, tool_call_id where set.
json::Value message_to_json(const Message& message, MediaSources sources = MediaSources::keep);

json::Value messages_to_json(const std::vector<Message>& messages);

namespace detail {

// The member `key` of `object` as a string; empty when absent or null.
std::string optional_string(const json::Value& object, std::string_view key, const std::string& where);

// What a media item names: the member `image`, `image_url`, ... itself or its {"url": ...}; else `url`, `path` or
// `base64` (as a data: URL) of the item.
std::string media_source(const json::Value& item, std::string_view kind, const std::string& where);

ContentPart part_from_json(const json::Value& item, const std::string& where, const SourcePolicy& sources);

MessageContent content_from_json(const json::Value* content, const std::string& where, const SourcePolicy& sources);

ToolCall tool_call_from_json(const json::Value& item, const std::string& where);

Message message_from_json(const json::Value& value, const std::string& where, const SourcePolicy& sources);

}  // namespace detail

// Typed messages from a JSON list in the chat-completions form: content as a string, null or parts (text; image or
// image_url, video or video_url, as a string or {"url": ...}); tool_calls with or without the {"type": "function",
// "function": ...} wrapper, their arguments an object or a JSON string. Members that mean nothing here are passed over.
// `sources`: what media parts may name. Raises TextError naming the place of what it cannot read or admit.
std::vector<Message> messages_from_json(const json::Value& list, const SourcePolicy& sources = {});

// Tools from a JSON list of schema objects; null means none. A bare {"name", "parameters"} object is kept as it is.
std::vector<json::Value> tools_from_json(const json::Value& list);

#if QWEN35_BODIES

QWEN35_BODY json::Value message_to_json(const Message& message, MediaSources sources) {
  json::Value out = json::Value::object();
  out["role"] = json::Value(role_name(message.role));
  if (const std::string* text = message.content.text()) {
    out["content"] = message.content.is_null() ? json::Value() : json::Value(*text);
  } else {
    json::Value list = json::Value::array();
    for (const ContentPart& part : *message.content.parts()) {
      const char* type = part.type == PartType::text ? "text" : part.type == PartType::image ? "image" : "video";
      json::Value item = json::Value::object();
      item["type"] = json::Value(type);
      if (part.type == PartType::text || (sources == MediaSources::keep && !part.value.empty())) {
        item[type] = json::Value(part.value);
      }
      list.push_back(std::move(item));
    }
    out["content"] = std::move(list);
  }
  if (message.reasoning_content.has_value()) {
    out["reasoning_content"] = json::Value(*message.reasoning_content);
  }
  if (!message.tool_calls.empty()) {
    json::Value calls = json::Value::array();
    for (const ToolCall& call : message.tool_calls) {
      json::Value item = json::Value::object();
      if (!call.id.empty()) {
        item["id"] = json::Value(call.id);
      }
      item["type"] = json::Value("function");
      json::Value function = json::Value::object();
      function["name"] = json::Value(call.name);
      function["arguments"] = call.arguments;
      item["function"] = std::move(function);
      calls.push_back(std::move(item));
    }
    out["tool_calls"] = std::move(calls);
  }
  if (!message.tool_call_id.empty()) {
    out["tool_call_id"] = json::Value(message.tool_call_id);
  }
  return out;
}

QWEN35_BODY json::Value messages_to_json(const std::vector<Message>& messages) {
  json::Value list = json::Value::array();
  for (const Message& message : messages) {
    list.push_back(message_to_json(message));
  }
  return list;
}

namespace detail {

QWEN35_BODY std::string optional_string(const json::Value& object, std::string_view key, const std::string& where) {
  const json::Value* value = object.find(key);
  if (value == nullptr || value->is_null()) {
    return {};
  }
  return holds<TextError>(value->is_string(), where, ".", key, ": expected a string") ? value->as_string()
                                                                                      : std::string();
}

QWEN35_BODY std::string media_source(const json::Value& item, std::string_view kind, const std::string& where) {
  for (const std::string& key : {std::string(kind), std::string(kind) + "_url"}) {
    const json::Value* value = item.find(key);
    if (value != nullptr && value->is_object()) {
      return optional_string(*value, "url", where + "." + key);
    }
    if (value != nullptr && !value->is_null()) {
      return optional_string(item, key, where);
    }
  }
  for (const std::string_view key : {"url", "path"}) {
    if (std::string source = optional_string(item, key, where); !source.empty()) {
      return source;
    }
  }
  if (std::string bytes = optional_string(item, "base64", where); !bytes.empty()) {
    return bytes.starts_with("data:") ? bytes : "data:;base64," + bytes;
  }
  return {};
}

QWEN35_BODY ContentPart part_from_json(const json::Value& item, const std::string& where, const SourcePolicy& sources) {
  if (!holds<TextError>(item.is_object(), where, ": expected an object with a type")) {
    return {};
  }
  const std::string type = optional_string(item, "type", where);
  const auto has = [&item](std::string_view key) { return item.find(key) != nullptr; };
  if (type == "image" || type == "image_url" || has("image") || has("image_url")) {
    return ContentPart::image(sources.admitted<TextError>(media_source(item, "image", where), where));
  }
  if (type == "video" || type == "video_url" || has("video") || has("video_url")) {
    return ContentPart::video(sources.admitted<TextError>(media_source(item, "video", where), where));
  }
  if (!holds<TextError>(has("text"), "Unexpected item type in content. (", where,
                        ": expected a text, image, image_url, video or video_url item, found type \"", type, "\")") ||
      !holds<TextError>(item.at("text").is_string(), where, ".text: expected a string")) {
    return {};
  }
  return ContentPart::text(item.at("text").as_string());
}

QWEN35_BODY MessageContent content_from_json(const json::Value* content, const std::string& where,
                                             const SourcePolicy& sources) {
  if (content == nullptr || content->is_null()) {
    return MessageContent::null();
  }
  if (content->is_string()) {
    return content->as_string();
  }
  if (!holds<TextError>(content->is_array(), "Unexpected content type. (", where,
                        ": expected a string, null or a list of parts)")) {
    return MessageContent::null();
  }
  std::vector<ContentPart> parts;
  for (std::size_t k = 0; k < content->size(); ++k) {
    parts.push_back(part_from_json(content->items()[k], concat(where, "[", k, "]"), sources));
  }
  return parts;
}

QWEN35_BODY ToolCall tool_call_from_json(const json::Value& item, const std::string& where) {
  ToolCall out;
  if (!holds<TextError>(item.is_object(), where, ": expected an object")) {
    return out;
  }
  const json::Value* wrapped = item.find("function");
  const json::Value& call = wrapped != nullptr ? *wrapped : item;
  if (!holds<TextError>(call.is_object(), where, ".function: expected an object")) {
    return out;
  }
  out.id = optional_string(item, "id", where);
  out.name = optional_string(call, "name", where);
  if (!holds<TextError>(!out.name.empty(), where, ".name: expected the name of a function")) {
    return out;
  }
  if (const json::Value* arguments = call.find("arguments"); arguments != nullptr && !arguments->is_null()) {
    if (arguments->is_string()) {
      const std::string& text = arguments->as_string();
      out.arguments = text.empty() ? json::Value::object() : json::parse(text, where + ".arguments");
    } else {
      out.arguments = *arguments;
    }
    if (!out.arguments.is_object()) {
      decline<TextError>(concat(where, ".arguments: expected an object, or a string holding one"));
    }
  }
  return out;
}

QWEN35_BODY Message message_from_json(const json::Value& value, const std::string& where, const SourcePolicy& sources) {
  Message out;
  if (!holds<TextError>(value.is_object(), where, ": expected a message object")) {
    return out;
  }
  const std::string name = optional_string(value, "role", where);
  const std::optional<Role> role = role_from_name(name);
  if (!holds<TextError>(role.has_value(), "Unexpected message role. (", where,
                        ".role: expected system, user, assistant or tool, found \"", name, "\")")) {
    return out;
  }
  out.role = *role;
  out.content = content_from_json(value.find("content"), where + ".content", sources);
  out.tool_call_id = optional_string(value, "tool_call_id", where);
  if (const json::Value* reasoning = value.find("reasoning_content"); reasoning != nullptr && !reasoning->is_null()) {
    out.reasoning_content = optional_string(value, "reasoning_content", where);
  }
  if (const json::Value* calls = value.find("tool_calls"); calls != nullptr && !calls->is_null()) {
    if (!holds<TextError>(calls->is_array(), where, ".tool_calls: expected a list")) {
      return out;
    }
    for (std::size_t k = 0; k < calls->size(); ++k) {
      out.tool_calls.push_back(tool_call_from_json(calls->items()[k], concat(where, ".tool_calls[", k, "]")));
    }
  }
  return out;
}

}  // namespace detail

QWEN35_BODY std::vector<Message> messages_from_json(const json::Value& list, const SourcePolicy& sources) {
  std::vector<Message> out;
  if (!holds<TextError>(list.is_array(), "messages: expected a list of messages, found ", json::found(list))) {
    return out;
  }
  out.reserve(list.size());
  for (std::size_t i = 0; i < list.size() && !declined(); ++i) {
    out.push_back(detail::message_from_json(list.items()[i], concat("messages[", i, "]"), sources));
  }
  return out;
}

QWEN35_BODY std::vector<json::Value> tools_from_json(const json::Value& list) {
  if (list.is_null()) {
    return {};
  }
  if (!holds<TextError>(list.is_array(), "tools: expected a list of JSON schema objects, found ", json::found(list))) {
    return {};
  }
  for (std::size_t k = 0; k < list.size(); ++k) {
    if (!holds<TextError>(list.items()[k].is_object(), "tools[", k, "]: expected a JSON schema object, found ",
                          json::found(list.items()[k]))) {
      return {};
    }
  }
  return list.items();
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
