// SPDX-License-Identifier: Apache-2.0
// What a model's output is made of: the events of a stream, and the whole.
#pragma once

#include <qwen35/core/abi.hpp>
#include <qwen35/json/value.hpp>
#include <qwen35/text/message.hpp>
#include <qwen35/text/recovery.hpp>
#include <qwen35/text/tool_schema.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

QWEN35_BEGIN_NAMESPACE

enum class OutputEventType : std::uint8_t {
  reasoning,        // text: more of the reasoning
  content,          // text: more of the answer
  tool_call_begin,  // text: the function's name
  argument_delta,   // text: more of the argument `name`, as written
  argument,         // the argument `name` is whole: text as written, value, conversion
  tool_call_end  // text: the function's name; complete: it is whole, and no draft. Comes when that is certain: at the
                 // end of the output
};

struct OutputEvent {
  OutputEventType type = OutputEventType::content;
  std::string text = {};
  std::string name = {};  // the argument's
  std::size_t call = 0;   // which tool call of this output, from 0
  json::Value value = {};
  Conversion conversion = Conversion::untyped;
  bool complete = true;                // argument: false when the output stopped inside it
  Recovery recovery = Recovery::none;  // tool_call_begin: what is known by then; argument: its own; tool_call_end: all
  friend bool operator==(const OutputEvent&, const OutputEvent&) = default;
};

// How one argument was read.
struct ParsedArgument {
  std::string name;
  std::string text;  // as written, less one newline at either end
  Conversion conversion = Conversion::untyped;
  bool complete = true;
  Recovery recovery = Recovery::none;
  friend bool operator==(const ParsedArgument&, const ParsedArgument&) = default;
};

// A tool call in an output. Run it only when `complete`, and look at the arguments that failed to convert, and at what
// had to be recovered.
struct ParsedToolCall {
  ToolCall call;  // an argument given twice has the last value
  std::vector<ParsedArgument> arguments = {};
  bool known_tool = false;      // a tool of that name was offered
  bool complete = false;        // the call was closed, the output has ended, and no later </think> made it a draft
  std::string stray_text = {};  // what stood between the arguments and belongs to none
  Recovery recovery = Recovery::none;  // of the call and its arguments
  friend bool operator==(const ParsedToolCall&, const ParsedToolCall&) = default;
};

// A whole output. The texts are what the deltas of the events add up to.
struct ParsedOutput {
  std::string reasoning;
  std::string content;
  std::vector<ParsedToolCall> tool_calls;
  bool thinking_closed = true;  // false when the output ended inside its reasoning

  // As the assistant's message of the conversation; reasoning_content is set when there was reasoning. Withdrawn calls
  // are left out.
  Message to_message() const;
  friend bool operator==(const ParsedOutput&, const ParsedOutput&) = default;
};

#if QWEN35_BODIES

QWEN35_BODY Message ParsedOutput::to_message() const {
  Message out = Message::assistant(content);
  if (!reasoning.empty()) {
    out.reasoning_content = reasoning;
  }
  for (const ParsedToolCall& parsed : tool_calls) {
    if (!has(parsed.recovery, Recovery::withdrawn)) {
      out.tool_calls.push_back(parsed.call);
    }
  }
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
