// SPDX-License-Identifier: Apache-2.0
// What must hold of every output: its events agree with one another and with the whole, and do not depend on the cuts.
#pragma once

#include <qwen35/text/output_parser.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace output_check {

using qwen35::OutputEvent;
using qwen35::OutputEventType;
using qwen35::OutputParser;
using qwen35::OutputParserOptions;
using qwen35::ParsedArgument;
using qwen35::ParsedOutput;
using qwen35::ParsedToolCall;

inline bool is_delta(OutputEventType type) {
  return type == OutputEventType::reasoning || type == OutputEventType::content ||
         type == OutputEventType::argument_delta;
}

struct Stream {
  std::vector<OutputEvent> events;  // neighbouring deltas of one kind joined
  ParsedOutput whole;
  std::string problem;  // what contradicts, if anything
};

// The output given in pieces that end at `cuts`.
inline Stream parse(std::string_view text, const std::vector<std::size_t>& cuts, const OutputParserOptions& options) {
  OutputParser parser(options);
  Stream out;
  const auto take = [&out](const std::vector<OutputEvent>& events, bool last) {
    for (const OutputEvent& event : events) {
      if (event.type == OutputEventType::tool_call_end && event.complete && !last) {
        out.problem = "a call is complete before the output ends";
      }
      if (is_delta(event.type) && event.text.empty()) {
        out.problem = "an empty delta";
      }
      OutputEvent* const before = out.events.empty() ? nullptr : &out.events.back();
      if (is_delta(event.type) && before != nullptr && before->type == event.type && before->call == event.call &&
          before->name == event.name) {
        before->text += event.text;
      } else {
        out.events.push_back(event);
      }
    }
  };
  std::size_t begin = 0;
  for (const std::size_t cut : cuts) {
    take(parser.push(text.substr(begin, cut - begin)), false);
    begin = cut;
  }
  take(parser.push(text.substr(begin)), false);
  take(parser.finish(), true);
  out.whole = parser.output();
  return out;
}

// What in the events contradicts an earlier one or the whole; empty if nothing does.
inline std::string contradiction(const Stream& stream) {
  if (!stream.problem.empty()) {
    return stream.problem;
  }
  const ParsedOutput& whole = stream.whole;
  std::string reasoning, content, argument;
  std::size_t begun = 0, ended = 0;
  std::vector<std::size_t> arguments;
  const auto running = [&](const OutputEvent& event) {
    return event.call + 1 == begun && event.call >= ended && event.call < whole.tool_calls.size();
  };
  for (const OutputEvent& event : stream.events) {
    switch (event.type) {
      case OutputEventType::reasoning:
        reasoning += event.text;
        if (!content.empty()) {
          return "reasoning behind the answer";
        }
        break;
      case OutputEventType::content:
        content += event.text;
        break;
      case OutputEventType::tool_call_begin:
        if (event.call != begun || event.call >= whole.tool_calls.size() ||
            event.text != whole.tool_calls[event.call].call.name ||
            !qwen35::has(whole.tool_calls[event.call].recovery, event.recovery)) {
          return "a call begins that is not the whole's";
        }
        ++begun;
        arguments.push_back(0);
        break;
      case OutputEventType::argument_delta:
        if (!running(event)) {
          return "a delta outside of its call";
        }
        argument += event.text;
        break;
      case OutputEventType::argument: {
        const std::size_t index = running(event) ? arguments[event.call]++ : 0;
        if (!running(event) || index >= whole.tool_calls[event.call].arguments.size()) {
          return "an argument outside of its call";
        }
        const ParsedToolCall& call = whole.tool_calls[event.call];
        const ParsedArgument told{event.name, event.text, event.conversion, event.complete, event.recovery};
        if (!(told == call.arguments[index]) || argument != event.text || !qwen35::has(call.recovery, event.recovery)) {
          return "an argument that is not the whole's, or not its deltas' sum";
        }
        argument.clear();
        break;
      }
      case OutputEventType::tool_call_end: {
        if (event.call != ended || event.call >= begun) {
          return "a call ends that has not begun";
        }
        const ParsedToolCall& call = whole.tool_calls[event.call];
        if (event.text != call.call.name || event.complete != call.complete || event.recovery != call.recovery ||
            arguments[event.call] != call.arguments.size()) {
          return "a call's end that is not the whole's";
        }
        ++ended;
        break;
      }
    }
  }
  if (reasoning != whole.reasoning || content != whole.content || ended != whole.tool_calls.size()) {
    return "the events do not add up to the whole";
  }
  for (const ParsedToolCall& call : whole.tool_calls) {
    const bool cut_off = std::any_of(call.arguments.begin(), call.arguments.end(),
                                     [](const ParsedArgument& one) { return !one.complete; });
    if (call.complete && (cut_off || qwen35::has(call.recovery, qwen35::Recovery::withdrawn))) {
      return "a call is complete and not whole";
    }
  }
  return {};
}

// A </think> behind all makes every call a draft.
inline bool survives_think_close(std::string_view text, const OutputParserOptions& options) {
  const ParsedOutput closed = qwen35::parse_output(std::string(text) + "</think>", options);
  return std::any_of(closed.tool_calls.begin(), closed.tool_calls.end(),
                     [](const ParsedToolCall& call) { return call.complete; });
}

}  // namespace output_check
