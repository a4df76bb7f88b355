// SPDX-License-Identifier: Apache-2.0
// How the output parser looks ahead; included by output_parser.hpp. Each answer depends on the text alone, not on where
// it was cut: while more text could change it, the answer is `wait`.
#pragma once

#include <qwen35/text/output_parser.hpp>

#if QWEN35_BODIES
#include <qwen35/core/error.hpp>

#include <algorithm>
#include <iterator>

QWEN35_BEGIN_NAMESPACE

// Whether `tag` stands at `at`.
QWEN35_BODY OutputParser::Look OutputParser::look(std::size_t at, std::string_view tag) const noexcept {
  const std::string_view text = rest(at);
  if (text.size() >= tag.size()) {
    return text.starts_with(tag) ? Look::yes : Look::no;
  }
  return !final_ && tag.starts_with(text) ? Look::wait : Look::no;
}

// Whether one of two tags stands there.
QWEN35_BODY OutputParser::Look OutputParser::look_either(std::size_t at, std::string_view tag,
                                                         std::string_view other) const noexcept {
  const Look first = look(at, tag), second = look(at, other);
  return first == Look::yes || second == Look::no ? first : second;
}

// Whether `texts` stand there one behind another; `length` is theirs.
QWEN35_BODY OutputParser::Look OutputParser::look_row(std::size_t at, std::initializer_list<std::string_view> texts,
                                                      std::size_t& length) const noexcept {
  length = 0;
  for (const std::string_view text : texts) {
    if (const Look found = look(at + length, text); found != Look::yes) {
      return found;
    }
    length += text.size();
  }
  return Look::yes;
}

// Whether a closing tag of this call or parameter stands there that names it: </function=now>, </parameter=city>,
// </city>.
QWEN35_BODY OutputParser::Look OutputParser::look_named_closing(std::size_t at, CallTag tag,
                                                                std::size_t& length) const noexcept {
  const std::string& name = tag == CallTag::function ? call().call.name : parameter_;
  if (tag == CallTag::call || name.empty() || name.size() > longest_name) {
    return Look::no;
  }
  const std::string_view whole = closing(tag);
  const Look form = look_row(at, {whole.substr(0, whole.size() - 1), "=", name, ">"}, length);
  return form != Look::no || tag == CallTag::function || is_call_word(name) ? form
                                                                            : look_row(at, {"</", name, ">"}, length);
}

// The first place at or behind `at` that is not blank; nothing when there are more than longest_gap blanks.
QWEN35_BODY std::optional<std::size_t> OutputParser::skip_gap(std::size_t at) const noexcept {
  const std::size_t limit = at + longest_gap;
  while (at < pending_.size() && is_blank(pending_[at])) {
    if (at++ == limit) {
      return std::nullopt;
    }
  }
  return at;
}

// Whether a fence with or without a language begins at `at`; then `at` moves to what stands in it.
QWEN35_BODY OutputParser::Look OutputParser::skip_fence(std::size_t& at) const noexcept {
  if (const Look mark = look(at, fence_mark); mark != Look::yes) {
    return mark;
  }
  constexpr std::size_t longest_language = 32;
  const auto is_language = [](char c) {
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("_+-.#").find(c) != std::string_view::npos;
  };
  std::size_t end = at + fence_mark.size();
  const std::size_t limit = end + longest_language;
  while (end < pending_.size() && is_language(pending_[end])) {
    if (end++ == limit) {
      return Look::no;
    }
  }
  const std::optional<std::size_t> next = skip_gap(end);
  if (!next.has_value()) {
    return Look::no;
  }
  if (*next == pending_.size()) {
    return final_ ? Look::no : Look::wait;
  }
  at = *next;
  return Look::yes;
}

// Whether one of `tags`, or the end of the output, follows `at`, with blanks between. A tag that the end cuts off
// counts as the end does.
QWEN35_BODY OutputParser::Look OutputParser::look_behind(std::size_t at, std::initializer_list<std::string_view> tags,
                                                         bool end_counts) const noexcept {
  const std::optional<std::size_t> next = skip_gap(at);
  if (!next.has_value()) {
    return Look::no;
  }
  const std::string_view text = rest(*next);
  bool cut_off = text.empty();
  for (const std::string_view tag : tags) {
    if (text.starts_with(tag)) {
      return Look::yes;
    }
    cut_off = cut_off || tag.starts_with(text);
  }
  return !cut_off || (final_ && !end_counts) ? Look::no : final_ ? Look::yes : Look::wait;
}

