// SPDX-License-Identifier: Apache-2.0
// From the text a model writes to reasoning, answer and tool calls, while it streams.
#pragma once

#include <qwen35/core/abi.hpp>
#include <qwen35/core/lifetime.hpp>
#include <qwen35/json/respelling.hpp>
#include <qwen35/json/value.hpp>
#include <qwen35/text/output_events.hpp>
#include <qwen35/text/quoted_tags.hpp>
#include <qwen35/text/tool_schema.hpp>
#include <qwen35/text/trimmed_text.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/text/json_tool_calls.hpp>
#include <qwen35/text/trim.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

struct OutputParserOptions {
  bool starts_in_thinking = false;      // the prompt has opened the think block: see opens_thinking
  std::vector<json::Value> tools = {};  // as given to the chat template; their schemas type the arguments
};

// How an output came to its end. What the model did not close may have more to come where a limit of length or a
// cancellation cut it off, but not where the model stopped.
enum class OutputEnd : std::uint8_t { stopped, cut_off };

// Whether a rendered prompt leaves the model inside a think block.
bool opens_thinking(std::string_view prompt);

// Reads a model's output as it comes, in pieces cut anywhere, and tells what it is made of. The events do not depend on
// the cuts, except that neighbouring deltas may be split differently. Nothing the model writes is an error: what cannot
// be a tool call is text. No event takes back what an earlier one told.
//
// - Reasoning goes up to </think>, with all that stands in it: a call drafted there is reasoning. From the first thing
//   that may be a call on, nothing more is told until that is decided: without a </think> up to the output's end the
//   calls are real, and the reasoning ends before them; but none is complete where the output was cut off there.
// - Reasoning, and the answer behind it, are given without the white space around them. An answer that comes without a
//   think block keeps the white space it begins with.
// - A <think> counts at the beginning only, in an answer as in reasoning. Once there was reasoning, or a call, no later
//   </think> shows in the answer, and calls before it are withdrawn: they were drafts. That is why a call's end is told
//   at the end of the output.
// - A tool call is <tool_call> <function=NAME> <parameter=KEY> VALUE </parameter> ... </function> </tool_call> with any
//   white space between the tags, up to 64 characters. <tool_call> may be missing behind another call, or at the
//   beginning of a line when NAME is an offered tool. Closing tags may be missing before the next tag that only makes
//   sense without, and before the output's end: a call whose last parameter was closed is whole there, unless the
//   output was cut off. No call is complete that lacks a parameter which its tool requires. A bare JSON object, in a
//   fence or not, is taken as the arguments, and <KEY> VALUE </KEY> as a parameter that the tool's schema has.
// - A VALUE loses one line's end, \n or \r\n, at either end. It ends at a </parameter> with another tag behind it, so
//   that a value can hold the tag as text, unless its parameter is no string and the value one of its types. Tags that
//   it opens itself it closes itself: a whole call can be quoted in a value. From such a call on nothing is told of the
//   value until it is closed. If the model stops without closing it, the value ended before that call, which was the
//   next one and no quotation; where the output was cut off, it may be a quotation and stays one.
// - A closing tag may name what it closes: </function=NAME>, </parameter=KEY>, and </KEY> if the value has opened no
//   <KEY>. Such a name is marked as loose. The latter two close the parameter where </parameter> would; in front of a
//   </parameter> they are the value's text. A call whose name is empty is never complete.
// - An offered tool may also be called by JSON: <tool_call> {"name": ..., "arguments": {...}} </tool_call>, or
//   several of these, in a list or one behind another, also in a fenced block; or in nothing but fenced blocks, if the
//   answer is made of them alone. NaN, Infinity and numbers beyond a double, which Python's json reads there, have no
//   value here: such an argument is a string of what was written, and half of a surrogate pair is U+FFFD, marked, so
//   that the call is not lost and nothing is passed off as a number.
// - What departs from the template's form is marked: see Recovery.
// - <|im_end|> and <|endoftext|> at the very end, as many as there are, are no part of the output.
class OutputParser {
 public:
  explicit OutputParser(OutputParserOptions options = {});

  // The events that are certain after this piece of text.
  std::vector<OutputEvent> push(std::string_view text);
  // The remaining events: the output ends here. Further text is passed over.
  std::vector<OutputEvent> finish(OutputEnd end = OutputEnd::stopped);
  // All that was read so far.
  const ParsedOutput& output() const noexcept QWEN35_LIFETIMEBOUND { return output_; }

 private:
  enum class State : std::uint8_t {
    thinking,
    content,
    json_call,
    function_name,
    call_body,
    json_arguments,
    parameter_name,
    value,
    done
  };
  enum class Look : std::uint8_t { no, yes, wait };  // wait: more text is needed to tell
  static constexpr std::size_t longest_gap = 64;
  static constexpr std::size_t longest_name = 256;
  static constexpr int most_repeats = 16;     // of a <tool_call>
  static constexpr int most_next_calls = 64;  // that are read anew, being in no value
  static constexpr std::string_view think_open = "<think>", think_close = "</think>";
  static constexpr std::string_view turn_ends[] = {"<|im_end|>", "<|endoftext|>"};

