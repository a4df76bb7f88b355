// SPDX-License-Identifier: Apache-2.0
// Who wrote which piece of a rendered chat, and so which of its added tokens act.
#pragma once

#include <qwen35/text/chat_template_options.hpp>
#include <qwen35/text/message.hpp>

#include <span>
#include <string_view>
#include <vector>

#if QWEN35_BODIES
#include <algorithm>
#endif

QWEN35_BEGIN_NAMESPACE

namespace detail {

// Added tokens that an assistant message is made of.
inline constexpr std::string_view turn_tags[] = {"<think>", "</think>", "<tool_call>", "</tool_call>"};

// Finds the runs of a chat that was rendered message by message. Every border is at an added token of the template's.
class TextRunFinder {
 public:
  explicit TextRunFinder(const RenderedChat& chat) : chat_(chat) {}

  // continued: the last message is open, without the template's end.
  std::vector<TextRun> run(std::span<const Message> messages, bool continued);

 private:
  static constexpr std::string_view turn_open = "<|im_start|>", turn_close = "<|im_end|>\n";
  static constexpr std::string_view response_open = "<tool_response>", response_close = "</tool_response>";

  void message(Role role, std::size_t end, bool open);
  // The next run, whose media are the template's.
  void add(std::size_t end, TextOrigin origin);
  void put(std::size_t end, TextOrigin origin);

  const RenderedChat& chat_;
  std::vector<TextRun> runs_;
  std::size_t medium_ = 0;
  std::size_t at_ = 0;
};

}  // namespace detail

// The runs of all of chat.text. `messages` as they were rendered, system prompt included; continued: as
// ChatTemplateOptions::continue_final_message was.
std::vector<TextRun> text_runs(const RenderedChat& chat, std::span<const Message> messages, bool continued = false);

// May the added token that is text[begin, end) act? It must be written by one hand: the template's and the program's
// may, of an assistant's the tags that a message is made of, of a user's none.
bool token_acts(std::span<const TextRun> runs, std::string_view text, std::size_t begin, std::size_t end);

#if QWEN35_BODIES

namespace detail {

QWEN35_BODY std::vector<TextRun> TextRunFinder::run(std::span<const Message> messages, bool continued) {
  add(chat_.preamble_end, TextOrigin::chat_template);
  for (std::size_t i = 0; i < chat_.message_ends.size(); ++i) {
    message(messages[i].role, chat_.message_ends[i], continued && i + 1 == chat_.message_ends.size());
  }
  add(chat_.text.size(), TextOrigin::chat_template);
  return std::move(runs_);
}

QWEN35_BODY void TextRunFinder::message(Role role, std::size_t end, bool open) {
  const std::string_view text = std::string_view(chat_.text).substr(0, end);
  if (role == Role::system) {
    add(end, TextOrigin::program);
    return;
  }
  std::size_t begin = at_ + turn_open.size(), close = end - turn_close.size();
  if (role == Role::tool) {  // the template's own marks come first and last
    begin = text.find(response_open, at_) + response_open.size();
    close = text.rfind(response_close);
  }
  add(begin, TextOrigin::chat_template);
  add(open ? end : close, role == Role::assistant ? TextOrigin::assistant : TextOrigin::user);
  add(end, TextOrigin::chat_template);
}

QWEN35_BODY void TextRunFinder::add(std::size_t end, TextOrigin origin) {
  constexpr std::string_view before = "<|vision_start|>", pad = "<|image_pad|>", after = "<|vision_end|>";
  static_assert(pad.size() == std::string_view("<|video_pad|>").size());
  for (; medium_ < chat_.media.size() && chat_.media[medium_].text_offset < end; ++medium_) {
    const std::size_t place = chat_.media[medium_].text_offset;
    put(place - before.size(), origin);
    put(place + pad.size() + after.size(), TextOrigin::chat_template);
  }
  put(end, origin);
}

QWEN35_BODY void TextRunFinder::put(std::size_t end, TextOrigin origin) {
  if (end > at_) {
    runs_.push_back({end, origin});
    at_ = end;
  }
}

}  // namespace detail

QWEN35_BODY std::vector<TextRun> text_runs(const RenderedChat& chat, std::span<const Message> messages,
                                           bool continued) {
  return chat.runs.empty() ? detail::TextRunFinder(chat).run(messages, continued) : chat.runs;
}

QWEN35_BODY bool token_acts(std::span<const TextRun> runs, std::string_view text, std::size_t begin, std::size_t end) {
  const auto run = std::upper_bound(runs.begin(), runs.end(), begin,
                                    [](std::size_t at, const TextRun& one) { return at < one.end; });
  if (run == runs.end() || end > run->end) {
    return false;
  }
  const auto& tags = detail::turn_tags;
  return run->origin == TextOrigin::chat_template || run->origin == TextOrigin::program ||
         (run->origin == TextOrigin::assistant &&
          std::find(std::begin(tags), std::end(tags), text.substr(begin, end - begin)) != std::end(tags));
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
