// SPDX-License-Identifier: Apache-2.0
// The steps of the output parser; included by output_parser.hpp.
#pragma once

#include <qwen35/text/output_parser.hpp>

QWEN35_BEGIN_NAMESPACE

inline std::vector<OutputEvent> OutputParser::run() {
  bool more = true;
  while (more) {
    switch (state_) {
      case State::thinking:
        more = step_thinking();
        break;
      case State::content:
        more = step_content();
        break;
      case State::function_name:
        more = step_function_name();
        break;
      case State::call_body:
        more = step_call_body();
        break;
      case State::parameter_name:
        more = step_parameter_name();
        break;
      case State::value:
        more = step_value();
        break;
      case State::done:
        at_ = pending_.size();
        more = false;
        break;
    }
  }
  if (final_) {
    state_ = State::done;
  }
  pending_.erase(0, at_);
  at_ = 0;
  return std::exchange(events_, {});
}

// Each step uses up some text and tells whether there may be more to do. It waits whenever more text could change what
// it does, so that its decisions depend on the text alone and not on where it was cut.
inline bool OutputParser::step_thinking() {
  const std::string_view text = rest(at_);
  const std::size_t plain = std::min(text.find('<'), text.size());
  add_reasoning(text.substr(0, plain));
  at_ += plain;
  if (at_end()) {
    return false;
  }
  std::size_t length = 0;
  const Look close = look(at_, think_close);
  const Look open = reasoning_.blank() ? look(at_, think_open) : Look::no;
  const Look call = look_call(at_, length);
  if (close == Look::yes) {
    at_ += think_close.size();
    end_thinking();
  } else if (open == Look::yes) {
    at_ += think_open.size();
  } else if (call == Look::yes) {
    end_thinking();
    begin_call(length);
  } else if (close == Look::wait || open == Look::wait || call == Look::wait) {
    return false;
  } else {
    add_reasoning("<");
    ++at_;
  }
  return true;
}

inline bool OutputParser::step_content() {
  const std::string_view text = rest(at_);
  const std::size_t plain = std::min(text.find('<'), text.size());
  add_content(text.substr(0, plain));
  at_ += plain;
  if (at_end()) {
    return false;
  }
  std::size_t length = 0;
  const Look call = look_call(at_, length);
  const Look open = content_.blank() && output_.tool_calls.empty() ? look(at_, think_open) : Look::no;
  const Look think_end = content_.blank() || behind_call_ ? look(at_, think_close) : Look::no;
  const Look call_end = behind_call_ ? look(at_, tool_call_close) : Look::no;
  const Look function = behind_call_               ? look(at_, function_open)
                        : content_.at_line_start() ? look_offered_function(at_)
                                                   : Look::no;
  if (call == Look::yes) {
    begin_call(length);
  } else if (open == Look::yes) {
    at_ += think_open.size();
    reasoning_.break_line();
    output_.thinking_closed = false;
    state_ = State::thinking;
  } else if (think_end == Look::yes) {
    at_ += think_close.size();
    end_thinking();
  } else if (call_end == Look::yes) {
    at_ += tool_call_close.size();
    content_.drop_held(held_before_);
  } else if (function == Look::yes) {
    begin_call(function_open.size());
  } else if (call == Look::wait || open == Look::wait || think_end == Look::wait || call_end == Look::wait ||
             function == Look::wait) {
    return false;
  } else {
    add_content("<");
    ++at_;
  }
  return true;
}

inline std::optional<std::string> OutputParser::take_name() {
  const std::string_view text = rest(at_);
  const std::size_t end = text.find_first_of(">\n", scanned_);
  if (end == std::string_view::npos && !final_) {
    scanned_ = text.size();
    return std::nullopt;
  }
  scanned_ = 0;
  std::string name(clean_name(text.substr(0, end)));
  // A line's end in place of '>' stays: it is the newline that may come before a value.
  at_ = end == std::string_view::npos ? pending_.size() : at_ + end + (text[end] == '>' ? 1 : 0);
  return name;
}

inline bool OutputParser::step_function_name() {
  std::optional<std::string> name = take_name();
  if (!name.has_value()) {
    return false;
  }
  schema_ = ToolSchema::find(*tools_, *name);
  output_.tool_calls.push_back({});
  call().call.name = *name;
  call().known_tool = schema_.known();
  emit({.type = OutputEventType::tool_call_begin, .text = std::move(*name), .call = call_index()});
  state_ = State::call_body;
  return true;
}

inline bool OutputParser::step_call_body() {
  const std::string_view text = rest(at_);
  const std::size_t plain = std::min(text.find('<'), text.size());
  call().stray_text += text.substr(0, plain);
  at_ += plain;
  if (at_end()) {
    if (final_) {
      end_call(false);
    }
    return false;
  }
  std::size_t length = 0;
  const Look parameter = look(at_, parameter_open);
  const Look call_end = look(at_, function_close);
  const Look wrapper_end = look(at_, tool_call_close);
  const Look next_call = look_call(at_, length);
  const Look next_function = look(at_, function_open);
  const Look lone_end = look(at_, parameter_close);
  if (parameter == Look::yes) {
    at_ += parameter_open.size();
    state_ = State::parameter_name;
  } else if (call_end == Look::yes) {
    at_ += function_close.size();
    end_call(true);
  } else if (wrapper_end == Look::yes) {
    at_ += tool_call_close.size();
    end_call(true);
  } else if (next_call == Look::yes) {
    end_call(true);
    begin_call(length);
  } else if (next_function == Look::yes) {
    end_call(true);
    begin_call(function_open.size());
  } else if (lone_end == Look::yes) {
    at_ += parameter_close.size();
  } else if (parameter == Look::wait || call_end == Look::wait || wrapper_end == Look::wait ||
             next_call == Look::wait || next_function == Look::wait || lone_end == Look::wait) {
    return false;
  } else {
    call().stray_text += '<';
    ++at_;
  }
  return true;
}

