// SPDX-License-Identifier: Apache-2.0
// From messages to the text a model reads: the family's published chat templates natively, others by interpretation.
#pragma once

#include <qwen35/core/abi.hpp>
#include <qwen35/json/value.hpp>
#include <qwen35/text/chat_json.hpp>
#include <qwen35/text/chat_template_options.hpp>
#include <qwen35/text/message.hpp>

#include <string>
#include <utility>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/text/chat_template_continue.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

// Renders JSON messages (a list of objects with `role`, `content`, ...) exactly as the published template does, odd
// input included: same text, same errors. `tools` is a list of JSON schema objects; null, an empty list or an object
// means no tools. (Both are values: json::parse() makes one of a text.) Raises TextError whose message starts with the
// template's own ("No messages provided.", "Unexpected message role.", ...). A content item that is no object (the
// template would search its characters for "image") and a `text` that is a list or an object (it would print Python
// syntax) are refused, and so are tools in a string.
RenderedChat render_chat(const json::Value& messages, const json::Value& tools = {},
                         const ChatTemplateOptions& options = {});

// The same for typed messages.
RenderedChat render_chat(const std::vector<Message>& messages, const std::vector<json::Value>& tools = {},
                         const ChatTemplateOptions& options = {});

// The rendered text alone, under the reference's name.
std::string apply_chat_template(const json::Value& messages, const json::Value& tools = {},
                                const ChatTemplateOptions& options = {});
std::string apply_chat_template(const std::vector<Message>& messages, const std::vector<json::Value>& tools = {},
                                const ChatTemplateOptions& options = {});

#if QWEN35_BODIES

QWEN35_BODY RenderedChat render_chat(const json::Value& messages, const json::Value& tools,
                                     const ChatTemplateOptions& options) {
  return render_chat_json(messages, tools, options);
}

QWEN35_BODY RenderedChat render_chat(const std::vector<Message>& messages, const std::vector<json::Value>& tools,
                                     const ChatTemplateOptions& options) {
  json::Value list = json::Value::array();
  for (const Message& message : messages) {
    list.push_back(message_to_json(message, MediaSources::leave_out));
  }
  json::Value tool_list;  // null without tools
  for (const json::Value& tool : tools) {
    tool_list.push_back(tool);
  }
  return render_chat_json(list, tool_list, options);
}

QWEN35_BODY std::string apply_chat_template(const json::Value& messages, const json::Value& tools,
                                            const ChatTemplateOptions& options) {
  return std::move(render_chat(messages, tools, options).text);
}

QWEN35_BODY std::string apply_chat_template(const std::vector<Message>& messages, const std::vector<json::Value>& tools,
                                            const ChatTemplateOptions& options) {
  return std::move(render_chat(messages, tools, options).text);
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
