// SPDX-License-Identifier: Apache-2.0
// A rendered conversation as token ids, with the text of others kept from acting as template, and its media in their
// places.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/media/placeholders.hpp>
#include <qwen35/text/chat_template.hpp>
#include <qwen35/text/text_runs.hpp>
#include <qwen35/text/tokenizer.hpp>

#include <algorithm>
#include <limits>
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
  std::size_t system_end = 0;         // of the system prompt and the tools; 0: there are none
  std::size_t query_end = 0;          // of the message that was asked for; 0: it is not known
  std::vector<EncodedMedium> media;   // as RenderedChat::media; empty without replacements
};

namespace detail {

class ChatEncoder {
 public:
  // replacements: what stands in the place of each of chat.media's placeholders; none: they stay single tokens.
  ChatEncoder(const Tokenizer& tokenizer, const RenderedChat& chat, std::span<const std::string> replacements,
              VideoForm form);

  EncodedChat encode(const std::vector<Message>& messages, added_tokens injected, std::size_t query);

 private:
  enum class Reads : std::uint8_t { parsed, by_origin };
  static constexpr std::string_view start = "<|im_start|>";

  // Does a message begin there, so that the text may be cut without a change of its tokens? (A tokenizer may have the
  // mark take the line break before it.)
  bool starts_message(std::size_t at) const;
  // The system prompt is the first message, if there is one.
  void find_system_end();

  // `text`: a view into chat_.text.
  void add(std::string_view text, Reads reads);
  // by_origin: a view into chat_.text, whose added tokens act where those who wrote them may use them.
  void put(std::string_view text, Reads reads);
  const Tokenizer& tokenizer_;
  const RenderedChat& chat_;
  std::span<const std::string> replacements_;
  VideoForm form_;
  std::vector<TextRun> runs_;
  EncodedChat out_;
};

}  // namespace detail

// `messages` as rendered to `chat`, system prompt included. `query`: up to which of them the question goes that was
// asked last. Raises TextError for text that is not UTF-8.
EncodedChat encode_chat(const Tokenizer& tokenizer, const RenderedChat& chat, const std::vector<Message>& messages,
                        added_tokens injected = added_tokens::none, std::span<const std::string> replacements = {},
                        VideoForm form = VideoForm::pad,
                        std::size_t query = std::numeric_limits<std::size_t>::max() - 1);

#if QWEN35_BODIES

namespace detail {

QWEN35_BODY ChatEncoder::ChatEncoder(const Tokenizer& tokenizer, const RenderedChat& chat,
                                     std::span<const std::string> replacements, VideoForm form)
    : tokenizer_(tokenizer), chat_(chat), replacements_(replacements), form_(form) {
  require<InputError>(replacements.empty() || replacements.size() == chat.media.size(), "chat: ", chat.media.size(),
                      " media with replacements for ", replacements.size());
}

QWEN35_BODY EncodedChat ChatEncoder::encode(const std::vector<Message>& messages, added_tokens injected,
                                            std::size_t query) {
  const std::string_view text = chat_.text;
  const std::size_t end = chat_.message_ends.empty() ? chat_.preamble_end : chat_.message_ends.back();
  const Reads reads = injected == added_tokens::parse ? Reads::parsed : Reads::by_origin;
  runs_ = text_runs(chat_, messages);
  const bool last = query + 1 >= messages.size();
  const bool within = !last && query < chat_.message_ends.size() && starts_message(chat_.message_ends[query]);
  const std::size_t cut = within ? chat_.message_ends[query] : 0;
  add(text.substr(0, cut), reads);
  out_.query_end = out_.ids.size();
  add(text.substr(cut, end - cut), reads);
  out_.generation_prompt = out_.ids.size();
  out_.query_end = last ? out_.generation_prompt : out_.query_end;
  put(text.substr(end), Reads::parsed);
  find_system_end();
  return std::move(out_);
}

QWEN35_BODY bool ChatEncoder::starts_message(std::size_t at) const {
  return at > 0 && chat_.text[at - 1] == '\n' && std::string_view(chat_.text).substr(at).starts_with(start) &&
         tokenizer_.convert_tokens_to_ids(start) >= 0 && tokenizer_.count(concat("\n", start)) == 2;
}

QWEN35_BODY void ChatEncoder::find_system_end() {
  if (!chat_.text.starts_with(concat(start, "system"))) {
    return;
  }
  const TokenId id = tokenizer_.convert_tokens_to_ids(start);
  const auto second = std::find(out_.ids.begin() + 1, out_.ids.end(), id);
  const auto at = static_cast<std::size_t>(second - out_.ids.begin());
  if (at < out_.ids.size() && (out_.media.empty() || at <= out_.media[0].begin)) {
    out_.system_end = at;
  }
}

QWEN35_BODY void ChatEncoder::add(std::string_view text, Reads reads) {
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
    put(video && form_ == VideoForm::marked ? replacement : concat(tokens.vision_start, replacement, tokens.vision_end),
        Reads::parsed);
    out_.media.push_back({first, out_.ids.size()});
    at = medium.text_offset + (video ? tokens.video : tokens.image).size() + tokens.vision_end.size();
  }
  put(std::string_view(chat_.text).substr(at, end - at), reads);
}

QWEN35_BODY void ChatEncoder::put(std::string_view text, Reads reads) {
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

}  // namespace detail

QWEN35_BODY EncodedChat encode_chat(const Tokenizer& tokenizer, const RenderedChat& chat,
                                    const std::vector<Message>& messages, added_tokens injected,
                                    std::span<const std::string> replacements, VideoForm form, std::size_t query) {
  return detail::ChatEncoder(tokenizer, chat, replacements, form).encode(messages, injected, query);
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