// Whether `tag` with a name begins at `at`, also with blanks before the '=' or as <function name="...">; then `length`
// goes up to the name.
QWEN35_BODY OutputParser::Look OutputParser::look_opening(std::size_t at, CallTag tag, std::size_t& length,
                                                          Recovery& recovery) const noexcept {
  const std::string_view whole = opening(tag), stem = whole.substr(0, whole.size() - 1);
  if (const Look begins = look(at, stem); begins != Look::yes) {
    return begins;
  }
  std::size_t next = at + stem.size();
  const auto skip_spaces = [&] {
    constexpr std::size_t most = 8;
    const std::size_t from = next;
    while (next < pending_.size() && next < from + most && (pending_[next] == ' ' || pending_[next] == '\t')) {
      ++next;
    }
    return next > from;
  };
  if (skip_spaces()) {
    const Look attribute = look(next, "name");
    if (attribute == Look::wait) {
      return attribute;
    }
    next += attribute == Look::yes ? 4 : 0;
    skip_spaces();
  }
  if (next == pending_.size()) {
    return final_ ? Look::no : Look::wait;
  }
  if (pending_[next] != '=') {
    return Look::no;
  }
  length = next + 1 - at;
  recovery |= length == whole.size() ? Recovery::none : Recovery::loose_name;
  return Look::yes;
}

// Moves `at` behind <tool_call>, as often as it stands there, and the blanks behind each.
QWEN35_BODY OutputParser::Look OutputParser::skip_call_tags(std::size_t& at, Recovery& recovery) const noexcept {
  for (int count = 0; count < most_repeats; ++count) {
    const Look open = look(at, opening(CallTag::call));
    if (open != Look::yes) {
      return open == Look::no && count > 0 ? Look::yes : open;
    }
    const std::optional<std::size_t> next = skip_gap(at + opening(CallTag::call).size());
    if (!next.has_value()) {
      return Look::no;
    }
    recovery |= count > 0 ? Recovery::extra_open : Recovery::none;
    at = *next;
  }
  return Look::yes;
}

// Whether <tool_call> <function= stands at `at`; then `length` is that of the two with the blanks between.
QWEN35_BODY OutputParser::Look OutputParser::look_call(std::size_t at, std::size_t& length,
                                                       Recovery& recovery) const noexcept {
  std::size_t next = at;
  if (const Look open = skip_call_tags(next, recovery); open != Look::yes) {
    return open;
  }
  const Look function = look_opening(next, CallTag::function, length, recovery);
  length += next - at;
  return function;
}

// Whether an object or list begins at `at` behind <tool_call>, a fence, or both; a fence before all only with `fences`.
QWEN35_BODY OutputParser::Look OutputParser::look_json(std::size_t at, bool fences, JsonForm& form) const noexcept {
  if (tools_->empty() || at < text_until_) {
    return Look::no;
  }
  std::size_t next = at;
  if (fences) {
    const std::optional<std::size_t> begin = skip_gap(at);
    next = begin.value_or(at);
    if (const Look fence = begin.has_value() ? skip_fence(next) : Look::no; fence != Look::yes) {
      return fence;
    }
    form.outer_fence = true;
  }
  const Look tag = skip_call_tags(next, form.recovery);
  if (tag == Look::wait || (tag == Look::no && !fences)) {
    return tag;
  }
  if (tag == Look::yes) {
    form.tagged = true;
    const Look fence = skip_fence(next);
    if (fence == Look::wait) {
      return fence;
    }
    form.inner_fence = fence == Look::yes;
  }
  if (next == pending_.size()) {
    return final_ ? Look::no : Look::wait;
  }
  form.size = next - at;
  return pending_[next] == '{' || pending_[next] == '[' ? Look::yes : Look::no;
}

// Whether the answer goes on with a fence and a call of tags in it; then `length` goes up to the <tool_call>.
QWEN35_BODY OutputParser::Look OutputParser::look_fenced_call(std::size_t& length) const noexcept {
  const std::optional<std::size_t> begin = skip_gap(at_);
  if (!begin.has_value()) {
    return Look::no;
  }
  std::size_t next = *begin;
  if (const Look fence = skip_fence(next); fence != Look::yes) {
    return fence;
  }
  length = next - at_;
  std::size_t tags = 0;
  Recovery opened = Recovery::none;
  return look_call(next, tags, opened);
}

