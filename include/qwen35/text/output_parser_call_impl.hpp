// SPDX-License-Identifier: Apache-2.0
// The output parser's steps through a tool call; included by output_parser.hpp.
#pragma once

#include <qwen35/text/output_parser.hpp>

#if QWEN35_BODIES
#include <qwen35/core/error.hpp>

#include <algorithm>

QWEN35_BEGIN_NAMESPACE

QWEN35_BODY std::optional<std::string> OutputParser::take_name(Recovery& recovery) {
  const std::string_view text = rest(at_);
  std::size_t end = text.find_first_of(">\n<", scanned_);
  while (end != std::string_view::npos && text[end] == '<' &&
         (end + 1 < text.size() ? text[end + 1] != '/' : !final_)) {
    if (end + 1 == text.size()) {
      scanned_ = end;
      return std::nullopt;
    }
    end = text.find_first_of(">\n<", end + 1);
  }
  if (end == std::string_view::npos && !final_) {
    scanned_ = text.size();
    return std::nullopt;
  }
  scanned_ = 0;
  const std::string_view written = text.substr(0, end);
  std::string name(clean_name(written));
  const bool closed = end != std::string_view::npos && text[end] == '>';
  recovery |= closed && name == trim_blanks(written) ? Recovery::none : Recovery::loose_name;
  // A line's end in place of '>' stays: it is the newline that may come before a value.
  at_ = end == std::string_view::npos ? pending_.size() : at_ + end + (closed ? 1 : 0);
  return name;
}

QWEN35_BODY void OutputParser::begin_call(std::size_t length, Recovery recovery) {
  leave_wrapper();
  at_ += length;
  next_call_ = recovery;
  wrapper_open_ = !has(recovery, Recovery::missing_open);
  content_.drop_leading();
  state_ = State::function_name;
}

QWEN35_BODY bool OutputParser::step_function_name() {
  std::optional<std::string> name = take_name(next_call_);
  if (name.has_value()) {
    const std::string_view closing_itself = clean_name(std::string_view(*name).substr(0, name->find_last_of('/')));
    if (name->ends_with('/') && ToolSchema::find(*tools_, closing_itself).known()) {  // <function=now/>
      name = std::string(closing_itself);
      next_call_ |= Recovery::loose_name;
    }
    open_call(std::move(*name), next_call_);
    state_ = State::call_body;
  }
  return name.has_value();
}

QWEN35_BODY void OutputParser::open_call(std::string name, Recovery recovery) {
  schema_ = ToolSchema::find(*tools_, name);
  output_.tool_calls.push_back({});
  whole_.push_back(false);
  call().call.name = name;
  call().known_tool = schema_.known();
  call().recovery = recovery | every_call_ | (fence_open_ || fence_.in_code() ? Recovery::code_fence : Recovery::none);
  emit({.type = OutputEventType::tool_call_begin,
        .text = std::move(name),
        .call = call_index(),
        .recovery = call().recovery});
}

QWEN35_BODY void OutputParser::add_stray(std::string_view text) {
  std::string& stray = call().stray_text;
  const std::size_t begin = stray.empty() ? text.find_first_not_of(" \t\r\n\f\v") : 0;
  stray += text.substr(std::min(begin, text.size()));
}

QWEN35_BODY bool OutputParser::step_call_body() {
  std::string_view plain = take_plain();
  if (call().stray_text.empty() && call().arguments.empty()) {
    const std::size_t object = plain.find_first_not_of(" \t\r\n\f\v");
    const std::size_t place = at_ - plain.size() + object;
    if (object != std::string_view::npos && place >= text_until_) {
      std::size_t begin = place;
      const Look fence = skip_fence(begin);
      if (fence == Look::wait) {
        at_ = place;
        return false;
      }
      if (begin < pending_.size() && pending_[begin] == '{') {
        at_ = place;
        begin_json({.size = begin - place, .inner_fence = fence == Look::yes}, State::json_arguments);
        return true;
      }
    }
  }
  add_stray(plain);
  if (final_ && ends_whole()) {
    at_ = pending_.size();
    call().recovery |= Recovery::missing_close;
    wrapper_open_ = false;
    close_call(true);
    return false;
  }
  if (at_end()) {
    if (final_) {
      close_call(false);
    }
    return false;
  }
  std::size_t length = 0, call_length = 0, function_length = 0, end_length = closing(CallTag::function).size();
  Recovery named = Recovery::none, call_opened = Recovery::none, function_opened = Recovery::missing_open;
  std::string_view own_tag;
  const Look parameter = look_parameter(at_, length, named, own_tag);
  const Look plain_end = look(at_, closing(CallTag::function));
  const Look call_end = plain_end == Look::no ? look_named_closing(at_, CallTag::function, end_length) : plain_end;
  const Look wrapper_end = look(at_, closing(CallTag::call));
  const Look next_call = look_call(at_, call_length, call_opened);
  const Look next_function = look_opening(at_, CallTag::function, function_length, function_opened);
  const Look lone_end = look(at_, closing(CallTag::parameter));
  const Look think_end = look(at_, think_close);
  if (parameter == Look::yes) {
    parameter_recovery_ = named;
    value_close_ = closing(CallTag::parameter);
    state_ = State::parameter_name;
    if (!own_tag.empty()) {
      value_close_ = concat("</", own_tag, ">");
      begin_value(std::string(own_tag));
    }
    at_ += length;
  } else if (call_end == Look::yes) {
    at_ += end_length;
    call().recovery |= plain_end == Look::yes ? Recovery::none : Recovery::loose_name;
    close_call(true);
  } else if (wrapper_end == Look::yes) {
    at_ += closing(CallTag::call).size();
    call().recovery |= Recovery::missing_close;
    wrapper_open_ = false;
    close_call(true);
  } else if (next_call == Look::yes || next_function == Look::yes) {
    call().recovery |= Recovery::missing_close;
    close_call(whole_so_far());
    if (next_call == Look::yes) {
      begin_call(call_length, call_opened);
    } else {
      begin_call(function_length, function_opened);
    }
  } else if (think_end == Look::yes) {
    close_call(false);
  } else if (lone_end == Look::yes) {
    at_ += closing(CallTag::parameter).size();
  } else if (parameter == Look::wait || call_end == Look::wait || wrapper_end == Look::wait ||
             next_call == Look::wait || next_function == Look::wait || lone_end == Look::wait ||
             think_end == Look::wait) {
    return false;
  } else {
    add_stray("<");
    ++at_;
  }
  return true;
}

