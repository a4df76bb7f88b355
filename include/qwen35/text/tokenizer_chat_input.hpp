// SPDX-License-Identifier: Apache-2.0
// What Tokenizer::apply_chat_template() can be asked for.
#pragma once

#include <qwen35/text/chat_template_options.hpp>
#include <qwen35/text/tokenizer_options.hpp>

QWEN35_BEGIN_NAMESPACE

struct TokenizerChatInput {
  std::vector<json::Value> tools{};
  std::optional<ChatTemplate> chat_template{};  // nothing: the tokenizer's own
  bool add_generation_prompt = false;
  bool continue_final_message = false;
  std::optional<bool> enable_thinking{};
  bool add_vision_id = false;
  bool preserve_thinking = false;
  json::Value variables{};  // an object: what else a template of the checkpoint's own reads
  TokenizerOptions tokenizer_kwargs{};
};

QWEN35_END_NAMESPACE
