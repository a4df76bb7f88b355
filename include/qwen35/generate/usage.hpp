// SPDX-License-Identifier: Apache-2.0
// What one generated sequence took, in tokens.
#pragma once

#include <qwen35/core/abi.hpp>

#include <cstddef>

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

QWEN35_END_NAMESPACE