// Whether the call may end here, where nothing closes it.
QWEN35_BODY bool OutputParser::whole_so_far() const {
  const bool named = !call().arguments.empty() || !has(call().recovery, Recovery::loose_name);
  return named && trim_blanks(call().stray_text).empty() && schema_.may_be_whole(call().call.arguments);
}

// Whether the call is whole at the output's end, which stands at at_ or is a closing tag that was cut off.
QWEN35_BODY bool OutputParser::ends_whole() const {
  const std::string_view text = rest(at_);
  const auto begins = [text](std::string_view tag) { return text.size() < tag.size() && tag.starts_with(text); };
  const bool at_closing_tag =
      text.empty() || (text.size() > 1 && (begins(closing(CallTag::function)) || begins(closing(CallTag::call))));
  return !cut_off_ && at_closing_tag && whole_so_far();
}

QWEN35_BODY void OutputParser::add_argument(ParsedArgument argument, json::Value value) {
  call().call.arguments[argument.name] = value;
  call().recovery |= argument.recovery;
  emit({.type = OutputEventType::argument,
        .text = argument.text,
        .name = argument.name,
        .call = call_index(),
        .value = std::move(value),
        .conversion = argument.conversion,
        .complete = argument.complete,
        .recovery = argument.recovery});
  call().arguments.push_back(std::move(argument));
}

QWEN35_BODY void OutputParser::close_call(bool whole) {
  const bool lacking = whole && !schema_.has_required(call().call.arguments);
  call().recovery |= lacking ? Recovery::missing_argument : Recovery::none;
  whole_.back() = whole && !lacking && !call().call.name.empty();
  call().stray_text = std::string(trim_blanks(call().stray_text));
  call().recovery |= call().stray_text.empty() ? Recovery::none : Recovery::stray_text;
  behind_call_ = true;
  fence_ahead_ = true;
  held_before_ = content_.held();
  state_ = State::content;
}

// What follows the last call stands outside of its <tool_call>, closed or not.
QWEN35_BODY void OutputParser::leave_wrapper() {
  if (wrapper_open_ && !whole_.empty() && whole_.back()) {
    call().recovery |= Recovery::missing_close;
  }
  wrapper_open_ = false;
}

// Tells the ends that are due. A call that was closed is complete, unless it was a draft, or may have been one: the
// output was cut off in the reasoning.
QWEN35_BODY void OutputParser::tell_ends(bool withdrawn) {
  for (; told_ends_ < output_.tool_calls.size(); ++told_ends_) {
    ParsedToolCall& done = output_.tool_calls[told_ends_];
    done.complete = whole_[told_ends_] && !withdrawn && !(cut_off_ && has(done.recovery, Recovery::inside_thinking));
    done.recovery |= withdrawn ? Recovery::withdrawn : Recovery::none;
    emit({.type = OutputEventType::tool_call_end,
          .text = done.call.name,
          .call = told_ends_,
          .complete = done.complete,
          .recovery = done.recovery});
  }
}

QWEN35_BODY bool OutputParser::step_parameter_name() {
  std::optional<std::string> name = take_name(parameter_recovery_);
  if (!name.has_value()) {
    return false;
  }
  begin_value(std::move(*name));
  return true;
}

QWEN35_BODY void OutputParser::begin_value(std::string name) {
  parameter_ = std::move(name);
  value_.clear();
  quoted_.clear();
  own_tag_opened_ = false;
  own_search_ = 0;
  value_begun_ = false;
  held_.clear();
  state_ = State::value;
}

