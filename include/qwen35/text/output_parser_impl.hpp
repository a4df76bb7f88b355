// SPDX-License-Identifier: Apache-2.0
// The output parser's steps through reasoning and answer; included by output_parser.hpp.
#pragma once

#include <qwen35/text/output_parser.hpp>

#if QWEN35_BODIES
#include <algorithm>

QWEN35_BEGIN_NAMESPACE

QWEN35_BODY std::vector<OutputEvent> OutputParser::push(std::string_view text) {
  // What may be the end of the turn, with blanks behind it, waits for what follows: tail_ begins with `ended_` bytes of
  // whole marks and blanks.
  tail_ += text;
  std::size_t begin = 0;
  while (true) {
    if (ended_ == 0) {
      const std::size_t mark = std::min(tail_.find('<', begin), tail_.size());
      pending_.append(tail_, begin, mark - begin);
      begin = mark;
    }
    const std::string_view next = std::string_view(tail_).substr(begin + ended_);
    const auto begins = [next](std::string_view mark) { return mark.starts_with(next); };
    const auto whole = std::find_if(std::begin(turn_ends), std::end(turn_ends),
                                    [next](std::string_view mark) { return next.starts_with(mark); });
    if (whole != std::end(turn_ends)) {
      ended_ += whole->size();
    } else if (std::any_of(std::begin(turn_ends), std::end(turn_ends), begins)) {
      break;
    } else if (ended_ > 0 && is_blank(next[0])) {
      ++ended_;
    } else {
      const std::size_t no_end = std::max<std::size_t>(ended_, 1);
      pending_.append(tail_, begin, no_end);
      begin += no_end;
      ended_ = 0;
    }
  }
  tail_.erase(0, begin);
  return run();
}

QWEN35_BODY std::vector<OutputEvent> OutputParser::finish(OutputEnd end) {
  pending_ += ended_ == 0 ? tail_ : std::string();
  tail_.clear();
  ended_ = 0;
  final_ = true;
  cut_off_ = end == OutputEnd::cut_off;
  return run();
}

QWEN35_BODY std::vector<OutputEvent> OutputParser::run() {
  while (step()) {
  }
  if (final_ && state_ != State::done) {
    leave_wrapper();
    tell_ends(draft_at_end_);
    state_ = State::done;
  }
  const std::size_t used = doubtful_ ? doubtful_->at : at_;
  pending_.erase(0, used);
  close_search_ -= std::min(close_search_, used);
  text_until_ -= std::min(text_until_, used);
  at_ -= used;
  if (doubtful_) {
    doubtful_->at = 0;
  }
  return std::exchange(events_, {});
}

// Each step uses up some text and tells whether there may be more to do.
QWEN35_BODY bool OutputParser::step() {
  switch (state_) {
    case State::thinking:
      return step_thinking();
    case State::content:
      return step_content();
    case State::json_call:
      return step_json_call();
    case State::function_name:
      return step_function_name();
    case State::call_body:
      return step_call_body();
    case State::json_arguments:
      return step_json_arguments();
    case State::parameter_name:
      return step_parameter_name();
    case State::value:
      return step_value();
    case State::done:
      at_ = pending_.size();
      break;
  }
  return false;
}

QWEN35_BODY bool OutputParser::step_thinking() {
  add_reasoning(take_plain());
  if (at_end()) {
    return false;
  }
  if (no_tag("/t")) {
    add_reasoning("<");
    ++at_;
    return true;
  }
  std::size_t length = 0;
  Recovery opened = Recovery::none;
  JsonForm form{.inside_thinking = true};
  const Look close = look(at_, think_close);
  const Look open = reasoning_.blank() ? look(at_, think_open) : Look::no;
  const Look call = look_call(at_, length, opened);
  const Look json = look_json(at_, false, form);
  if (close == Look::yes) {
    at_ += think_close.size();
    end_thinking();
  } else if (open == Look::yes) {
    at_ += think_open.size();
  } else if (call == Look::yes || json == Look::yes) {
    if (find_think_close()) {  // a draft
      add_reasoning(rest(at_).substr(0, close_search_ - at_));
      at_ = close_search_;
    } else if (!final_) {
      return false;
    } else if (call == Look::yes) {
      every_call_ |= Recovery::inside_thinking;
      end_thinking(fence_.open());
      begin_call(length, opened);
    } else {
      begin_json(std::move(form), State::json_call);
    }
  } else if (close == Look::wait || open == Look::wait || call == Look::wait || json == Look::wait) {
    return false;
  } else {
    add_reasoning("<");
    ++at_;
  }
  return true;
}

// `in_fence`: at a call in a fenced block of the reasoning.
QWEN35_BODY void OutputParser::end_thinking(bool in_fence) {
  fence_open_ = in_fence;
  fence_ = {};
  output_.thinking_closed = true;
  thought_ = true;
  content_.drop_leading();
  fence_ahead_ = true;
  state_ = State::content;
}

