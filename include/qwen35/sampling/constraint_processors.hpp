// SPDX-License-Identifier: Apache-2.0
// Processors that allow or forbid ids by the length so far, by list, or by a function of the user's.
#pragma once

#include <qwen35/sampling/penalty_processors.hpp>

#if QWEN35_BODIES
#include <cmath>
#endif

QWEN35_BEGIN_NAMESPACE

namespace detail {

template <class Ids>
inline void mask_ids(const Ids& ids, std::span<float> scores) {
  for (const TokenId id : ids) {
    if (in_vocabulary(id, scores)) {
      scores[static_cast<std::size_t>(id)] = masked_score;
    }
  }
}

// Score 0 for `ids`, all else masked.
template <class Ids>
inline void force_ids(const Ids& ids, std::span<float> scores, std::string_view what) {
  std::fill(scores.begin(), scores.end(), masked_score);
  for (const TokenId id : ids) {
    require_in_vocabulary(id, scores, what);
    scores[static_cast<std::size_t>(id)] = 0.0f;
  }
}

}  // namespace detail

// Masks the eos ids while the row, prompt included, is shorter than `min_length`.
class MinLengthLogitsProcessor final : public LogitsProcessor {
 public:
  MinLengthLogitsProcessor(std::size_t min_length, const TokenIds& eos_token_id)
      : min_length_(min_length), eos_(eos_token_id) {}
  std::string_view name() const override { return "MinLengthLogitsProcessor"; }
  QWEN35_BODY void process(const SequenceRow& row, std::span<float> scores) const override;

 private:
  std::size_t min_length_;
  TokenIds eos_;
};

// Masks the eos ids while fewer than `min_new_tokens` ids were generated.
class MinNewTokensLengthLogitsProcessor final : public LogitsProcessor {
 public:
  MinNewTokensLengthLogitsProcessor(std::size_t min_new_tokens, const TokenIds& eos_token_id)
      : min_new_(min_new_tokens), eos_(eos_token_id) {}
  std::string_view name() const override { return "MinNewTokensLengthLogitsProcessor"; }
  QWEN35_BODY void process(const SequenceRow& row, std::span<float> scores) const override;

 private:
  std::size_t min_new_;
  TokenIds eos_;
};

// The ids that may follow, given which prompt it is and the row so far (padding included).
using PrefixAllowedTokens =
    std::function<std::vector<TokenId>(std::size_t batch_id, std::span<const TokenId> input_ids)>;

// Masks all ids but those that the function names.
class PrefixConstrainedLogitsProcessor final : public LogitsProcessor {
 public:
  explicit PrefixConstrainedLogitsProcessor(PrefixAllowedTokens prefix_allowed_tokens_fn)
      : function_(std::move(prefix_allowed_tokens_fn)) {}
  std::string_view name() const override { return "PrefixConstrainedLogitsProcessor"; }
  // Raises InputError when the function names no id, or one outside the vocabulary.
  QWEN35_BODY void process(const SequenceRow& row, std::span<float> scores) const override;

 private:
  PrefixAllowedTokens function_;
};

// Forces the id after a row of one.
class ForcedBOSTokenLogitsProcessor final : public LogitsProcessor {
 public:
  explicit ForcedBOSTokenLogitsProcessor(TokenId bos_token_id) : bos_(bos_token_id) {}
  std::string_view name() const override { return "ForcedBOSTokenLogitsProcessor"; }
  QWEN35_BODY void process(const SequenceRow& row, std::span<float> scores) const override;

 private:
  TokenId bos_;
};

// Forces the ids as the last one before `max_length`.
class ForcedEOSTokenLogitsProcessor final : public LogitsProcessor {
 public:
  ForcedEOSTokenLogitsProcessor(std::size_t max_length, const TokenIds& eos_token_id)
      : max_length_(max_length), eos_(eos_token_id) {}
  std::string_view name() const override { return "ForcedEOSTokenLogitsProcessor"; }
  QWEN35_BODY void process(const SequenceRow& row, std::span<float> scores) const override;

 private:
  std::size_t max_length_;
  TokenIds eos_;
};

// NaN becomes 0, an infinity the largest finite number of its sign.
class InfNanRemoveLogitsProcessor final : public LogitsProcessor {
 public:
  std::string_view name() const override { return "InfNanRemoveLogitsProcessor"; }
  QWEN35_BODY void process(const SequenceRow&, std::span<float> scores) const override;
};

// From `start_index` generated ids on, eos scores grow by |score| * (decay_factor^(ids since) - 1), up to the largest
// float (the reference's to infinity). A masked one stays masked (the reference's becomes NaN).
class ExponentialDecayLengthPenalty final : public LogitsProcessor {
 public:
  // Raises InputError without eos ids or for a negative start.
  ExponentialDecayLengthPenalty(const ExponentialDecay& decay, const TokenIds& eos_token_id);
  std::string_view name() const override { return "ExponentialDecayLengthPenalty"; }
  QWEN35_BODY void process(const SequenceRow& row, std::span<float> scores) const override;

 private:
  ExponentialDecay decay_;
  TokenIds eos_;
};