inline bool OutputParser::step_parameter_name() {
  std::optional<std::string> name = take_name();
  if (!name.has_value()) {
    return false;
  }
  parameter_ = std::move(*name);
  value_.clear();
  value_begun_ = false;
  newline_held_ = false;
  state_ = State::value;
  return true;
}

// Whether a value ends at `at`; then `consumed` is the length of what closes it (0 when the next tag is to be read
// again).
inline OutputParser::Look OutputParser::look_value_end(std::size_t at, std::size_t& consumed) const {
  static constexpr std::string_view behind_parameter[] = {parameter_open, function_close, tool_call_close,
                                                          tool_call_open, function_open};
  static constexpr std::string_view behind_function[] = {tool_call_close, tool_call_open};
  static constexpr std::string_view behind_wrapper[] = {tool_call_open};
  const bool line_start = newline_held_ || value_.empty();
  consumed = 0;
  Look found = look(at, parameter_close);
  if (found == Look::yes) {
    consumed = parameter_close.size();
    return look_behind(at + consumed, behind_parameter);
  }
  if (found == Look::no && (found = look(at, function_close)) == Look::yes) {
    return look_behind(at + function_close.size(), behind_function);
  }
  if (found == Look::no && line_start && (found = look(at, tool_call_close)) == Look::yes) {
    return look_behind(at + tool_call_close.size(), behind_wrapper);
  }
  if (found == Look::no && line_start) {
    found = look_missing_parameter(at);
  }
  return found;
}

inline bool OutputParser::step_value() {
  const std::string_view text = rest(at_);
  const std::size_t plain = std::min(text.find('<'), text.size());
  add_value(text.substr(0, plain));
  at_ += plain;
  if (at_end()) {
    if (final_) {
      end_value(false);
      end_call(false);
    }
    return false;
  }
  std::size_t consumed = 0;
  switch (look_value_end(at_, consumed)) {
    case Look::wait:
      return false;
    case Look::yes:
      at_ += consumed;
      end_value(true);
      state_ = State::call_body;
      return true;
    case Look::no:
      break;
  }
  add_value("<");
  ++at_;
  return true;
}

inline void OutputParser::emit_delta(OutputEventType type, std::string text, const std::string& name) {
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

inline void OutputParser::add_content(std::string_view text) {
  std::string certain = content_.add(text);
  behind_call_ = behind_call_ && certain.empty();
  emit_delta(OutputEventType::content, std::move(certain));
}

inline void OutputParser::end_call(bool complete) {
  ParsedToolCall& done = call();
  done.complete = complete;
  done.stray_text = std::string(detail::trim_blanks(done.stray_text));
  if (done.arguments.empty() && done.stray_text.starts_with('{')) {
    if (std::optional<json::Value> object = json::try_parse(done.stray_text)) {
      for (auto& [name, value] : object->members()) {
        std::string text = value.is_string() ? value.as_string() : json::dump(value);
        done.arguments.push_back({name, text, Conversion::converted, true});
        emit({.type = OutputEventType::argument,
              .text = std::move(text),
              .name = name,
              .call = call_index(),
              .value = value,
              .conversion = Conversion::converted});
      }
      done.call.arguments = std::move(*object);
      done.stray_text.clear();
    }
  }
  emit({.type = OutputEventType::tool_call_end, .text = done.call.name, .call = call_index(), .complete = complete});
  behind_call_ = true;
  held_before_ = content_.held();
  state_ = State::content;
}

inline void OutputParser::add_value(std::string_view text) {
  if (!text.empty() && !value_begun_) {
    value_begun_ = true;
    text.remove_prefix(text.front() == '\n' ? 1 : 0);
  }
  if (text.empty()) {
    return;
  }
  std::string certain = newline_held_ ? "\n" : "";
  newline_held_ = text.ends_with('\n');
  certain += text.substr(0, text.size() - (newline_held_ ? 1 : 0));
  value_ += certain;
  emit_delta(OutputEventType::argument_delta, std::move(certain), parameter_);
}

inline void OutputParser::end_value(bool complete) {
  ConvertedArgument converted =
      complete ? schema_.convert(parameter_, value_) : ConvertedArgument{json::Value(value_), Conversion::failed};
  call().arguments.push_back({parameter_, value_, converted.conversion, complete});
  call().call.arguments[parameter_] = converted.value;
  emit({.type = OutputEventType::argument,
        .text = std::move(value_),
        .name = parameter_,
        .call = call_index(),
        .value = std::move(converted.value),
        .conversion = converted.conversion,
        .complete = complete});
  value_.clear();
}

QWEN35_END_NAMESPACE
