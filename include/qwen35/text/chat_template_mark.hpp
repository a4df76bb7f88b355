// SPDX-License-Identifier: Apache-2.0
// Marks the place in a conversation where the model is to continue its last message.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/json/value.hpp>
#include <qwen35/text/chat_template_options.hpp>

#include <string>
#include <string_view>

#if QWEN35_BODIES
#include <qwen35/json/parse.hpp>
#endif

QWEN35_BEGIN_NAMESPACE
namespace detail {

// Appends the marker to the field of the last message that is to be continued; returns the text the field had.
std::string mark_continued_field(json::Value& message, std::string_view field, std::string_view marker);

}  // namespace detail

// A conversation with a marker and a blank behind the text to continue. The marker is never one that the conversation
// holds itself.
struct ContinuedMessage {
  json::Value messages;
  std::string marker = "CONTINUE_FINAL_MESSAGE_TAG";
  std::string before;  // the text that the field had

  ContinuedMessage(const json::Value& conversation, ContinuedField continued);
  static std::string_view field_name(ContinuedField field) {
    return field == ContinuedField::content ? "content" : "reasoning_content";
  }
};

#if QWEN35_BODIES

namespace detail {

QWEN35_BODY std::string mark_continued_field(json::Value& message, std::string_view field, std::string_view marker) {
  json::Value* value = message.find(field) != nullptr ? &message[field] : nullptr;
  require<TextError>(value != nullptr && !value->is_null(),
                     "continue_final_message is set but the final message has no \"", field, "\" to continue!");
  if (value->is_array()) {
    json::Value* text = nullptr;
    for (json::Value& item : value->items()) {
      text = item.find("text") != nullptr ? &item["text"] : text;
    }
    require<TextError>(
        text != nullptr,
        "continue_final_message is set but we could not find any text to continue in the final message!");
    value = text;
  }
  require<TextError>(value->is_string(), "continue_final_message is set but the final message's \"", field,
                     "\" is no text");
  std::string before = value->as_string();
  *value = json::Value(before + std::string(marker));
  return before;
}

}  // namespace detail

QWEN35_BODY ContinuedMessage::ContinuedMessage(const json::Value& conversation, ContinuedField continued)
    : messages(conversation) {
  for (const std::string text = json::dump(messages); text.find(marker) != std::string::npos;) {
    marker += '_';
  }
  before = detail::mark_continued_field(messages.items().back(), field_name(continued), marker + " ");
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