// At the beginning of the answer, or behind a call: a fence with a call in it, or the end of one.
QWEN35_BODY OutputParser::Look OutputParser::step_fence() {
  if (!fence_ahead_ || !content_.blank()) {
    return Look::no;
  }
  if (fence_open_ && behind_call_) {
    const std::size_t next = skip_gap(at_).value_or(at_);
    const Look end = look(next, fence_mark);
    if (end == Look::yes) {
      at_ = next + fence_mark.size();
      fence_open_ = false;
    }
    if (end != Look::no) {
      return end;
    }
  }
  JsonForm form;
  std::size_t length = 0;
  const Look json = look_json(at_, true, form);
  const Look call = look_fenced_call(length);
  if (json == Look::yes) {
    begin_json(std::move(form), State::json_call);
  } else if (call == Look::yes) {
    at_ += length;
    content_.drop_leading();
    fence_open_ = true;
  }
  return json == Look::yes || call == Look::yes     ? Look::yes
         : json == Look::wait || call == Look::wait ? Look::wait
                                                    : Look::no;
}

QWEN35_BODY bool OutputParser::step_content() {
  if (const Look fence = step_fence(); fence != Look::no) {
    return fence == Look::yes;
  }
  add_content(take_plain());
  if (at_end()) {
    return false;
  }
  if (no_tag("/tf")) {
    add_content("<");
    ++at_;
    return true;
  }
  std::size_t length = 0, function_length = 0;
  Recovery opened = Recovery::none, function_opened = Recovery::missing_open;
  JsonForm form;
  const bool calls = !output_.tool_calls.empty();
  const Look call = look_call(at_, length, opened);
  const Look json = look_json(at_, false, form);
  const Look open = content_.blank() && told_ends_ == output_.tool_calls.size() ? look(at_, think_open) : Look::no;
  const Look think_end = content_.blank() || thought_ || calls ? look(at_, think_close) : Look::no;
  const Look call_end = behind_call_ ? look(at_, closing(CallTag::call)) : Look::no;
  const Look inner_end =
      behind_call_ ? look_either(at_, closing(CallTag::function), closing(CallTag::parameter)) : Look::no;
  const Look function = behind_call_ ? look_opening(at_, CallTag::function, function_length, function_opened)
                        : content_.at_line_start() ? look_offered_function(at_, function_length, function_opened)
                                                   : Look::no;
  if (call == Look::yes) {
    begin_call(length, opened);
  } else if (json == Look::yes) {
    begin_json(std::move(form), State::json_call);
  } else if (open == Look::yes) {
    at_ += think_open.size();
    reasoning_.break_line();
    output_.thinking_closed = false;
    thought_ = true;
    state_ = State::thinking;
  } else if (think_end == Look::yes) {
    at_ += think_close.size();
    leave_wrapper();
    tell_ends(true);
    behind_call_ = false;
    end_thinking();
  } else if (call_end == Look::yes) {
    at_ += closing(CallTag::call).size();
    content_.drop_held(held_before_);
    this->call().recovery |=
        wrapper_open_ || has(this->call().recovery, Recovery::missing_open) ? Recovery::none : Recovery::extra_close;
    wrapper_open_ = false;
    fence_ahead_ = true;
  } else if (inner_end == Look::yes) {
    at_ += rest(at_).find('>') + 1;
    content_.drop_held(held_before_);
    this->call().recovery |= Recovery::extra_close;
  } else if (function == Look::yes) {
    begin_call(function_length, function_opened);
  } else if (final_ && behind_call_ && (wrapper_open_ || has(this->call().recovery, Recovery::missing_close)) &&
             rest(at_).size() > 1 && closing(CallTag::call).starts_with(rest(at_))) {
    at_ = pending_.size();  // the end cuts it off
  } else if (call == Look::wait || json == Look::wait || open == Look::wait || think_end == Look::wait ||
             call_end == Look::wait || inner_end == Look::wait || function == Look::wait) {
    return false;
  } else {
    add_content("<");
    ++at_;
  }
  return true;
}

QWEN35_BODY void OutputParser::add_content(std::string_view text) {
  fence_.add(text);
  fence_ahead_ = fence_ahead_ && text.empty();
  std::string certain = content_.add(text);
  if (!certain.empty()) {
    behind_call_ = false;
    leave_wrapper();
  }
  emit_delta(OutputEventType::content, std::move(certain));
}

QWEN35_BODY void OutputParser::emit_delta(OutputEventType type, std::string text, const std::string& name) {
  if (text.empty()) {
    return;
  }
  if (type != OutputEventType::argument_delta) {
    (type == OutputEventType::reasoning ? output_.reasoning : output_.content) += text;
  }
  const std::size_t index = type == OutputEventType::argument_delta ? call_index() : 0;
  if (!events_.empty() && events_.back().type == type && events_.back().name == name && events_.back().call == index) {
    events_.back().text += text;
    return;
  }
  emit({.type = type, .text = std::move(text), .name = name, .call = index});
}

QWEN35_END_NAMESPACE
#endif  // QWEN35_BODIES
