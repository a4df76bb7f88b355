// SPDX-License-Identifier: Apache-2.0
// What one generated sequence took, in tokens.
#pragma once

#include <qwen35/core/error.hpp>

#include <cstddef>
#include <iosfwd>
#include <string>

QWEN35_BEGIN_NAMESPACE

struct Usage {
  std::size_t prompt_tokens = 0;      // padding not counted; of a session the whole conversation, generation prompt
                                      // included
  std::size_t cached_tokens = 0;      // of these, those a cache already held
  std::size_t completion_tokens = 0;  // generated, the end-of-sequence token and what a session wrote itself included

  // What only a session knows.
  std::size_t processed_tokens = 0;  // of the prompt, those the model read now: all that were not cached, unless that
                                     // was cancelled
  std::size_t reasoning_tokens = 0;  // of the completion, those up to the end of the think block
  std::size_t encoded_media = 0;     // pictures and videos that the vision tower looked at now

  std::size_t answer_tokens() const { return completion_tokens - reasoning_tokens; }
};

// On one line.
std::string to_string(const Usage& usage);
template <class Traits>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const Usage& usage) {
  return out << to_string(usage);
}

#if QWEN35_BODIES

QWEN35_BODY std::string to_string(const Usage& usage) {
  std::string out = concat("Usage: ", usage.prompt_tokens, " prompt tokens, ", usage.cached_tokens, " of them cached, ",
                           usage.completion_tokens, " new");
  if (usage.reasoning_tokens > 0) {
    out += concat(", ", usage.reasoning_tokens, " of them reasoning");
  }
  if (usage.encoded_media > 0) {
    out += concat(", ", usage.encoded_media, " media encoded");
  }
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
