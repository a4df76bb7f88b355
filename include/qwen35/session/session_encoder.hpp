// SPDX-License-Identifier: Apache-2.0
// A rendered conversation as token ids, with the text of others kept from acting as template, and its media in their
// places.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/media/placeholders.hpp>
#include <qwen35/text/chat_template.hpp>
#include <qwen35/text/text_runs.hpp>
#include <qwen35/text/tokenizer.hpp>

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
    runs_ = text_runs(chat_, messages);
    add(text.substr(0, end), injected == added_tokens::parse ? Reads::parsed : Reads::by_origin);
    out_.generation_prompt = out_.ids.size();
    put(text.substr(end), Reads::parsed);
    return std::move(out_);
  }

 private:
  enum class Reads : std::uint8_t { parsed, by_origin };

  // `text`: a view into chat_.text.
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
      ids = tokenizer_.encode_if(text, [&](std::size_t begin, std::size_t end) {
        return token_acts(runs_, chat_.text, first + begin, first + end);
      });
    } else {
      ids = tokenizer_.encode(text);
    }
    out_.ids.insert(out_.ids.end(), ids.begin(), ids.end());
  }
  const Tokenizer& tokenizer_;
  const RenderedChat& chat_;
  std::span<const std::string> replacements_;
  VideoForm form_;
  std::vector<TextRun> runs_;
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
