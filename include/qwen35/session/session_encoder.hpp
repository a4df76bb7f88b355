// SPDX-License-Identifier: Apache-2.0
// A rendered conversation as token ids, with the text of others kept from acting as template, and its media in their
// places.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/media/placeholders.hpp>
#include <qwen35/text/chat_template.hpp>
#include <qwen35/text/tokenizer.hpp>

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// Where a medium stands in the ids, the marks around it included.
struct EncodedMedium {
  std::size_t begin = 0;
  std::size_t end = 0;
};

struct EncodedChat {
  std::vector<TokenId> ids;
  std::size_t generation_prompt = 0;  // where it begins in `ids`
  std::vector<EncodedMedium> media;   // as RenderedChat::media; empty without replacements
};

namespace detail {

class ChatEncoder {
 public:
  // replacements: what stands in the place of each of chat.media's placeholders; none: they stay single tokens.
  ChatEncoder(const Tokenizer& tokenizer, const RenderedChat& chat, std::span<const std::string> replacements,
              VideoForm form)
      : tokenizer_(tokenizer), chat_(chat), replacements_(replacements), form_(form) {
    require<InputError>(replacements.empty() || replacements.size() == chat.media.size(), "chat: ", chat.media.size(),
                        " media with replacements for ", replacements.size());
  }

  EncodedChat encode(const std::vector<Message>& messages, added_tokens injected) {
    const std::string_view text = chat_.text;
    const std::size_t end = chat_.message_ends.empty() ? chat_.preamble_end : chat_.message_ends.back();
    if (!chat_.runs.empty() && injected == added_tokens::none) {
      add(text.substr(0, end), Reads::by_origin);
    } else if (injected == added_tokens::parse) {
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
  enum class Reads : std::uint8_t { parsed, plain, by_origin };

  // Every cut is at an added token of the template's, so that the ids are those of the whole. All views are into
  // chat_.text.
  void message(Role role, std::string_view text) {
    if (role == Role::system) {
      parsed(text);
      return;
    }
    if (role == Role::tool) {
      response(text);
      return;
    }
    const std::size_t close = text.size() - std::string_view("<|im_end|>\n").size();
    parsed(text.substr(0, turn_open.size()));
    const std::string_view inner = text.substr(turn_open.size(), close - turn_open.size());
    if (role == Role::user) {
      plain(inner);
    } else {
      tagged(inner);
    }
    parsed(text.substr(close));
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
      for (const std::string_view tag : turn_tags) {
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
  void parsed(std::string_view text) { add(text, Reads::parsed); }
  void plain(std::string_view text) { add(text, Reads::plain); }
  void add(std::string_view text, Reads reads) {
    constexpr PlaceholderTokens tokens;
    std::size_t at = static_cast<std::size_t>(text.data() - chat_.text.data());
    const std::size_t end = at + text.size();
    for (; out_.media.size() < replacements_.size() && chat_.media[out_.media.size()].text_offset < end;) {
      const RenderedMedium& medium = chat_.media[out_.media.size()];
      const std::string& replacement = replacements_[out_.media.size()];
      const bool video = medium.type == PartType::video;
      const std::size_t begin = medium.text_offset - tokens.vision_start.size();
      put(std::string_view(chat_.text).substr(at, begin - at), reads);
      const std::size_t first = out_.ids.size();
      put(video && form_ == VideoForm::marked ? replacement
                                              : concat(tokens.vision_start, replacement, tokens.vision_end),
          Reads::parsed);
      out_.media.push_back({first, out_.ids.size()});
      at = medium.text_offset + (video ? tokens.video : tokens.image).size() + tokens.vision_end.size();
    }
    put(std::string_view(chat_.text).substr(at, end - at), reads);
  }
  // by_origin: a view into chat_.text, whose added tokens act where those who wrote them may use them.
  void put(std::string_view text, Reads reads) {
    std::vector<TokenId> ids;
    if (reads == Reads::by_origin) {
      const auto first = static_cast<std::size_t>(text.data() - chat_.text.data());
      ids = tokenizer_.encode_if(text,
                                 [&](std::size_t begin, std::size_t end) { return acts(first + begin, first + end); });
    } else {
      ids = tokenizer_.encode(text, reads == Reads::parsed ? added_tokens::parse : added_tokens::none);
    }
    out_.ids.insert(out_.ids.end(), ids.begin(), ids.end());
  }
  // May the added token of these bytes of the chat act? It must be written by one hand: the template's and the
  // program's may, of an assistant's the tags that a message is made of.
  bool acts(std::size_t begin, std::size_t end) const {
    const auto run = std::upper_bound(chat_.runs.begin(), chat_.runs.end(), begin,
                                      [](std::size_t at, const TextRun& one) { return at < one.end; });
    if (run == chat_.runs.end() || end > run->end) {
      return false;
    }
    const std::string_view token = std::string_view(chat_.text).substr(begin, end - begin);
    return run->origin == TextOrigin::chat_template || run->origin == TextOrigin::program ||
           (run->origin == TextOrigin::assistant &&
            std::find(std::begin(turn_tags), std::end(turn_tags), token) != std::end(turn_tags));
  }

  static constexpr std::string_view turn_open = "<|im_start|>";
  static constexpr std::string_view turn_tags[] = {"<think>", "</think>", "<tool_call>", "</tool_call>"};
  const Tokenizer& tokenizer_;
  const RenderedChat& chat_;
  std::span<const std::string> replacements_;
  VideoForm form_;
  EncodedChat out_;
};

}  // namespace detail

// `messages` as rendered to `chat`, system prompt included. Raises TextError for text that is not UTF-8.
inline EncodedChat encode_chat(const Tokenizer& tokenizer, const RenderedChat& chat,
                               const std::vector<Message>& messages, added_tokens injected = added_tokens::none,
                               std::span<const std::string> replacements = {}, VideoForm form = VideoForm::pad) {
  return detail::ChatEncoder(tokenizer, chat, replacements, form).encode(messages, injected);
}

QWEN35_END_NAMESPACE
