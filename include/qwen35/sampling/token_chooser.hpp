// SPDX-License-Identifier: Apache-2.0
// From the logits of a sequence's newest token to its next token, and whether that ends the sequence.
#pragma once

#include <qwen35/sampling/processors_of.hpp>
#include <qwen35/sampling/sampler.hpp>
#include <qwen35/sampling/stopping_criteria.hpp>

#include <utility>

QWEN35_BEGIN_NAMESPACE

// Memory of the vocabulary's size that a choice needs. One serves any number of sequences that are chosen for one after
// the other.
struct ChooserScratch {
  Scratch processors;
  MultinomialSampler multinomial;

  void reserve(std::size_t vocab_size);
};

struct ChosenToken {
  TokenId id = -1;
  FinishReason reason = FinishReason::none;  // what the token ends its sequence with
};

// What users add to the processors and criteria of a config.
struct ChooserExtras {
  LogitsProcessorList logits_processor{};
  PrefixAllowedTokens prefix_allowed_tokens_fn{};
  StoppingCriteriaList stopping_criteria{};
  TokenText tokenizer{};                       // for stop_strings
  UnconditionalLogits unconditional_logits{};  // for guidance_scale
};

// Knows no model and keeps nothing of a sequence: one serves any number of sequences with the same config and length of
// prompt. Its time (max_time) begins when it is made.
class TokenChooser {
 public:
  // `config` with all defaults filled in, its max_length counted from the first column; `prompt_length` columns of
  // prompt. Raises InputError.
  QWEN35_LAZY
  TokenChooser(const GenerationConfig& config, std::size_t prompt_length, const ChooserExtras& extras = {});

  // logits: [vocab_size], which become the processed scores. Raises InputError, as the processors do.
  void process(const SequenceRow& row, std::span<float> logits) const { qwen35::process(processors_, row, logits); }
  // The next token, from processed scores [vocab_size]. Raises InputError when no token can be chosen.
  TokenId sample(std::span<const float> scores, const DrawKey& key, MultinomialSampler& multinomial) const {
    return samples_ ? multinomial(scores, key) : GreedySampler()(scores, key);
  }
  // Why the sequence ends with its newest token, or none.
  FinishReason finish_reason(const SequenceRow& row) const { return qwen35::finish_reason(criteria_, row); }

  // All of it: processes `logits`, chooses, and puts the token at the end of `ids`, the columns of the sequence that
  // `row` describes. When it raises, `ids` is as it was.
  ChosenToken choose(SequenceRow row, std::vector<TokenId>& ids, std::span<float> logits, const DrawKey& key,
                     ChooserScratch& scratch) const;

  const StoppingCriteriaList& criteria() const { return criteria_; }

 private:
  LogitsProcessorList processors_;
  StoppingCriteriaList criteria_;
  bool samples_;
};

#if QWEN35_BODIES

QWEN35_BODY void ChooserScratch::reserve(std::size_t vocab_size) {
  processors.reserve(vocab_size);
  multinomial.reserve(vocab_size);
}

QWEN35_LAZY_BODY
TokenChooser::TokenChooser(const GenerationConfig& config, std::size_t prompt_length, const ChooserExtras& extras)
    : processors_(processors_of(config, prompt_length, extras.logits_processor, extras.prefix_allowed_tokens_fn,
                                extras.unconditional_logits)),
      criteria_(criteria_of(config, extras.tokenizer, extras.stopping_criteria)),
      samples_(config.do_sample.value_or(false)) {}

QWEN35_BODY ChosenToken TokenChooser::choose(SequenceRow row, std::vector<TokenId>& ids, std::span<float> logits,
                                             const DrawKey& key, ChooserScratch& scratch) const {
  if (samples_ || !processors_.empty()) {
    scratch.reserve(logits.size());
  }
  row.input_ids = ids;
  row.scratch = &scratch.processors;
  process(row, logits);
  const TokenId id = sample(logits, key, scratch.multinomial);
  ids.push_back(id);
  row.input_ids = ids;
  return {id, finish_reason(row)};
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
