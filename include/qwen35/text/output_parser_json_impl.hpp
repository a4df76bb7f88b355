// SPDX-License-Identifier: Apache-2.0
// The output parser's steps through JSON: whole calls, and arguments; included by output_parser.hpp.
#pragma once

#include <qwen35/text/output_parser.hpp>

#if QWEN35_BODIES
#include <qwen35/core/error.hpp>

QWEN35_BEGIN_NAMESPACE

QWEN35_BODY void OutputParser::begin_json(JsonForm form, State state) {
  json_ = std::move(form);
  state_ = state;
}

// It was no call: its first character is text, and none of what was read begins another.
QWEN35_BODY void OutputParser::json_is_text() {
  text_until_ = at_ + json_.size;
  state_ = json_.inside_thinking ? State::thinking : State::content;
}

// Whether the JSON, which is whole, stands as a call does; then `end` is where that ends.
QWEN35_BODY OutputParser::Look OutputParser::look_json_end(std::size_t& end, Recovery& recovery) const noexcept {
  // Moves `end` behind `mark` and the blanks before it, if it is there.
  const auto pass = [&](std::string_view mark) {
    const std::optional<std::size_t> next = skip_gap(end);
    const Look found = next.has_value() ? look(*next, mark) : Look::no;
    end = found == Look::yes ? *next + mark.size() : end;
    return found;
  };
  end = at_ + json_.size;
  if (json_.inner_fence && pass(fence_mark) == Look::wait) {
    return Look::wait;
  }
  if (!json_.tagged) {
    const Look fence = pass(fence_mark);
    return fence != Look::yes ? fence : look_behind(end, {fence_mark, opening(CallTag::call)});
  }
  for (const std::string_view extra : {"}", "]", "</function>"}) {
    Look found = pass(extra);
    while (found == Look::yes) {
      recovery |= Recovery::extra_close;
      found = pass(extra);
    }
    if (found == Look::wait) {
      return found;
    }
  }
  if (const Look tag = look_behind(end, {closing(CallTag::call), opening(CallTag::call), think_close});
      tag != Look::yes) {
    return tag;
  }
  if (pass(closing(CallTag::call)) != Look::yes) {
    recovery |= Recovery::missing_close;
  }
  return json_.outer_fence && pass(fence_mark) == Look::wait ? Look::wait : Look::yes;
}

// Whether the first key is one that a call has; an answer that is some other JSON need not wait for its end.
QWEN35_BODY OutputParser::Look OutputParser::look_first_key() const noexcept {
  const std::string_view text = json_.reader.text();
  const std::size_t begin = text.find('"');
  const std::size_t end = begin == std::string_view::npos ? begin : text.find('"', begin + 1);
  if (end == std::string_view::npos) {
    constexpr std::size_t longest = 32;
    return text.size() > longest ? Look::no : Look::wait;
  }
  for (const std::string_view key : {"name", "arguments", "parameters", "type", "function", "id"}) {
    if (text.substr(begin + 1, end - begin - 1) == key) {
      return Look::yes;
    }
  }
  return Look::no;
}

// Whether another object follows in the same <tool_call>, with a comma between or not; then it is the one to be read.
QWEN35_BODY OutputParser::Look OutputParser::next_json_call() {
  if (!json_.tagged || json_.reader.state() != json::Respelling::State::done) {
    return Look::no;
  }
  std::optional<std::size_t> next = skip_gap(at_ + json_.size);
  if (next.has_value() && *next < pending_.size() && pending_[*next] == ',') {
    next = skip_gap(*next + 1);
    if (next == pending_.size() && !final_) {
      return Look::wait;
    }
  }
  if (!next.has_value() || *next == pending_.size() || pending_[*next] != '{') {
    return Look::no;
  }
  json_.before += json_.reader.text() + ',';
  json_.recovery |= literal_recovery(json_.reader.python(), json_.reader.controls());
  json_.size = *next - at_;
  json_.reader = {};
  json_.first_key = Look::wait;
  return Look::yes;
}

