// SPDX-License-Identifier: Apache-2.0
// The tags of a tool call, and those that a value has opened itself.
#pragma once

#include <qwen35/core/abi.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

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

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
