// SPDX-License-Identifier: Apache-2.0
// A rendered conversation as token ids, with the text of others kept from acting as template.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/text/chat_template.hpp>
#include <qwen35/text/tokenizer.hpp>

#include <algorithm>
#include <string_view>
#include <vector>

QWEN35_BEGIN_NAMESPACE

struct EncodedChat {
  std::vector<TokenId> ids;
  std::size_t generation_prompt = 0;  // where it begins in `ids`
};

namespace detail {

class ChatEncoder {
 public:
  ChatEncoder(const Tokenizer& tokenizer, const RenderedChat& chat) : tokenizer_(tokenizer), chat_(chat) {}

  EncodedChat encode(const std::vector<Message>& messages, added_tokens injected) {
    const std::string_view text = chat_.text;
    const std::size_t end = chat_.message_ends.empty() ? chat_.preamble_end : chat_.message_ends.back();
    if (injected == added_tokens::parse) {
      parsed(text.substr(0, end));
    } else {
      parsed(text.substr(0, chat_.preamble_end));
      std::size_t begin = chat_.preamble_end;
      for (std::size_t i = 0; i < messages.size(); ++i) {
        message(messages[i].role, text.substr(begin, chat_.message_ends[i] - begin));
        begin = chat_.message_ends[i];
      }
    }
    out_.generation_prompt = out_.ids.size();
    parsed(text.substr(end));
    return std::move(out_);
  }

 private:
  // Every cut is at an added token of the template's, so that the ids are those of the whole.
  void message(Role role, std::string_view text) {
    switch (role) {
      case Role::system: parsed(text); return;
      case Role::user: take(text, turn_open); plain(text.substr(0, text.size() - turn_close.size())); break;
      case Role::assistant: take(text, turn_open); tagged(text.substr(0, text.size() - turn_close.size())); break;
      case Role::tool: response(text); return;
    }
    parsed(turn_close);
  }
  void response(std::string_view text) {
    constexpr std::string_view open = "<tool_response>", close = "</tool_response>";
    const std::size_t begin = text.find(open) + open.size();  // the template's own comes first
    const std::size_t end = text.rfind(close);                // and last
    parsed(text.substr(0, begin));
    plain(text.substr(begin, end - begin));
    parsed(text.substr(end));
  }
  // Plain, but for the tags that an assistant message is made of.
  void tagged(std::string_view text) {
    while (!text.empty()) {
      std::size_t at = text.size();
      std::size_t length = 0;
      for (const std::string_view tag : {std::string_view("<think>"), std::string_view("</think>"), std::string_view("<tool_call>"),
                                         std::string_view("</tool_call>")}) {
        const std::size_t found = text.substr(0, at).find(tag);
        if (found != std::string_view::npos) {
          at = found;
          length = tag.size();
        } else if (at < text.size() && text.substr(at).starts_with(tag)) {
          length = tag.size();
        }
      }
      plain(text.substr(0, at));
      parsed(text.substr(at, length));
      text.remove_prefix(at + length);
    }
  }
  void take(std::string_view& text, std::string_view prefix) {
    parsed(prefix);
    text.remove_prefix(prefix.size());
  }
  void parsed(std::string_view text) { add(text, added_tokens::parse); }
  void plain(std::string_view text) { add(text, added_tokens::none); }
  void add(std::string_view text, added_tokens added) {
    const std::vector<TokenId> ids = tokenizer_.encode(text, added);
    out_.ids.insert(out_.ids.end(), ids.begin(), ids.end());
  }

  static constexpr std::string_view turn_open = "<|im_start|>", turn_close = "<|im_end|>\n";
  const Tokenizer& tokenizer_;
  const RenderedChat& chat_;
  EncodedChat out_;
};

}  // namespace detail

// `messages` as rendered to `chat`, system prompt included. Raises TextError for text that is not UTF-8.
inline EncodedChat encode_chat(const Tokenizer& tokenizer, const RenderedChat& chat, const std::vector<Message>& messages,
                               added_tokens injected = added_tokens::none) {
  return detail::ChatEncoder(tokenizer, chat).encode(messages, injected);
}

QWEN35_END_NAMESPACE