// Masks ids always.
class SuppressTokensLogitsProcessor final : public LogitsProcessor {
 public:
  explicit SuppressTokensLogitsProcessor(std::vector<TokenId> suppress_tokens) : ids_(std::move(suppress_tokens)) {}
  std::string_view name() const override { return "SuppressTokensLogitsProcessor"; }
  void process(const SequenceRow&, std::span<float> scores) const override { detail::mask_ids(ids_, scores); }

 private:
  std::vector<TokenId> ids_;
};

// Masks ids when the row has `begin_index` ids: at the first generated one.
class SuppressTokensAtBeginLogitsProcessor final : public LogitsProcessor {
 public:
  SuppressTokensAtBeginLogitsProcessor(std::vector<TokenId> begin_suppress_tokens, std::size_t begin_index)
      : ids_(std::move(begin_suppress_tokens)), begin_index_(begin_index) {}
  std::string_view name() const override { return "SuppressTokensAtBeginLogitsProcessor"; }
  QWEN35_BODY void process(const SequenceRow& row, std::span<float> scores) const override;

 private:
  std::vector<TokenId> ids_;
  std::size_t begin_index_;
};

#if QWEN35_BODIES

QWEN35_BODY void MinLengthLogitsProcessor::process(const SequenceRow& row, std::span<float> scores) const {
  if (row.input_ids.size() < min_length_) {
    detail::mask_ids(eos_, scores);
  }
}

QWEN35_BODY void MinNewTokensLengthLogitsProcessor::process(const SequenceRow& row, std::span<float> scores) const {
  if (row.generated().size() < min_new_) {
    detail::mask_ids(eos_, scores);
  }
}

QWEN35_BODY void PrefixConstrainedLogitsProcessor::process(const SequenceRow& row, std::span<float> scores) const {
  std::vector<TokenId> allowed = function_(row.batch_id, row.input_ids);
  require<InputError>(!allowed.empty(), "prefix_allowed_tokens_fn allowed no token for prompt ", row.batch_id);
  std::sort(allowed.begin(), allowed.end());
  require_in_vocabulary(allowed.front(), scores, "prefix_allowed_tokens_fn");
  require_in_vocabulary(allowed.back(), scores, "prefix_allowed_tokens_fn");
  std::size_t from = 0;
  for (const TokenId id : allowed) {
    const auto to = static_cast<std::size_t>(id);
    if (to > from) {
      std::fill(scores.begin() + static_cast<std::ptrdiff_t>(from), scores.begin() + static_cast<std::ptrdiff_t>(to),
                masked_score);
    }
    from = to + 1;
  }
  std::fill(scores.begin() + static_cast<std::ptrdiff_t>(from), scores.end(), masked_score);
}

QWEN35_BODY void ForcedBOSTokenLogitsProcessor::process(const SequenceRow& row, std::span<float> scores) const {
  if (row.input_ids.size() == 1) {
    detail::force_ids(TokenIds(bos_), scores, "forced_bos_token_id");
  }
}

QWEN35_BODY void ForcedEOSTokenLogitsProcessor::process(const SequenceRow& row, std::span<float> scores) const {
  if (row.input_ids.size() + 1 == max_length_) {
    detail::force_ids(eos_, scores, "forced_eos_token_id");
  }
}

QWEN35_BODY void InfNanRemoveLogitsProcessor::process(const SequenceRow&, std::span<float> scores) const {
  constexpr float largest = std::numeric_limits<float>::max();
  for (float& score : scores) {
    score = score != score ? 0.0f : std::min(std::max(score, -largest), largest);
  }
}

QWEN35_BODY ExponentialDecayLengthPenalty::ExponentialDecayLengthPenalty(const ExponentialDecay& decay,
                                                                         const TokenIds& eos_token_id)
    : decay_(decay), eos_(eos_token_id) {
  require<InputError>(!eos_.empty(), "exponential_decay_length_penalty needs an eos_token_id");
  require<InputError>(decay.start_index >= 0, "exponential_decay_length_penalty starts at ", decay.start_index,
                      ", expected at least 0");
}

QWEN35_BODY void ExponentialDecayLengthPenalty::process(const SequenceRow& row, std::span<float> scores) const {
  const std::size_t generated = row.generated().size();
  const auto start = static_cast<std::size_t>(decay_.start_index);
  if (generated <= start) {
    return;
  }
  constexpr double largest = static_cast<double>(std::numeric_limits<float>::max());
  const double power = std::pow(decay_.decay_factor, static_cast<double>(generated - start));
  const auto factor = static_cast<float>(std::clamp(power - 1.0, -largest, largest));
  for (std::size_t i = 0; i < eos_.size(); ++i) {
    const TokenId id = eos_[i];
    require_in_vocabulary(id, scores, "eos_token_id");
    if (std::find(eos_.begin(), eos_.begin() + i, id) == eos_.begin() + i) {
      float& score = scores[static_cast<std::size_t>(id)];
      const float grown = score + std::fabs(score) * factor;
      score = std::isinf(score) ? score : std::isinf(grown) ? std::copysign(static_cast<float>(largest), grown) : grown;
    }
  }
}

QWEN35_BODY void SuppressTokensAtBeginLogitsProcessor::process(const SequenceRow& row, std::span<float> scores) const {
  if (row.input_ids.size() == begin_index_) {
    detail::mask_ids(ids_, scores);
  }
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
