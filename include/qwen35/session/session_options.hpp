// SPDX-License-Identifier: Apache-2.0
// What a chat session is set up with, and what it answers.
#pragma once

#include <qwen35/cache/hybrid_cache.hpp>
#include <qwen35/generate/usage.hpp>
#include <qwen35/io/source_policy.hpp>
#include <qwen35/media/placeholders.hpp>
#include <qwen35/processor/media_loader.hpp>
#include <qwen35/sampling/stopping_criteria.hpp>
#include <qwen35/text/chat_template_options.hpp>
#include <qwen35/text/output_events.hpp>
#include <qwen35/text/tokenizer.hpp>

#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/generate/output_json.hpp>

#include <algorithm>
#endif

QWEN35_BEGIN_NAMESPACE

struct SessionOptions {
  std::string system{};                   // the system prompt; empty: none
  std::optional<bool> enable_thinking{};  // nothing: the template's own default
  std::vector<json::Value> tools{};       // JSON schemas
  bool preserve_thinking = false;         // for templates that read it
  ChatTemplate chat_template = chat_templates::qwen3_5;
  // How added tokens typed inside user and tool messages are read. With `none` they are plain characters there, and in
  // an assistant message all but the think and tool-call tags are: nobody outside can end a turn. The system prompt and
  // the tools are the program's own, and always parsed.
  added_tokens injected = added_tokens::none;
  // What snapshots of earlier turns may hold in memory; see Session::snapshot_bytes(). The oldest go first; that
  // of the system prompt last but one.
  std::size_t snapshot_bytes = std::size_t{512} << 20;
  // What snapshots may add to a saved session: each has a linear state (66 MB for Qwen3.5-35B-A3B); their keys and
  // values are the cache's. The newest are saved, and that of the system prompt.
  std::size_t saved_snapshot_bytes = std::size_t{256} << 20;
  // After so many reasoning tokens the session writes "\n</think>\n\n" itself, and the model goes on with the answer.
  std::optional<std::size_t> thinking_budget{};
  std::size_t prefill_chunk =
      512;  // tokens of the prompt between two calls of `progress`; the tokens of one picture stay together
  CacheOptions cache{};
  // For pictures and videos in messages; a session that is made with a processor has it.
  MediaLoader media_loader{};
  VideoForm video_form = VideoForm::pad;
  std::size_t max_media = 1000;  // pictures and videos of a conversation
  // Which media a saved session may name that is loaded; messages that are sent are the program's own.
  SourcePolicy sources{};
  // What the vision tower made of pictures is kept for other turns, forks and questions, the latest used of it, up to
  // so many bytes.
  std::size_t media_bytes = std::size_t{256} << 20;
};

struct Reply {
  std::string text;
  std::string reasoning;
  std::vector<ParsedToolCall> tool_calls;
  FinishReason finish_reason = FinishReason::none;
  Usage usage;
  std::vector<TokenId> ids;  // as generated
  std::uint64_t seed = 0;    // do_sample: of the draws; with it the conversation, sent again, gets this reply again
  double prompt_seconds = 0.0;
  double generate_seconds = 0.0;
};

// The beginning of the text, and what it took; on one line.
std::string to_string(const Reply& reply);
template <class Traits>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const Reply& reply) {
  return out << to_string(reply);
}

// {"text": "...", "reasoning": "...", "tool_calls": [{"name": "f", "arguments": {...}, "complete": true, "recovery":
// ""}], "finish_reason": "stop", "usage": {...}, "ids": [...], "seed": 0, "prompt_seconds": 0.1,
// "generate_seconds": 0.2}.
json::Value to_json(const Reply& reply);

// All may be empty. Returning false cancels the reply.
struct SessionCallbacks {
  std::function<bool(const OutputEvent&)> event{};  // as the answer is written
  std::function<bool(std::size_t done, std::size_t total)>
      progress{};                   // of the tokens that have to be read, before the first and after each chunk
  std::function<bool()> proceed{};  // before each forward
  // Of the vision tower's work on one picture or video, in its own units.
  std::function<bool(std::size_t done, std::size_t total)> encoding{};
};

#if QWEN35_BODIES

QWEN35_BODY std::string to_string(const Reply& reply) {
  std::string line = reply.text;
  std::replace(line.begin(), line.end(), '\n', ' ');
  return concat("Reply: \"", shortened(line), "\", ", reply.tool_calls.size(), " tool calls, ",
                name(reply.finish_reason), "; ", to_string(reply.usage));
}

QWEN35_BODY json::Value to_json(const Reply& reply) {
  json::Value out = json::Value::object();
  out["text"] = reply.text;
  out["reasoning"] = reply.reasoning;
  out["tool_calls"] = json::Value::array();
  for (const ParsedToolCall& parsed : reply.tool_calls) {
    json::Value call = json::Value::object();
    call["name"] = parsed.call.name;
    call["arguments"] = parsed.call.arguments;
    call["complete"] = parsed.complete;
    call["recovery"] = name(parsed.recovery);
    out["tool_calls"].push_back(std::move(call));
  }
  out["finish_reason"] = name(reply.finish_reason);
  out["usage"] = to_json(reply.usage);
  out["ids"] = json_array(std::span<const TokenId>(reply.ids));
  out["seed"] = reply.seed;
  out["prompt_seconds"] = reply.prompt_seconds;
  out["generate_seconds"] = reply.generate_seconds;
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
