// SPDX-License-Identifier: Apache-2.0
// A step that changes the scores of one row before a token is chosen.
#pragma once

#include <qwen35/core/dtype.hpp>
#include <qwen35/core/error.hpp>

#include <limits>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

QWEN35_BEGIN_NAMESPACE

inline constexpr float masked_score = -std::numeric_limits<float>::infinity();

// The row whose next token is being chosen.
struct ProcessedRow {
  std::size_t row = 0;                    // index in the batch (of prompts)
  std::span<const TokenId> ids;           // prompt (pads included) and generated tokens so far
  std::size_t prompt_length = 0;          // of them the prompt's
};

// Derive for a processor of your own. One with the name of an automatic processor takes that one's place; others run after all but the sampling steps.
class LogitsProcessor {
 public:
  virtual ~LogitsProcessor() = default;
  // Name as in the reference, without "LogitsProcessor" or "LogitsWarper": "RepetitionPenalty", "TopK".
  virtual std::string_view name() const = 0;
  // scores `[vocab_size]`, changed in place. Called from one thread at a time for a row, from several for different rows.
  virtual void process(const ProcessedRow& row, std::span<float> scores) const = 0;
};

using LogitsProcessorList = std::vector<std::shared_ptr<const LogitsProcessor>>;

QWEN35_END_NAMESPACE