  // An object or list of JSON that is being read, from at_ on. Until it is whole it stays in pending_, since it may
  // turn out to be text.
  struct JsonForm {
    json::Respelling reader = {};
    std::size_t size = 0;                // read so far, of pending_ from at_; at first what stands before the object
    bool tagged = false;                 // behind <tool_call>
    bool outer_fence = false;            // a fence begins before all
    bool inner_fence = false;            // a fence begins behind <tool_call>
    bool inside_thinking = false;        // to go back to, if it is text
    Look first_key = Look::wait;         // whether it is one that a call has
    std::string before = {};             // objects before this one in the same <tool_call>, with a comma behind each
    Recovery recovery = Recovery::none;  // of these, and of <tool_call>
  };
  // A call in a value that is quoted there if the value is closed, and else the next one.
  struct DoubtfulCall {
    std::size_t at = 0;          // in pending_, which is kept from there on
    std::size_t value_size = 0;  // the value before it, and what was told of it
  };

  std::vector<OutputEvent> run();
  bool step();
  bool step_thinking();
  Look step_fence();
  bool step_content();
  bool step_json_call();
  bool step_function_name();
  bool step_call_body();
  bool step_json_arguments();
  bool step_parameter_name();
  bool step_value();

  std::string_view rest(std::size_t at) const noexcept { return std::string_view(pending_).substr(at); }
  bool at_end() const noexcept { return at_ == pending_.size(); }
  // Whether the '<' at at_ begins no tag, all of which go on with one of `second`: most do not, and need no closer
  // look.
  bool no_tag(std::string_view second) const noexcept {
    return at_ + 1 < pending_.size() && second.find(pending_[at_ + 1]) == std::string_view::npos;
  }
  // The text up to the next '<'.
  std::string_view take_plain();

  Look look(std::size_t at, std::string_view tag) const noexcept;
  Look look_either(std::size_t at, std::string_view tag, std::string_view other) const noexcept;
  Look look_row(std::size_t at, std::initializer_list<std::string_view> texts, std::size_t& length) const noexcept;
  Look look_named_closing(std::size_t at, CallTag tag, std::size_t& length) const noexcept;
  std::optional<std::size_t> skip_gap(std::size_t at) const noexcept;
  Look skip_fence(std::size_t& at) const noexcept;
  Look look_behind(std::size_t at, std::initializer_list<std::string_view> tags, bool end_counts = true) const noexcept;
  Look look_opening(std::size_t at, CallTag tag, std::size_t& length, Recovery& recovery) const noexcept;
  Look skip_call_tags(std::size_t& at, Recovery& recovery) const noexcept;
  Look look_call(std::size_t at, std::size_t& length, Recovery& recovery) const noexcept;
  Look look_json(std::size_t at, bool fences, JsonForm& form) const noexcept;
  Look look_fenced_call(std::size_t& length) const noexcept;
  std::optional<std::string_view> look_name(std::size_t at, bool& wait) const noexcept;
  Look look_offered_function(std::size_t at, std::size_t& length, Recovery& recovery) const;
  Look look_next_call(std::size_t at, bool line_start) const;
  Look look_parameter(std::size_t at, std::size_t& length, Recovery& recovery, std::string_view& own_tag) const;
  Look look_missing_parameter(std::size_t at) const;
  Look look_outer_tag(std::size_t at, CallTag inner) const noexcept;
  bool whole_so_far() const;
  bool ends_whole() const;
  Look look_value_end(CallTag closing_tag, std::size_t length, bool line_start) const;
  Look look_parameter_behind(std::size_t at) const;
  bool is_typed_value() const;
  bool opens_own_tag();
  bool find_think_close();

  static std::string_view clean_name(std::string_view name) noexcept;
  static bool is_call_word(std::string_view name) noexcept;
  // Takes a name that goes up to '>', to the end of the line or to a closing tag; nothing while its end is not there.
  std::optional<std::string> take_name(Recovery& recovery);

  void emit(OutputEvent event) { events_.push_back(std::move(event)); }
  void emit_delta(OutputEventType type, std::string text, const std::string& name = {});
  void add_reasoning(std::string_view text) {
    fence_.add(text);
    emit_delta(OutputEventType::reasoning, reasoning_.add(text));
  }
  void add_content(std::string_view text);
  void end_thinking(bool in_fence = false);
  void begin_json(JsonForm form, State state);
  void json_is_text();
  Look look_first_key() const noexcept;
  Look next_json_call();
  Look look_json_end(std::size_t& end, Recovery& recovery) const noexcept;
  void begin_call(std::size_t length, Recovery recovery);
  void open_call(std::string name, Recovery recovery);
  void add_argument(ParsedArgument argument, json::Value value);
  void add_json_argument(const std::string& name, const json::Value& value, bool whole);
  void add_stray(std::string_view text);
  void close_call(bool whole);
  void leave_wrapper();
  void tell_ends(bool withdrawn);
  void begin_value(std::string name);
  void add_value(std::string_view text);
  void end_before_doubtful_call();
  void end_value(bool complete, Recovery recovery);
  ParsedToolCall& call() noexcept { return output_.tool_calls.back(); }
  const ParsedToolCall& call() const noexcept { return output_.tool_calls.back(); }
  std::size_t call_index() const noexcept { return output_.tool_calls.size() - 1; }

