// SPDX-License-Identifier: Apache-2.0
// Text that comes in pieces and is passed on without the white space at its ends.
#pragma once

#include <qwen35/core/abi.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#if QWEN35_BODIES
#include <qwen35/text/trim.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

// Text whose white space at either end does not count: it is held back until something follows.
class TrimmedText {
 public:
  bool blank() const noexcept { return !started_; }
  // Whether what was added so far ends a line.
  bool at_line_start() const noexcept { return held_.empty() ? !started_ : held_.back() == '\n'; }
  // Forgets white space at the beginning, and drops what more of it comes.
  void drop_leading();
  // Makes sure that what follows is a line of its own.
  void break_line();
  // The white space that is held back; `drop_held` returns to an earlier amount of it.
  std::size_t held() const noexcept { return held_.size(); }
  void drop_held(std::size_t to) { held_.resize(std::min(to, held_.size())); }
  // The part of the text that is now certain.
  std::string add(std::string_view text);

 private:
  bool started_ = false;
  bool drop_leading_ = false;
  std::string held_;
};

#if QWEN35_BODIES

QWEN35_BODY void TrimmedText::drop_leading() {
  drop_leading_ = true;
  if (!started_) {
    held_.clear();
  }
}

QWEN35_BODY void TrimmedText::break_line() {
  if (started_ && held_.find('\n') == std::string::npos) {
    held_ += '\n';
  }
}

QWEN35_BODY std::string TrimmedText::add(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0 && is_blank(text[end - 1])) {
    --end;
  }
  std::string out;
  if (end > 0) {
    std::size_t begin = 0;
    if (!started_ && drop_leading_) {
      while (is_blank(text[begin])) {
        ++begin;
      }
    }
    out = std::move(held_);
    held_.clear();
    out += text.substr(begin, end - begin);
    started_ = true;
  }
  if (started_ || !drop_leading_) {
    held_ += text.substr(end);
  }
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