// The name from `at` up to '>'; nothing when it is not there, with `wait` set when it may yet come.
QWEN35_BODY std::optional<std::string_view> OutputParser::look_name(std::size_t at, bool& wait) const noexcept {
  const std::string_view text = rest(at).substr(0, longest_name);
  const std::size_t end = text.find_first_of(">\n");
  wait = end == std::string_view::npos && text.size() < longest_name && !final_;
  return end != std::string_view::npos && text[end] == '>' ? std::optional(clean_name(text.substr(0, end)))
                                                           : std::nullopt;
}

// <function= with the name of an offered tool.
QWEN35_BODY OutputParser::Look OutputParser::look_offered_function(std::size_t at, std::size_t& length,
                                                                   Recovery& recovery) const {
  if (const Look open = look_opening(at, CallTag::function, length, recovery); open != Look::yes || tools_->empty()) {
    return tools_->empty() ? Look::no : open;
  }
  bool wait = false;
  const std::optional<std::string_view> name = look_name(at + length, wait);
  return name.has_value() && ToolSchema::find(*tools_, *name).known() ? Look::yes : wait ? Look::wait : Look::no;
}

// Whether a call begins at `at` in a value, which might be the next one.
QWEN35_BODY OutputParser::Look OutputParser::look_next_call(std::size_t at, bool line_start) const {
  std::size_t length = 0;
  Recovery recovery = Recovery::none;
  JsonForm form;
  const Look looks[] = {look_call(at, length, recovery), look_json(at, false, form),
                        line_start ? look_offered_function(at, length, recovery) : Look::no};
  const auto any = [&](Look look) { return std::find(std::begin(looks), std::end(looks), look) != std::end(looks); };
  return any(Look::yes) ? Look::yes : any(Look::wait) ? Look::wait : Look::no;
}

// Whether a parameter begins at `at`; then `length` goes up to its name, or behind <city>, the name of which is then
// `own_tag`. What is not written <parameter=city> must name one that the tool has, or the tool be unknown.
QWEN35_BODY OutputParser::Look OutputParser::look_parameter(std::size_t at, std::size_t& length, Recovery& recovery,
                                                            std::string_view& own_tag) const {
  if (const Look open = look_opening(at, CallTag::parameter, length, recovery); open != Look::no) {
    if (open == Look::wait || recovery == Recovery::none) {
      return open;
    }
    bool wait = false;
    const std::optional<std::string_view> name = look_name(at + length, wait);
    return wait                                                                     ? Look::wait
           : name.has_value() && (!schema_.known() || schema_.has_parameter(*name)) ? Look::yes
                                                                                    : Look::no;
  }
  const std::string_view text = rest(at + 1).substr(0, longest_name);
  const std::size_t size = static_cast<std::size_t>(
      std::find_if(text.begin(), text.end(), [](char c) { return is_blank(c) || c == '>' || c == '<' || c == '/'; }) -
      text.begin());
  if (size == text.size()) {
    return final_ || size == longest_name ? Look::no : Look::wait;
  }
  own_tag = text.substr(0, size);
  length = size + 2;
  recovery = Recovery::parameter_tag;
  return text[size] == '>' && schema_.has_parameter(own_tag) && !is_call_word(own_tag) ? Look::yes : Look::no;
}

// Whether a tag of this name means something else.
QWEN35_BODY bool OutputParser::is_call_word(std::string_view name) noexcept {
  constexpr std::string_view words[] = {"parameter", "function", "tool_call", "think"};
  return std::find(std::begin(words), std::end(words), name) != std::end(words);
}

// <parameter= with the name of a parameter of this tool that was not given yet.
QWEN35_BODY OutputParser::Look OutputParser::look_missing_parameter(std::size_t at) const {
  if (const Look open = look(at, opening(CallTag::parameter)); open != Look::yes) {
    return open;
  }
  bool wait = false;
  const std::optional<std::string_view> name = look_name(at + opening(CallTag::parameter).size(), wait);
  if (!name.has_value()) {
    return wait ? Look::wait : Look::no;
  }
  return schema_.has_parameter(*name) && *name != parameter_ && call().call.arguments.find(*name) == nullptr ? Look::yes
                                                                                                             : Look::no;
}