  std::shared_ptr<const std::vector<json::Value>> tools_;  // shared, since schema_ points into it
  State state_;
  bool thought_;  // there was a think block: no </think> shows in the answer
  bool final_ = false;
  bool cut_off_ = false;
  std::string tail_;              // text that may be the end of the turn
  std::size_t ended_ = 0;         // how much of it is, unless more follows
  std::string pending_;           // text not yet understood
  std::size_t at_ = 0;            // how much of it is used up
  std::size_t scanned_ = 0;       // how far behind at_ a name's end was looked for
  std::size_t close_search_ = 0;  // no </think> begins in pending_ before here
  std::size_t text_until_ = 0;    // no JSON call begins in pending_ before here
  TrimmedText reasoning_;
  TrimmedText content_;
  JsonForm json_;
  Recovery next_call_ = Recovery::none;   // of the call whose name is being read
  Recovery every_call_ = Recovery::none;  // inside_thinking, behind_open_value, once that is certain
  bool behind_call_ = false;              // nothing but blanks since the last call
  bool wrapper_open_ = false;             // a <tool_call> waits for its end
  bool fence_ahead_ = true;               // at the beginning of the answer, or right behind a call
  bool fence_open_ = false;               // a fence was passed over before a call
  QuotedFence fence_;                     // of the reasoning, or of the answer as it is told
  std::size_t held_before_ = 0;  // blanks content_ held at the end of the last call; those up to </tool_call> are none
  std::vector<bool> whole_;      // of each call: it was closed
  std::size_t told_ends_ = 0;    // calls whose end was told
  bool draft_at_end_ = false;    // the output ended in a value with a </think>
  ToolSchema schema_;
  std::string parameter_;
  Recovery parameter_recovery_ = Recovery::none;
  std::string value_;
  QuotedTags quoted_;
  bool own_tag_opened_ = false;  // the value holds a <city>, being that of the parameter `city`
  std::size_t own_search_ = 0;   // until then: none begins in value_ before here
  std::string value_close_;      // </parameter>, or that of the parameter's own tag
  bool value_begun_ = false;     // a leading line's end was taken off, or is not there
  std::string held_;             // a line's end, or half of one, that is the value's last unless more comes
  std::optional<DoubtfulCall> doubtful_;
  int next_calls_ = 0;  // that were read anew
  std::vector<OutputEvent> events_;
  ParsedOutput output_;
};

// The whole of an output at once.
ParsedOutput parse_output(std::string_view text, OutputParserOptions options = {}, OutputEnd end = OutputEnd::stopped);

#if QWEN35_BODIES

QWEN35_BODY bool opens_thinking(std::string_view prompt) {
  const std::size_t turn = prompt.rfind("<|im_start|>");
  const std::string_view tail = turn == std::string_view::npos ? prompt : prompt.substr(turn);
  const std::size_t open = tail.rfind("<think>");
  return open != std::string_view::npos && tail.find("</think>", open) == std::string_view::npos;
}

QWEN35_BODY OutputParser::OutputParser(OutputParserOptions options)
    : tools_(std::make_shared<const std::vector<json::Value>>(std::move(options.tools))),
      state_(options.starts_in_thinking ? State::thinking : State::content),
      thought_(options.starts_in_thinking) {
  reasoning_.drop_leading();
  output_.thinking_closed = !options.starts_in_thinking;
}

QWEN35_BODY std::string_view OutputParser::take_plain() {
  const std::string_view text = rest(at_);
  const std::string_view plain = text.substr(0, text.find('<'));
  at_ += plain.size();
  return plain;
}

QWEN35_BODY std::string_view OutputParser::clean_name(std::string_view name) noexcept {
  name = trim_blanks(name);
  if (name.size() >= 2 && name.front() == name.back() && (name.front() == '"' || name.front() == '\'')) {
    name = name.substr(1, name.size() - 2);
  }
  return name;
}

QWEN35_BODY ParsedOutput parse_output(std::string_view text, OutputParserOptions options, OutputEnd end) {
  OutputParser parser(std::move(options));
  parser.push(text);
  parser.finish(end);
  return parser.output();
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE

#include <qwen35/text/output_parser_call_impl.hpp>
#include <qwen35/text/output_parser_impl.hpp>
#include <qwen35/text/output_parser_json_impl.hpp>
#include <qwen35/text/output_parser_look_impl.hpp>
