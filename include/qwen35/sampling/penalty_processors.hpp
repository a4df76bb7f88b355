// SPDX-License-Identifier: Apache-2.0
// Processors that look back at the sequence: penalties of ids that occurred, n-grams, biases of sequences, bad words.
#pragma once

#include <qwen35/config/token_ids.hpp>
#include <qwen35/sampling/generation_config.hpp>
#include <qwen35/sampling/logits_processor.hpp>

#include <algorithm>
#include <limits>

#if QWEN35_BODIES
#include <qwen35/json/number.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

inline constexpr float masked_score = -std::numeric_limits<float>::infinity();

bool in_vocabulary(TokenId id, std::span<const float> scores);

void require_in_vocabulary(TokenId id, std::span<const float> scores, std::string_view what);

namespace detail {

// f(id, times) for each distinct id of `ids` that is in the vocabulary.
template <class F>
inline void for_each_distinct(std::span<const TokenId> ids, std::span<const float> scores, Scratch* scratch, F&& f) {
  Scratch own;
  std::vector<TokenId>& sorted = (scratch != nullptr ? *scratch : own).ids;
  if (ids.size() > sorted.capacity()) {
    sorted.reserve(2 * ids.size() + 64);  // the sequence grows with each call
  }
  sorted.assign(ids.begin(), ids.end());
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 0; i < sorted.size();) {
    std::size_t end = i;
    while (end < sorted.size() && sorted[end] == sorted[i]) {
      ++end;
    }
    if (in_vocabulary(sorted[i], scores)) {
      f(static_cast<std::size_t>(sorted[i]), end - i);
    }
    i = end;
  }
}

// Masks each id that stands in `where` behind the last `size` - 1 ids of the sequence.
void mask_ngram_ends(std::span<const TokenId> where, std::span<const TokenId> sequence, std::size_t size,
                     std::span<float> scores);

}  // namespace detail

// Scores of ids that occur in the sequence, prompt included: negative ones times `penalty`, the others divided by it.
class RepetitionPenaltyLogitsProcessor final : public LogitsProcessor {
 public:
  // Raises InputError for one below GenerationLimits::least_divisor. The first `prompt_ignore_length` ids do not count.
  explicit RepetitionPenaltyLogitsProcessor(double penalty, std::size_t prompt_ignore_length = 0);
  std::string_view name() const override { return "RepetitionPenaltyLogitsProcessor"; }
  QWEN35_BODY void process(const SequenceRow& row, std::span<float> scores) const override;

 private:
  float penalty_;
  std::size_t ignored_;
};

// Subtracts `penalty` from the score of each id that was generated already.
class PresencePenaltyLogitsProcessor final : public LogitsProcessor {
 public:
  explicit PresencePenaltyLogitsProcessor(double penalty) : penalty_(static_cast<float>(penalty)) {}
  std::string_view name() const override { return "PresencePenaltyLogitsProcessor"; }
  QWEN35_BODY void process(const SequenceRow& row, std::span<float> scores) const override;

 private:
  float penalty_;
};

// Subtracts `penalty` from the score of an id for each time that it was generated.
class FrequencyPenaltyLogitsProcessor final : public LogitsProcessor {
 public:
  explicit FrequencyPenaltyLogitsProcessor(double penalty) : penalty_(static_cast<float>(penalty)) {}
  std::string_view name() const override { return "FrequencyPenaltyLogitsProcessor"; }
  QWEN35_BODY void process(const SequenceRow& row, std::span<float> scores) const override;

 private:
  float penalty_;
};

// Masks every id that would end an n-gram which the sequence has already.
class NoRepeatNGramLogitsProcessor final : public LogitsProcessor {
 public:
  // Raises InputError for a size of 0.
  explicit NoRepeatNGramLogitsProcessor(std::size_t ngram_size) : size_(ngram_size) {
    require<InputError>(ngram_size > 0, "no_repeat_ngram_size is 0, expected at least 1");
  }
  std::string_view name() const override { return "NoRepeatNGramLogitsProcessor"; }
  void process(const SequenceRow& row, std::span<float> scores) const override {
    detail::mask_ngram_ends(row.tokens(), row.tokens(), size_, scores);
  }

 private:
  std::size_t size_;
};

