// SPDX-License-Identifier: Apache-2.0
// Messages of a conversation: who speaks, text and media parts, reasoning, tool calls.
#pragma once

#include <qwen35/core/concat.hpp>
#include <qwen35/json/value.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

QWEN35_BEGIN_NAMESPACE

enum class Role : std::uint8_t { system, user, assistant, tool };

// "system", "user", "assistant" or "tool".
constexpr std::string_view role_name(Role role) noexcept {
  switch (role) {
    case Role::system:
      return "system";
    case Role::user:
      return "user";
    case Role::assistant:
      return "assistant";
    case Role::tool:
      return "tool";
  }
  return "";
}

// The role of that name; nothing for any other name.
constexpr std::optional<Role> role_from_name(std::string_view name) noexcept {
  for (const Role role : {Role::system, Role::user, Role::assistant, Role::tool}) {
    if (role_name(role) == name) {
      return role;
    }
  }
  return std::nullopt;
}

enum class PartType : std::uint8_t { text, image, video };

// A picture or video that a part carries itself. It is not written to JSON.
struct MediumData {
  std::vector<std::byte> file = {};                    // encoded; or
  std::vector<std::vector<std::uint8_t>> frames = {};  // 8-bit RGB, [height, width, 3] each: one of a picture
  std::size_t width = 0;
  std::size_t height = 0;
  std::optional<double> fps = {};  // of the frames
};

// One part of a message. `value` is the text, or names the medium (a path or data URL; empty when the part carries it,
// or the media are handed over apart). Parts that carry media are equal when they share them.
struct ContentPart {
  PartType type = PartType::text;
  std::string value;
  std::shared_ptr<const MediumData> data = {};

  static ContentPart text(std::string text) { return {PartType::text, std::move(text)}; }
  static ContentPart image(std::string source = {}) { return {PartType::image, std::move(source)}; }
  static ContentPart video(std::string source = {}) { return {PartType::video, std::move(source)}; }
  static ContentPart image(MediumData data);
  static ContentPart video(MediumData data);
  friend bool operator==(const ContentPart&, const ContentPart&) = default;
};

// What errors call part `part` of a conversation's message: "messages[1].content[0]".
inline std::string place_of_part(std::size_t message, std::size_t part) {
  return concat("messages[", message, "].content[", part, "]");
}

// A variant of libstdc++ 12 whose copy fails for want of memory frees what it has not made: what is copied is whole
// before the variant begins.
template <class Variant>
Variant copy_whole(const Variant& from) {
  return std::visit(
      [](const auto& value) {
        auto copy = value;
        return Variant(std::in_place_type<decltype(copy)>, std::move(copy));
      },
      from);
}

// What a message says: plain text, or parts in order. A plain text and a list holding only that text render alike.
class MessageContent {
 public:
  MessageContent() = default;
  MessageContent(std::string text) : content_(std::move(text)) {}                 // NOLINT: conversion wanted
  MessageContent(std::string_view text) : content_(std::string(text)) {}          // NOLINT
  MessageContent(const char* text) : content_(std::string(text)) {}               // NOLINT
  MessageContent(std::vector<ContentPart> parts) : content_(std::move(parts)) {}  // NOLINT
  // JSON's null: an empty text that a template can tell from one, and that cannot be continued.
  static MessageContent null();
  MessageContent(const MessageContent& other);
  MessageContent& operator=(const MessageContent& other) { return *this = MessageContent(other); }
  MessageContent(MessageContent&&) noexcept = default;
  MessageContent& operator=(MessageContent&&) noexcept = default;

  bool is_null() const noexcept { return null_; }
  bool is_text() const noexcept { return content_.index() == 0; }
  // The text when is_text(), else nullptr.
  const std::string* text() const noexcept { return std::get_if<std::string>(&content_); }
  // The parts when not is_text(), else nullptr.
  const std::vector<ContentPart>* parts() const noexcept { return std::get_if<std::vector<ContentPart>>(&content_); }
  friend bool operator==(const MessageContent&, const MessageContent&) = default;

 private:
  std::variant<std::string, std::vector<ContentPart>> content_;
  bool null_ = false;
};

// A call the assistant made. `arguments` is a JSON object; `id` is carried for the caller and never rendered.
struct ToolCall {
  std::string name;
  json::Value arguments = json::Value::object();
  std::string id = {};

  friend bool operator==(const ToolCall&, const ToolCall&) = default;
};

// One message. `reasoning_content`, even an empty one, keeps the content from being searched for a think block
// (assistant only); `tool_call_id` is carried for the caller and never rendered.
struct Message {
  Role role = Role::user;
  MessageContent content = {};
  std::optional<std::string> reasoning_content = {};
  std::vector<ToolCall> tool_calls = {};
  std::string tool_call_id = {};

  static Message system(MessageContent content) { return of(Role::system, std::move(content)); }
  static Message user(MessageContent content) { return of(Role::user, std::move(content)); }
  static Message assistant(MessageContent content) { return of(Role::assistant, std::move(content)); }
  static Message tool(MessageContent content) { return of(Role::tool, std::move(content)); }
  friend bool operator==(const Message&, const Message&) = default;

 private:
  static Message of(Role role, MessageContent content);
};

#if QWEN35_BODIES

QWEN35_BODY ContentPart ContentPart::image(MediumData data) {
  return {PartType::image, {}, std::make_shared<const MediumData>(std::move(data))};
}

QWEN35_BODY ContentPart ContentPart::video(MediumData data) {
  return {PartType::video, {}, std::make_shared<const MediumData>(std::move(data))};
}

QWEN35_BODY MessageContent MessageContent::null() {
  MessageContent out;
  out.null_ = true;
  return out;
}

QWEN35_BODY MessageContent::MessageContent(const MessageContent& other)
    : content_(copy_whole(other.content_)), null_(other.null_) {}

QWEN35_BODY Message Message::of(Role role, MessageContent content) {
  Message message;
  message.role = role;
  message.content = std::move(content);
  return message;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
