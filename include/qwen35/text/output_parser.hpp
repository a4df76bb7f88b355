// SPDX-License-Identifier: Apache-2.0
// From the text a model writes to reasoning, answer and tool calls, while it streams.
#pragma once

#include <qwen35/core/abi.hpp>
#include <qwen35/json/value.hpp>
#include <qwen35/text/output_events.hpp>
#include <qwen35/text/tool_schema.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE

struct OutputParserOptions {
  bool starts_in_thinking = false;      // the prompt has opened the think block: see opens_thinking
  std::vector<json::Value> tools = {};  // as given to the chat template; their schemas type the arguments
};

// Whether a rendered prompt leaves the model inside a think block.
inline bool opens_thinking(std::string_view prompt) {
  const std::size_t turn = prompt.rfind("<|im_start|>");
  const std::string_view tail = turn == std::string_view::npos ? prompt : prompt.substr(turn);
  const std::size_t open = tail.rfind("<think>");
  return open != std::string_view::npos && tail.find("</think>", open) == std::string_view::npos;
}

// Reads a model's output as it comes, in pieces cut anywhere, and tells what it is made of. The events do not depend on
// the cuts, except that neighbouring deltas may be split differently. Nothing the model writes is an error: what cannot
// be a tool call is text.
//
// - Reasoning goes up to </think>, or up to a <tool_call> followed by <function=. It, and the answer behind it, are
// given without the white
//   space around them. An answer that comes without a think block keeps the white space it begins with.
// - A <think> counts at the beginning only, in an answer as in reasoning; a </think> without reasoning before it is
// dropped.
// - A tool call is <tool_call> <function=NAME> <parameter=KEY> VALUE </parameter> ... </function> </tool_call> with any
// white space between
//   the tags, up to 64 characters. <tool_call> may be missing behind another call, or at the beginning of a line when
//   NAME is an offered tool. Closing tags may be missing before the next tag that only makes sense without; a bare JSON
//   object is taken as the arguments.
// - A VALUE loses one newline at either end. It ends at a </parameter> with another tag behind it, so that a value can
// hold the tag as text.
class OutputParser {
 public:
  explicit OutputParser(OutputParserOptions options = {})
      : tools_(std::make_shared<const std::vector<json::Value>>(std::move(options.tools))),
        state_(options.starts_in_thinking ? State::thinking : State::content) {
    reasoning_.drop_leading();
    output_.thinking_closed = !options.starts_in_thinking;
  }

  // The events that are certain after this piece of text.
  std::vector<OutputEvent> push(std::string_view text) {
    pending_ += text;
    return run();
  }

  // The remaining events: the output ends here. Further text is passed over.
  std::vector<OutputEvent> finish() {
    final_ = true;
    return run();
  }

  // All that was read so far.
  const ParsedOutput& output() const noexcept { return output_; }

 private:
  enum class State : std::uint8_t { thinking, content, function_name, call_body, parameter_name, value, done };
  enum class Look : std::uint8_t { no, yes, wait };  // wait: more text is needed to tell
  static constexpr std::size_t longest_gap = 64;
  static constexpr std::size_t longest_name = 256;

  std::vector<OutputEvent> run();
  bool step_thinking();
  bool step_content();
  bool step_function_name();
  bool step_call_body();
  bool step_parameter_name();
  bool step_value();

  std::string_view rest(std::size_t at) const noexcept { return std::string_view(pending_).substr(at); }
  bool at_end() const noexcept { return at_ == pending_.size(); }

  // Whether `tag` stands at `at`.
  Look look(std::size_t at, std::string_view tag) const noexcept {
    const std::string_view text = rest(at);
    if (text.size() >= tag.size()) {
      return text.starts_with(tag) ? Look::yes : Look::no;
    }
    return !final_ && tag.starts_with(text) ? Look::wait : Look::no;
  }

  // The first place at or behind `at` that is not blank; nothing when there are more than longest_gap blanks.
  std::optional<std::size_t> skip_gap(std::size_t at) const noexcept {
    const std::size_t limit = at + longest_gap;
    while (at < pending_.size() && detail::is_blank(pending_[at])) {
      if (at++ == limit) {
        return std::nullopt;
      }
    }
    return at;
  }

  // Whether one of `tags`, or the end of the output, follows `at`, with blanks between. A tag that the end cuts off
  // counts.
  template <std::size_t N>
  Look look_behind(std::size_t at, const std::string_view (&tags)[N]) const noexcept {
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
    return !cut_off ? Look::no : final_ ? Look::yes : Look::wait;
  }