// The repetition penalty with 1 / penalty on the ids of the prompt, which a decoder's "encoder input" is: above 1 it
// favours them.
class EncoderRepetitionPenaltyLogitsProcessor final : public LogitsProcessor {
 public:
  // Raises InputError outside GenerationLimits::least_divisor ... most_divisor.
  explicit EncoderRepetitionPenaltyLogitsProcessor(double penalty);
  std::string_view name() const override { return "EncoderRepetitionPenaltyLogitsProcessor"; }
  QWEN35_BODY void process(const SequenceRow& row, std::span<float> scores) const override;

 private:
  float penalty_;
};

// Masks every id that would end an n-gram which the prompt has.
class EncoderNoRepeatNGramLogitsProcessor final : public LogitsProcessor {
 public:
  // Raises InputError for a size of 0.
  explicit EncoderNoRepeatNGramLogitsProcessor(std::size_t encoder_ngram_size) : size_(encoder_ngram_size) {
    require<InputError>(encoder_ngram_size > 0, "encoder_no_repeat_ngram_size is 0, expected at least 1");
  }
  std::string_view name() const override { return "EncoderNoRepeatNGramLogitsProcessor"; }
  void process(const SequenceRow& row, std::span<float> scores) const override {
    detail::mask_ngram_ends(row.prompt(), row.tokens(), size_, scores);
  }

 private:
  std::size_t size_;
};

// Adds the bias of each sequence to the score of its last id where its earlier ids end the row; always for a single id.
// As in the reference a sequence of n ids does not act before the row has n.
class SequenceBiasLogitsProcessor : public LogitsProcessor {
 public:
  // Of two equal sequences the last counts. Raises InputError for an empty list, an empty sequence or a negative id.
  explicit SequenceBiasLogitsProcessor(std::vector<SequenceBias> sequence_bias);
  std::string_view name() const override { return "SequenceBiasLogitsProcessor"; }
  // Raises InputError for an id outside the vocabulary.
  QWEN35_BODY void process(const SequenceRow& row, std::span<float> scores) const override;

 protected:
  SequenceBiasLogitsProcessor(std::vector<SequenceBias> sequence_bias, const char* what);

 private:
  const char* what_;
  std::vector<SequenceBias> biases_;
};

// Masks the last id of each bad word where its earlier ids end the row. A bad word that is an eos id alone is let
// through.
class NoBadWordsLogitsProcessor final : public SequenceBiasLogitsProcessor {
 public:
  // Raises InputError for an empty list, an empty word or a negative id.
  explicit NoBadWordsLogitsProcessor(const std::vector<std::vector<TokenId>>& bad_words_ids,
                                     const TokenIds& eos_token_id = {})
      : SequenceBiasLogitsProcessor(biases(bad_words_ids, eos_token_id), "bad_words_ids") {}
  std::string_view name() const override { return "NoBadWordsLogitsProcessor"; }

 private:
  static std::vector<SequenceBias> biases(const std::vector<std::vector<TokenId>>& words, const TokenIds& eos);
};

#if QWEN35_BODIES

QWEN35_BODY bool in_vocabulary(TokenId id, std::span<const float> scores) {
  return id >= 0 && static_cast<std::size_t>(id) < scores.size();
}

QWEN35_BODY void require_in_vocabulary(TokenId id, std::span<const float> scores, std::string_view what) {
  require<InputError>(in_vocabulary(id, scores), what, ": token id ", id, " is not in the vocabulary of ",
                      scores.size());
}

namespace detail {

QWEN35_BODY void mask_ngram_ends(std::span<const TokenId> where, std::span<const TokenId> sequence, std::size_t size,
                                 std::span<float> scores) {
  if (sequence.size() + 1 < size) {
    return;
  }
  const std::span<const TokenId> end = sequence.last(size - 1);
  for (std::size_t i = 0; i + size <= where.size(); ++i) {
    const TokenId next = where[i + size - 1];
    if (std::equal(end.begin(), end.end(), where.begin() + static_cast<std::ptrdiff_t>(i)) &&
        in_vocabulary(next, scores)) {
      scores[static_cast<std::size_t>(next)] = masked_score;
    }
  }
}

}  // namespace detail

QWEN35_BODY RepetitionPenaltyLogitsProcessor::RepetitionPenaltyLogitsProcessor(double penalty,
                                                                               std::size_t prompt_ignore_length)
    : penalty_(static_cast<float>(penalty)), ignored_(prompt_ignore_length) {
  require<InputError>(penalty >= GenerationLimits::least_divisor, "repetition_penalty is ",
                      json::python_repr_number(penalty), ", expected at least 1e-30");
}

