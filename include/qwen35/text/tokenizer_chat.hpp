// SPDX-License-Identifier: Apache-2.0
// Conversations to text and to ids by a tokenizer's own chat template. Include for Tokenizer::apply_chat_template().
#pragma once

#include <qwen35/text/chat_template.hpp>
#include <qwen35/text/chat_template_file.hpp>
#include <qwen35/text/tokenizer.hpp>

QWEN35_BEGIN_NAMESPACE

#if QWEN35_BODIES

QWEN35_LAZY_BODY
ChatTemplate Tokenizer::chat_template() const {
  if (chat_template_) {
    return *chat_template_;
  }
  require<TextError>(files_.has_value(),
                     "tokenizer: no chat template: it was not made from a model's folder, and "
                     "set_chat_template() was not called");
  return recognise_chat_template(*files_).chat_template;
}

QWEN35_LAZY_BODY
RenderedChat Tokenizer::render(const std::vector<Message>& messages, const TokenizerChatInput& input) const {
  return render_chat(messages, input.tools,
                     {.add_generation_prompt = input.add_generation_prompt,
                      .enable_thinking = input.enable_thinking,
                      .add_vision_id = input.add_vision_id,
                      .preserve_thinking = input.preserve_thinking,
                      .continue_final_message = input.continue_final_message,
                      .chat_template = input.chat_template ? *input.chat_template : chat_template(),
                      .variables = input.variables});
}

QWEN35_LAZY_BODY
BatchEncoding Tokenizer::apply_chat_template(std::span<const std::vector<Message>> conversations,
                                             const TokenizerChatInput& input) const {
  TokenizerChatInput known = input;
  if (!known.chat_template) {
    known.chat_template = chat_template();
  }
  std::vector<std::string> texts;
  for (const std::vector<Message>& messages : conversations) {
    texts.push_back(std::move(render(messages, known).text));
  }
  return (*this)(texts, input.tokenizer_kwargs);
}

QWEN35_LAZY_BODY
BatchEncoding Tokenizer::apply_chat_template(const std::vector<Message>& messages,
                                             const TokenizerChatInput& input) const {
  return apply_chat_template(std::span(&messages, 1), input);
}

QWEN35_LAZY_BODY
BatchEncoding Tokenizer::apply_chat_template(const json::Value& messages, const TokenizerChatInput& input) const {
  const std::vector<Message> list = messages_from_json(messages, SourcePolicy::everything());  // none is opened
  return declined() ? BatchEncoding() : apply_chat_template(list, input);
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