// Whether a parameter that is written otherwise follows `at`.
QWEN35_BODY OutputParser::Look OutputParser::look_parameter_behind(std::size_t at) const {
  const std::optional<std::size_t> next = skip_gap(at);
  std::size_t length = 0;
  Recovery recovery = Recovery::none;
  std::string_view own_tag;
  return next.has_value() && *next < pending_.size() && pending_[*next] == '<'
             ? look_parameter(*next, length, recovery, own_tag)
             : Look::no;
}

// Whether a tag follows that a value which closed its own `inner` would not have there: a closing one further out that
// it has not opened, or one of the call's next parameter.
QWEN35_BODY OutputParser::Look OutputParser::look_outer_tag(std::size_t at, CallTag inner) const noexcept {
  const std::optional<std::size_t> next = skip_gap(at);
  if (!next.has_value()) {
    return Look::no;
  }
  Look found =
      inner == CallTag::parameter && !quoted_.open(CallTag::function) ? look_missing_parameter(*next) : Look::no;
  for (const CallTag tag : call_tags) {
    if (tag > inner && !quoted_.open(tag) && found != Look::yes) {
      std::size_t length = 0;
      const Look plain = look(*next, closing(tag));
      const Look one = plain == Look::no ? look_named_closing(*next, tag, length) : plain;
      found = one == Look::no ? found : one;
    }
  }
  return found;
}

// Whether the value so far is one of its parameter's types, none of which is a string: then it holds no tag as text.
QWEN35_BODY bool OutputParser::is_typed_value() const {
  constexpr std::size_t longest = 4096;  // it is read anew at each tag
  return value_.size() <= longest && schema_.convert(parameter_, value_).conversion == Conversion::converted &&
         schema_.convert(parameter_, "<").conversion == Conversion::failed;
}

// Whether the value so far has opened a tag of its parameter's name, as <city> or <city id="1">. Each byte is looked at
// once.
QWEN35_BODY bool OutputParser::opens_own_tag() {
  const std::string open = concat("<", parameter_);
  while (!own_tag_opened_) {
    const std::size_t found = value_.find(open, own_search_);
    if (found == std::string::npos) {
      own_search_ = std::max(own_search_, value_.size() - std::min(value_.size(), open.size() - 1));
      break;
    }
    own_search_ = found + open.size();
    own_tag_opened_ = own_search_ == value_.size() || is_blank(value_[own_search_]) || value_[own_search_] == '>' ||
                      value_[own_search_] == '/';
  }
  return own_tag_opened_;
}

// Whether the closing tag of this length that stands at at_ ends the value. One of the value's own does not, unless a
// tag follows that is none of the value's.
QWEN35_BODY OutputParser::Look OutputParser::look_value_end(CallTag tag, std::size_t length, bool line_start) const {
  const std::size_t behind = at_ + length;
  const bool named = !rest(at_).starts_with(closing(tag));
  if (quoted_.open(tag)) {
    if (const Look outer = look_outer_tag(behind, tag); outer != Look::yes) {
      return outer;
    }
  }
  switch (tag) {
    case CallTag::parameter:
      if (!quoted_.open(tag) && is_typed_value()) {
        return Look::yes;
      }
      if (const Look other = look_parameter_behind(behind); other != Look::no) {
        return other;
      }
      if (const std::optional<std::size_t> next = skip_gap(behind); next.has_value()) {
        std::size_t end = 0;
        if (const Look function = look_named_closing(*next, CallTag::function, end); function != Look::no) {
          return function;
        }
      }
      return look_behind(behind,
                         {opening(CallTag::parameter), closing(CallTag::function), closing(CallTag::call),
                          opening(CallTag::call), opening(CallTag::function), think_close},
                         !named || !cut_off_);
    case CallTag::function:
      return look_behind(behind, {closing(CallTag::call), opening(CallTag::call), think_close}, !cut_off_);
    case CallTag::call:
      break;
  }
  return line_start ? look_behind(behind, {opening(CallTag::call), think_close}, !cut_off_) : Look::no;
}

// Whether a </think> stands at or behind at_; then close_search_ is its place. Each byte is looked at once.
QWEN35_BODY bool OutputParser::find_think_close() {
  const std::size_t from = std::max(at_, close_search_);
  const std::size_t found = std::string_view(pending_).find(think_close, from);
  const std::size_t tail = think_close.size() - 1;
  close_search_ =
      found != std::string_view::npos ? found : std::max(from, pending_.size() - std::min(pending_.size(), tail));
  return found != std::string_view::npos;
}

QWEN35_END_NAMESPACE
#endif  // QWEN35_BODIES