  // Whether <tool_call> <function= stands at `at`; then `length` is that of the two with the blanks between.
  Look look_call(std::size_t at, std::size_t& length) const noexcept {
    if (const Look open = look(at, tool_call_open); open != Look::yes) {
      return open;
    }
    const std::optional<std::size_t> next = skip_gap(at + tool_call_open.size());
    if (!next.has_value()) {
      return Look::no;
    }
    length = *next + function_open.size() - at;
    return look(*next, function_open);
  }

  // The name from `at` up to '>'; nothing when it is not there, with `wait` set when it may yet come.
  std::optional<std::string_view> look_name(std::size_t at, bool& wait) const noexcept {
    const std::string_view text = rest(at).substr(0, longest_name);
    const std::size_t end = text.find_first_of(">\n");
    wait = end == std::string_view::npos && text.size() < longest_name && !final_;
    return end != std::string_view::npos && text[end] == '>' ? std::optional(clean_name(text.substr(0, end)))
                                                             : std::nullopt;
  }
  // <function= with the name of an offered tool.
  Look look_offered_function(std::size_t at) const {
    if (const Look open = look(at, function_open); open != Look::yes || tools_->empty()) {
      return tools_->empty() ? Look::no : open;
    }
    bool wait = false;
    const std::optional<std::string_view> name = look_name(at + function_open.size(), wait);
    return name.has_value() && ToolSchema::find(*tools_, *name).known() ? Look::yes : wait ? Look::wait : Look::no;
  }
  // <parameter= with the name of a parameter of this tool that was not given yet.
  Look look_missing_parameter(std::size_t at) const {
    if (const Look open = look(at, parameter_open); open != Look::yes) {
      return open;
    }
    bool wait = false;
    const std::optional<std::string_view> name = look_name(at + parameter_open.size(), wait);
    if (!name.has_value()) {
      return wait ? Look::wait : Look::no;
    }
    return schema_.has_parameter(*name) && *name != parameter_ && call().call.arguments.find(*name) == nullptr
               ? Look::yes
               : Look::no;
  }
  Look look_value_end(std::size_t at, std::size_t& consumed) const;

  static std::string_view clean_name(std::string_view name) noexcept {
    name = detail::trim_blanks(name);
    if (name.size() >= 2 && name.front() == name.back() && (name.front() == '"' || name.front() == '\'')) {
      name = name.substr(1, name.size() - 2);
    }
    return name;
  }
  // Takes a name that goes up to '>' or to the end of the line; nothing while its end is not there.
  std::optional<std::string> take_name();

  void emit(OutputEvent event) { events_.push_back(std::move(event)); }
  void emit_delta(OutputEventType type, std::string text, const std::string& name = {});
  void add_reasoning(std::string_view text) { emit_delta(OutputEventType::reasoning, reasoning_.add(text)); }
  void add_content(std::string_view text);
  void end_thinking() {
    output_.thinking_closed = true;
    content_.drop_leading();
    state_ = State::content;
  }
  void begin_call(std::size_t length) {
    at_ += length;
    content_.drop_leading();
    state_ = State::function_name;
  }
  void end_call(bool complete);
  void add_value(std::string_view text);
  void end_value(bool complete);
  ParsedToolCall& call() noexcept { return output_.tool_calls.back(); }
  const ParsedToolCall& call() const noexcept { return output_.tool_calls.back(); }
  std::size_t call_index() const noexcept { return output_.tool_calls.size() - 1; }

  static constexpr std::string_view think_open = "<think>", think_close = "</think>", tool_call_open = "<tool_call>",
                                    tool_call_close = "</tool_call>",
                                    function_open = "<function=", function_close = "</function>",
                                    parameter_open = "<parameter=", parameter_close = "</parameter>";

  std::shared_ptr<const std::vector<json::Value>> tools_;  // shared, since schema_ points into it
  State state_;
  bool final_ = false;
  std::string pending_;      // text not yet understood
  std::size_t at_ = 0;       // how much of it is used up
  std::size_t scanned_ = 0;  // how far behind at_ a name's end was looked for
  detail::TrimmedText reasoning_;
  detail::TrimmedText content_;
  bool behind_call_ = false;  // nothing but blanks since the last call
  std::size_t held_before_ =
      0;  // the blanks content_ held at the end of the last call; those up to </tool_call> are not content
  ToolSchema schema_;
  std::string parameter_;
  std::string value_;
  bool value_begun_ = false;   // a leading newline was taken off, or is not there
  bool newline_held_ = false;  // a newline that is the value's last, unless more comes
  std::vector<OutputEvent> events_;
  ParsedOutput output_;
};

// The whole of an output at once.
inline ParsedOutput parse_output(std::string_view text, OutputParserOptions options = {}) {
  OutputParser parser(std::move(options));
  parser.push(text);
  parser.finish();
  return parser.output();
}

QWEN35_END_NAMESPACE

#include <qwen35/text/output_parser_impl.hpp>
