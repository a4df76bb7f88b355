// SPDX-License-Identifier: Apache-2.0
// The tags of a tool call, and what quotes them: values, and fenced blocks of code.
#pragma once

#include <qwen35/core/abi.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/text/trim.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

// From the innermost outwards.
enum class CallTag : std::uint8_t { parameter, function, call };

constexpr CallTag call_tags[] = {CallTag::parameter, CallTag::function, CallTag::call};

// How the tag begins, and how it is closed.
constexpr std::string_view opening(CallTag tag) noexcept {
  constexpr std::string_view texts[] = {"<parameter=", "<function=", "<tool_call>"};
  return texts[static_cast<std::size_t>(tag)];
}
constexpr std::string_view closing(CallTag tag) noexcept {
  constexpr std::string_view texts[] = {"</parameter>", "</function>", "</tool_call>"};
  return texts[static_cast<std::size_t>(tag)];
}

// The tags that a value has opened and not closed: a call quoted in a value is text up to its own end.
class QuotedTags {
 public:
  bool open(CallTag tag) const noexcept { return counts_[static_cast<std::size_t>(tag)] > 0; }
  void push(CallTag tag);
  // Closes `tag`, which is open, and what was opened inside it and left open.
  void close(CallTag tag) noexcept;
  void clear() noexcept;

 private:
  std::vector<CallTag> stack_;
  std::array<std::size_t, 3> counts_{};
};

inline constexpr std::string_view fence_mark = "```";

// Whether a text that comes in pieces has opened a fenced block of code: each line that begins with a fence opens one,
// or closes it.
class QuotedFence {
 public:
  bool open() const noexcept { return open_; }
  // Whether what comes next is code: in the block, or behind a backtick.
  bool in_code() const noexcept { return open_ || last_ == fence_mark[0]; }
  void add(std::string_view text) noexcept;

 private:
  bool open_ = false;
  bool line_start_ = true;  // nothing but blanks and the beginning of a fence since
  std::size_t marks_ = 0;
  char last_ = 0;
};

#if QWEN35_BODIES

QWEN35_BODY void QuotedTags::push(CallTag tag) {
  stack_.push_back(tag);
  ++counts_[static_cast<std::size_t>(tag)];
}

QWEN35_BODY void QuotedTags::close(CallTag tag) noexcept {
  CallTag last = tag;
  do {
    last = stack_.back();
    stack_.pop_back();
    --counts_[static_cast<std::size_t>(last)];
  } while (last != tag);
}

QWEN35_BODY void QuotedTags::clear() noexcept {
  stack_.clear();
  counts_ = {};
}

QWEN35_BODY void QuotedFence::add(std::string_view text) noexcept {
  for (const char c : text) {
    if (c == '\n') {
      line_start_ = true;
      marks_ = 0;
    } else if (line_start_) {
      marks_ += c == fence_mark[0] ? 1U : 0U;
      line_start_ = marks_ < fence_mark.size() && (c == fence_mark[0] || (marks_ == 0 && is_blank(c)));
      open_ = open_ != (marks_ == fence_mark.size());
    }
  }
  last_ = text.empty() ? last_ : text.back();
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