QWEN35_BODY bool OutputParser::step_value() {
  add_value(take_plain());
  if (at_end()) {
    if (final_ && doubtful_ && !cut_off_ && next_calls_ < most_next_calls) {
      end_before_doubtful_call();
      return true;
    }
    if (final_) {
      draft_at_end_ = value_.find(think_close) != std::string::npos;
      end_value(false, Recovery::none);
      close_call(false);
    }
    return false;
  }
  const bool line_start = held_.ends_with('\n') || value_.empty();
  const auto add_tag = [this](std::string_view tag) {
    add_value(tag);
    at_ += tag.size();
    return true;
  };
  if (no_tag("/tfp")) {
    return add_tag("<");
  }
  const Look own_end = value_close_ == closing(CallTag::parameter) ? Look::no : look(at_, value_close_);
  if (own_end == Look::yes) {
    at_ += value_close_.size();
    end_value(true, Recovery::none);
    return true;
  }
  bool wait = own_end == Look::wait;
  for (const CallTag tag : call_tags) {
    std::size_t length = closing(tag).size();
    Look found = wait ? Look::wait : look(at_, closing(tag));
    Recovery named = Recovery::none;
    if (found == Look::no && !quoted_.open(tag)) {
      found = look_named_closing(at_, tag, length);
      named = Recovery::loose_name;
      const bool own_tag = tag == CallTag::parameter && length == parameter_.size() + 3;  // </city>
      found = own_tag && found == Look::yes && opens_own_tag() ? Look::no : found;
    }
    const Look end = found == Look::yes ? look_value_end(tag, length, line_start) : found;
    if (end == Look::yes) {
      const bool own = tag == CallTag::parameter;
      if (!own && doubtful_ && quoted_.open(CallTag::function) && next_calls_ < most_next_calls) {
        end_before_doubtful_call();  // the tag is that call's own
        return true;
      }
      at_ += own ? length : 0;
      end_value(true, own ? named : Recovery::missing_close);
      return true;
    }
    if (found == Look::yes && end == Look::no) {
      if (quoted_.open(tag)) {
        quoted_.close(tag);
      }
      return add_tag(rest(at_).substr(0, length));
    }
    wait = wait || end == Look::wait;
  }
  if (!wait && line_start && !quoted_.open(CallTag::function)) {
    const Look missing = look_missing_parameter(at_);
    if (missing == Look::yes) {
      end_value(true, Recovery::missing_close);
      return true;
    }
    wait = missing == Look::wait;
  }
  if (!wait && !doubtful_ && !quoted_.open(CallTag::function) && !quoted_.open(CallTag::call)) {
    const Look next = look_next_call(at_, line_start);
    if (next == Look::yes) {
      doubtful_ = DoubtfulCall{at_, value_.size()};
    }
    wait = next == Look::wait;
  }
  for (const CallTag tag : call_tags) {
    const Look found = wait ? Look::wait : look(at_, opening(tag));
    if (found == Look::yes) {
      quoted_.push(tag);
      return add_tag(opening(tag));
    }
    wait = found == Look::wait;
  }
  return !wait && add_tag("<");
}

QWEN35_BODY void OutputParser::add_value(std::string_view text) {
  if (text.empty()) {
    return;
  }
  std::string certain = std::exchange(held_, {});
  certain += text;
  if (!value_begun_) {
    if (certain == "\r") {  // half of a line's end, perhaps
      held_ = std::move(certain);
      return;
    }
    value_begun_ = true;
    certain.erase(0, certain.starts_with('\n') ? 1 : certain.starts_with("\r\n") ? 2 : 0);
  }
  const std::size_t line_end = certain.ends_with("\r\n")                            ? 2
                               : certain.ends_with('\n') || certain.ends_with('\r') ? 1
                                                                                    : 0;
  held_ = certain.substr(certain.size() - line_end);
  certain.resize(certain.size() - line_end);
  value_ += certain;
  if (!doubtful_) {
    emit_delta(OutputEventType::argument_delta, std::move(certain), parameter_);
  }
}

QWEN35_BODY void OutputParser::end_value(bool complete, Recovery recovery) {
  const std::size_t told = doubtful_ ? doubtful_->value_size : value_.size();
  value_ += held_ == "\r" ? held_ : std::string();
  doubtful_.reset();
  emit_delta(OutputEventType::argument_delta, value_.substr(told), parameter_);
  ConvertedArgument converted =
      complete ? schema_.convert(parameter_, value_) : ConvertedArgument{json::Value(value_), Conversion::failed};
  recovery |= parameter_recovery_ | converted.recovery;
  add_argument({parameter_, std::move(value_), converted.conversion, complete, recovery}, std::move(converted.value));
  value_.clear();
  state_ = State::call_body;
}

// Nothing closes the value: what seemed to be quoted in it is the next call.
QWEN35_BODY void OutputParser::end_before_doubtful_call() {
  ++next_calls_;
  at_ = doubtful_->at;
  value_.resize(doubtful_->value_size);
  doubtful_.reset();
  held_.clear();
  end_value(true, Recovery::missing_close);
  close_call(whole_so_far());
  every_call_ |= Recovery::behind_open_value;
}

QWEN35_END_NAMESPACE
#endif  // QWEN35_BODIES
