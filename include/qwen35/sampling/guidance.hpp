// SPDX-License-Identifier: Apache-2.0
// Classifier-free guidance: scores move away from those of the same sequence behind another prompt.
#pragma once

#include <qwen35/sampling/logits_processor.hpp>

#include <functional>
#include <utility>

#if QWEN35_BODIES
#include <qwen35/math/softmax.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

// The logits [vocab_size] of a row's next token behind the other prompt; they stay valid while the row is processed.
using UnconditionalLogits = std::function<std::span<const float>(const SequenceRow& row)>;

// u + guidance_scale * (s - u), of log probabilities: s the scores', u the unconditional logits'. Source: Sanchez et
// al., "Stay on topic with classifier-free guidance", arXiv 2306.17806.
class UnbatchedClassifierFreeGuidanceLogitsProcessor final : public LogitsProcessor {
 public:
  // Raises InputError without a function.
  UnbatchedClassifierFreeGuidanceLogitsProcessor(double guidance_scale, UnconditionalLogits unconditional_logits);
  std::string_view name() const override { return "UnbatchedClassifierFreeGuidanceLogitsProcessor"; }
  // Raises InputError for logits of another vocabulary.
  QWEN35_BODY void process(const SequenceRow& row, std::span<float> scores) const override;

 private:
  float guidance_scale_;
  UnconditionalLogits unconditional_logits_;
};

#if QWEN35_BODIES

QWEN35_BODY UnbatchedClassifierFreeGuidanceLogitsProcessor::UnbatchedClassifierFreeGuidanceLogitsProcessor(
    double guidance_scale, UnconditionalLogits unconditional_logits)
    : guidance_scale_(static_cast<float>(guidance_scale)), unconditional_logits_(std::move(unconditional_logits)) {
  require<InputError>(static_cast<bool>(unconditional_logits_), "guidance_scale is ", guidance_scale,
                      ", which needs unconditional logits: generate() has them, Batch and Session do not");
}

QWEN35_BODY void UnbatchedClassifierFreeGuidanceLogitsProcessor::process(const SequenceRow& row,
                                                                         std::span<float> scores) const {
  const std::span<const float> others = unconditional_logits_(row);
  require<InputError>(others.size() == scores.size(), "guidance_scale: ", others.size(),
                      " unconditional logits for a vocabulary of ", scores.size());
  const float normaliser = math::log_sum_exp(scores.data(), scores.size());
  const float other_normaliser = math::log_sum_exp(others.data(), others.size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const float other = others[i] - other_normaliser;
    scores[i] = guidance_scale_ * (scores[i] - normaliser - other) + other;
  }
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