QWEN35_BODY void RepetitionPenaltyLogitsProcessor::process(const SequenceRow& row, std::span<float> scores) const {
  const std::span<const TokenId> ids = row.tokens();
  detail::for_each_distinct(ids.subspan(std::min(ignored_, ids.size())), scores, row.scratch,
                            [&](std::size_t id, std::size_t) {
                              scores[id] = scores[id] < 0.0f ? scores[id] * penalty_ : scores[id] / penalty_;
                            });
}

QWEN35_BODY void PresencePenaltyLogitsProcessor::process(const SequenceRow& row, std::span<float> scores) const {
  detail::for_each_distinct(row.generated(), scores, row.scratch,
                            [&](std::size_t id, std::size_t) { scores[id] -= penalty_; });
}

QWEN35_BODY void FrequencyPenaltyLogitsProcessor::process(const SequenceRow& row, std::span<float> scores) const {
  detail::for_each_distinct(row.generated(), scores, row.scratch, [&](std::size_t id, std::size_t times) {
    scores[id] -= penalty_ * static_cast<float>(times);
  });
}

QWEN35_BODY EncoderRepetitionPenaltyLogitsProcessor::EncoderRepetitionPenaltyLogitsProcessor(double penalty)
    : penalty_(static_cast<float>(1.0 / penalty)) {
  require<InputError>(penalty >= GenerationLimits::least_divisor && penalty <= GenerationLimits::most_divisor,
                      "encoder_repetition_penalty is ", json::python_repr_number(penalty), ", expected 1e-30 to 1e+30");
}

QWEN35_BODY void EncoderRepetitionPenaltyLogitsProcessor::process(const SequenceRow& row,
                                                                  std::span<float> scores) const {
  detail::for_each_distinct(row.prompt(), scores, row.scratch, [&](std::size_t id, std::size_t) {
    scores[id] = scores[id] < 0.0f ? scores[id] * penalty_ : scores[id] / penalty_;
  });
}

QWEN35_BODY SequenceBiasLogitsProcessor::SequenceBiasLogitsProcessor(std::vector<SequenceBias> sequence_bias)
    : SequenceBiasLogitsProcessor(std::move(sequence_bias), "sequence_bias") {
  require<InputError>(!biases_.empty(), "sequence_bias is empty");
}

QWEN35_BODY void SequenceBiasLogitsProcessor::process(const SequenceRow& row, std::span<float> scores) const {
  const std::span<const TokenId> ids = row.tokens();
  for (const SequenceBias& entry : biases_) {
    for (const TokenId id : entry.ids) {
      require_in_vocabulary(id, scores, what_);
    }
    const std::size_t before = entry.ids.size() - 1;
    if (before > 0 && (entry.ids.size() > ids.size() || !std::equal(entry.ids.begin(), entry.ids.end() - 1,
                                                                    ids.end() - static_cast<std::ptrdiff_t>(before)))) {
      continue;
    }
    scores[static_cast<std::size_t>(entry.ids.back())] += static_cast<float>(entry.bias);
  }
}

QWEN35_BODY SequenceBiasLogitsProcessor::SequenceBiasLogitsProcessor(std::vector<SequenceBias> sequence_bias,
                                                                     const char* what)
    : what_(what) {
  for (SequenceBias& entry : sequence_bias) {
    require<InputError>(!entry.ids.empty(), what, ": an empty list of ids");
    for (const TokenId id : entry.ids) {
      require<InputError>(id >= 0, what, ": token id ", id, ", expected at least 0");
    }
    const auto same =
        std::find_if(biases_.begin(), biases_.end(), [&](const SequenceBias& other) { return other.ids == entry.ids; });
    if (same != biases_.end()) {
      same->bias = entry.bias;
    } else {
      biases_.push_back(std::move(entry));
    }
  }
}

QWEN35_BODY std::vector<SequenceBias> NoBadWordsLogitsProcessor::biases(const std::vector<std::vector<TokenId>>& words,
                                                                        const TokenIds& eos) {
  require<InputError>(!words.empty(), "bad_words_ids is empty");
  std::vector<SequenceBias> out;
  for (const std::vector<TokenId>& word : words) {
    if (word.size() != 1 || !eos.contains(word[0])) {
      out.push_back({word, static_cast<double>(masked_score)});
    }
  }
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