QWEN35_BODY bool OutputParser::step_json_call() {
  while (json_.first_key == Look::wait && json_.reader.state() == json::Respelling::State::open &&
         at_ + json_.size < pending_.size()) {
    json_.size += json_.reader.push(rest(at_ + json_.size).substr(0, 1));
    json_.first_key = look_first_key();
  }
  if (json_.first_key == Look::no) {
    json_is_text();
    return true;
  }
  json_.size += json_.reader.push(rest(at_ + json_.size));
  if (const Look more = next_json_call(); more != Look::no) {
    return more == Look::yes;
  }
  std::string text;
  std::size_t end = 0;
  bool whole = true;
  Recovery recovery = Recovery::json_call | json_.recovery;
  recovery |= json_.outer_fence || json_.inner_fence ? Recovery::code_fence : Recovery::none;
  recovery |= json_.tagged ? Recovery::none : Recovery::missing_open;
  recovery |= literal_recovery(json_.reader.python(), json_.reader.controls());
  Look found = Look::no;
  switch (json_.reader.state()) {
    case json::Respelling::State::done:
      found = look_json_end(end, recovery);
      text = json_.reader.text();
      // Behind a fence, or without its closing tag, only the end of the output says that it was a call.
      whole = !cut_off_ || (json_.tagged && !has(recovery, Recovery::missing_close)) || !trim_blanks(rest(end)).empty();
      break;
    case json::Respelling::State::failed:  // at a </tool_call> only closing brackets are missing
      end = at_ + json_.size - 1;
      found = json_.tagged ? look(end, closing(CallTag::call)) : Look::no;
      end += closing(CallTag::call).size();
      text = json_.reader.completed();
      recovery |= Recovery::missing_close;
      break;
    case json::Respelling::State::open:  // cut off
      if (!final_) {
        return false;
      }
      end = pending_.size();
      found = json_.tagged && rest(at_).find(think_close) == std::string_view::npos ? Look::yes : Look::no;
      text = json_.reader.closed();
      whole = false;
      break;
  }
  if (found == Look::wait) {
    return false;
  }
  if (!json_.before.empty()) {
    json_.before.pop_back();
    text = concat("[", json_.before, text.empty() ? "" : ",", text, "]");
  }
  std::optional<json::Value> value = found == Look::yes ? json::try_parse(text) : std::nullopt;
  std::optional<std::vector<JsonToolCall>> calls = value.has_value() ? json_tool_calls(*value, *tools_) : std::nullopt;
  if (!calls.has_value()) {
    json_is_text();
    return true;
  }
  if (json_.inside_thinking) {
    every_call_ |= Recovery::inside_thinking;
    end_thinking(fence_.open());
  }
  leave_wrapper();
  content_.drop_leading();
  at_ = end;
  for (const JsonToolCall& one : *calls) {
    open_call(one.name, recovery | one.recovery);
    for (const auto& [name, argument] : one.arguments.members()) {
      add_json_argument(name, argument, whole);
    }
    close_call(whole);
  }
  return true;
}

QWEN35_BODY bool OutputParser::step_json_arguments() {
  json_.size += json_.reader.push(rest(at_ + json_.size));
  const bool done = json_.reader.state() == json::Respelling::State::done;
  if (json_.reader.state() == json::Respelling::State::open && !final_) {
    return false;
  }
  const std::optional<json::Value> object = done ? json::try_parse(json_.reader.text()) : std::nullopt;
  std::size_t end = at_ + json_.size;
  if (object.has_value() && json_.inner_fence) {
    const std::optional<std::size_t> next = skip_gap(end);
    const Look fence = next.has_value() ? look(*next, fence_mark) : Look::no;
    if (fence == Look::wait) {
      return false;
    }
    end = fence == Look::yes ? *next + fence_mark.size() : end;
    call().recovery |= Recovery::code_fence;
  }
  state_ = State::call_body;
  if (!object.has_value()) {
    text_until_ = at_ + json_.size;
    return true;
  }
  at_ = end;
  call().recovery |= Recovery::json_arguments | literal_recovery(json_.reader.python(), json_.reader.controls());
  // The whole call once more, in place of its arguments.
  const std::optional<JsonToolCall> again = schema_.has_parameter("name") ? std::nullopt : json_tool_call(*object);
  const bool whole_call = again.has_value() && again->name == call().call.name;
  call().recovery |= whole_call ? Recovery::json_call | again->recovery : Recovery::none;
  for (const auto& [name, value] : (whole_call ? again->arguments : *object).members()) {
    add_json_argument(name, value, true);
  }
  return true;
}

QWEN35_BODY void OutputParser::add_json_argument(const std::string& name, const json::Value& value, bool whole) {
  ConvertedArgument converted = schema_.convert_json(name, value);
  std::string text = ToolSchema::argument_text(value);
  emit_delta(OutputEventType::argument_delta, text, name);
  add_argument({name, std::move(text), converted.conversion, whole, converted.recovery}, std::move(converted.value));
}

QWEN35_END_NAMESPACE
#endif  // QWEN35_BODIES
