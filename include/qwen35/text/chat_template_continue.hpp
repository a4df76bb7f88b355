// SPDX-License-Identifier: Apache-2.0
// Rendering a chat whose last message is left open, for the model to continue.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/json/value.hpp>
#include <qwen35/text/chat_template_options.hpp>
#include <qwen35/text/chat_template_render.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/text/chat_template_mark.hpp>
#include <qwen35/text/trim.hpp>
#endif

QWEN35_BEGIN_NAMESPACE
namespace detail {

// The reference renders a marker and a blank behind the text to continue and cuts there; rendered the same way, the
// oddities of the outcome agree: a template that trims its contents takes the marker's own blank off, and then all
// white space before the marker goes too. Unlike the reference's, this marker is never one that the message holds
// itself, and is looked for in the last message alone.
RenderedChat render_continued_chat(const json::Value& messages, const json::Value& tools,
                                   const ChatTemplateOptions& options);

}  // namespace detail

RenderedChat render_chat_json(const json::Value& messages, const json::Value& tools,
                              const ChatTemplateOptions& options);

#if QWEN35_BODIES

namespace detail {

QWEN35_BODY RenderedChat render_continued_chat(const json::Value& messages, const json::Value& tools,
                                               const ChatTemplateOptions& options) {
  require<TextError>(!options.add_generation_prompt,
                     "continue_final_message and add_generation_prompt exclude each other");
  require<TextError>(messages.is_array(), "messages: expected a list of messages, found ", json::found(messages));
  require<TextError>(messages.size() != 0, "No messages provided.");
  const ContinuedMessage continued(messages, options.continued_field);
  RenderedChat out = ChatRenderer(continued.messages, tools, options).run();
  const std::size_t ends = out.message_ends.size();
  const std::size_t cut = out.text.find(continued.marker, ends > 1 ? out.message_ends[ends - 2] : out.preamble_end);
  require<TextError>(cut != std::string::npos && out.text.find(python_strip(continued.before)) != std::string::npos,
                     "continue_final_message is set but the final message does not appear in the chat after applying "
                     "the chat template!");
  const bool trimmed = out.text.compare(cut + continued.marker.size(), 1, " ") != 0;
  out.text.resize(trimmed ? python_rstrip(std::string_view(out.text).substr(0, cut)).size() : cut);
  out.message_ends.back() = out.text.size();
  std::erase_if(out.media,
                [size = out.text.size()](const RenderedMedium& medium) { return medium.text_offset >= size; });
  return out;
}

}  // namespace detail

QWEN35_BODY RenderedChat render_chat_json(const json::Value& messages, const json::Value& tools,
                                          const ChatTemplateOptions& options) {
  require<TextError>(!tools.is_string(), "tools: expected a list of JSON schema objects, found ", json::found(tools));
  if (options.chat_template.own != nullptr) {
    return options.chat_template.own->render(messages, tools, options);
  }
  return options.continue_final_message ? detail::render_continued_chat(messages, tools, options)
                                        : ChatRenderer(messages, tools, options).run();
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
