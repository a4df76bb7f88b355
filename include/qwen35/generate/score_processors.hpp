// SPDX-License-Identifier: Apache-2.0
// Processors that penalise, force or forbid tokens. Source: the reference's generation/logits_process; order and rules in processor_list.hpp.
#pragma once

#include <qwen35/config/token_ids.hpp>
#include <qwen35/generate/logits_processor.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <unordered_map>
#include <utility>

QWEN35_BEGIN_NAMESPACE

namespace detail {

// The tokens of a set of ids. Raises InputError for one outside the vocabulary when it is used.
inline float& score_of(std::span<float> scores, TokenId id) {
  require<InputError>(id >= 0 && static_cast<std::size_t>(id) < scores.size(), "token id ", id, " of a vocabulary of ", scores.size());
  return scores[static_cast<std::size_t>(id)];
}

// Do the ids of the row end with all but the last of `sequence`?
inline bool ends_with_prefix(std::span<const TokenId> ids, std::span<const TokenId> sequence) {
  const std::size_t prefix = sequence.size() - 1;
  return ids.size() >= prefix && std::equal(sequence.begin(), sequence.end() - 1, ids.end() - static_cast<std::ptrdiff_t>(prefix));
}

}  // namespace detail

// Adds a bias to the token that would complete a sequence (single tokens: always).
class SequenceBiasProcessor : public LogitsProcessor {
 public:
  using Entry = std::pair<std::vector<TokenId>, float>;
  explicit SequenceBiasProcessor(std::vector<Entry> entries, std::string_view name = "SequenceBias") : entries_(std::move(entries)), name_(name) {
    for (const Entry& entry : entries_) {
      require<InputError>(!entry.first.empty(), name_, ": an empty sequence of tokens");
    }
  }
  std::string_view name() const override { return name_; }
  void process(const ProcessedRow& row, std::span<float> scores) const override {
    for (const auto& [sequence, bias] : entries_) {
      if (detail::ends_with_prefix(row.ids, sequence)) {
        detail::score_of(scores, sequence.back()) += bias;
      }
    }
  }

 private:
  std::vector<Entry> entries_;
  std::string name_;
};

// Divides positive and multiplies negative scores of every id in the row, prompt included, once. arXiv 1909.05858.
class RepetitionPenalty : public LogitsProcessor {
 public:
  explicit RepetitionPenalty(double penalty) : penalty_(static_cast<float>(penalty)) {}
  std::string_view name() const override { return "RepetitionPenalty"; }
  void process(const ProcessedRow& row, std::span<float> scores) const override {
    std::vector<TokenId> ids(row.ids.begin(), row.ids.end());
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    for (const TokenId id : ids) {
      float& score = detail::score_of(scores, id);
      score = score < 0.0f ? score * penalty_ : score / penalty_;
    }
  }

 private:
  float penalty_;
};

// Subtracts `presence` once and `frequency` for each occurrence of a token among the generated ones.
class PresenceFrequencyPenalty : public LogitsProcessor {
 public:
  PresenceFrequencyPenalty(double presence, double frequency) : presence_(static_cast<float>(presence)), frequency_(static_cast<float>(frequency)) {}
  std::string_view name() const override { return "PresenceFrequencyPenalty"; }
  void process(const ProcessedRow& row, std::span<float> scores) const override {
    std::unordered_map<TokenId, int> counts;
    for (const TokenId id : row.ids.subspan(row.prompt_length)) {
      ++counts[id];
    }
    for (const auto& [id, count] : counts) {
      detail::score_of(scores, id) -= presence_ + frequency_ * static_cast<float>(count);
    }
  }

 private:
  float presence_;
  float frequency_;
};

// Forbids every token that would repeat an n-gram of the row.
class NoRepeatNGram : public LogitsProcessor {
 public:
  explicit NoRepeatNGram(std::size_t size) : size_(size) {}
  std::string_view name() const override { return "NoRepeatNGram"; }
  void process(const ProcessedRow& row, std::span<float> scores) const override {
    if (row.ids.size() + 1 < size_) {
      return;
    }
    const std::span<const TokenId> tail = row.ids.last(size_ - 1);
    for (std::size_t i = 0; i + size_ <= row.ids.size(); ++i) {
      if (std::equal(tail.begin(), tail.end(), row.ids.begin() + static_cast<std::ptrdiff_t>(i))) {
        detail::score_of(scores, row.ids[i + size_ - 1]) = masked_score;
      }
    }
  }

 private:
  std::size_t size_;
};

// Forbids the end of sequence before the row has `length` tokens, counted from its start or from the prompt's end.
class MinLength : public LogitsProcessor {
 public:
  MinLength(std::size_t length, bool new_tokens, TokenIds eos) : length_(length), new_tokens_(new_tokens), eos_(eos) {}
  std::string_view name() const override { return new_tokens_ ? "MinNewTokensLength" : "MinLength"; }
  void process(const ProcessedRow& row, std::span<float> scores) const override {
    if (row.ids.size() - (new_tokens_ ? row.prompt_length : 0) < length_) {
      for (const TokenId id : eos_) {
        detail::score_of(scores, id) = masked_score;
      }
    }
  }

 private:
  std::size_t length_;
  bool new_tokens_;
  TokenIds eos_;
};

// Forbids all tokens but those that a function of (row, ids) allows.
class PrefixConstrained : public LogitsProcessor {
 public:
  using Function = std::function<std::vector<TokenId>(std::size_t row, std::span<const TokenId> ids)>;
  explicit PrefixConstrained(Function allowed) : allowed_(std::move(allowed)) {}
  std::string_view name() const override { return "PrefixConstrained"; }
  void process(const ProcessedRow& row, std::span<float> scores) const override {
    const std::vector<TokenId> allowed = allowed_(row.row, row.ids);
    require<InputError>(!allowed.empty(), "prefix_allowed_tokens_fn allowed no token for row ", row.row);
    std::vector<std::pair<TokenId, float>> kept;
    for (const TokenId id : allowed) {
      kept.emplace_back(id, detail::score_of(scores, id));
    }
    std::fill(scores.begin(), scores.end(), masked_score);
    for (const auto& [id, score] : kept) {
      detail::score_of(scores, id) = score;
    }
  }

 private:
  Function allowed_;
};

// At a given length of the row only these tokens are possible, with score 0.
class ForcedTokens : public LogitsProcessor {
 public:
  ForcedTokens(std::string_view name, std::size_t length, TokenIds ids) : name_(name), length_(length), ids_(ids) {}
  std::string_view name() const override { return name_; }
  void process(const ProcessedRow& row, std::span<float> scores) const override {
    if (row.ids.size() == length_) {
      std::fill(scores.begin(), scores.end(), masked_score);
      for (const TokenId id : ids_) {
        detail::score_of(scores, id) = 0.0f;
      }
    }
  }

 private:
  std::string name_;
  std::size_t length_;
  TokenIds ids_;
};

// NaN becomes 0, infinities the largest finite numbers.
class InfNanRemove : public LogitsProcessor {
 public:
  std::string_view name() const override { return "InfNanRemove"; }
  void process(const ProcessedRow&, std::span<float> scores) const override {
    constexpr float largest = std::numeric_limits<float>::max();
    for (float& score : scores) {
      score = std::isnan(score) ? 0.0f : std::clamp(score, -largest, largest);
    }
  }
};

// Raises the score of the end of sequence exponentially from `start` generated tokens on.
class ExponentialDecayLength : public LogitsProcessor {
 public:
  ExponentialDecayLength(std::size_t start, double factor, TokenIds eos) : start_(start), factor_(factor), eos_(eos) {}
  std::string_view name() const override { return "ExponentialDecayLengthPenalty"; }
  void process(const ProcessedRow& row, std::span<float> scores) const override {
    const std::size_t generated = row.ids.size() - row.prompt_length;
    if (generated > start_) {
      for (const TokenId id : eos_) {
        float& score = detail::score_of(scores, id);
        score += std::fabs(score) * static_cast<float>(std::pow(factor_, static_cast<double>(generated - start_)) - 1.0);
      }
    }
  }

 private:
  std::size_t start_;
  double factor_;
  TokenIds eos_;
};

// Forbids tokens always, or only at the first generated position.
class SuppressTokens : public LogitsProcessor {
 public:
  SuppressTokens(std::vector<TokenId> ids, std::optional<std::size_t> only_at_length) : ids_(std::move(ids)), length_(only_at_length) {}
  std::string_view name() const override { return length_ ? "SuppressTokensAtBegin" : "SuppressTokens"; }
  void process(const ProcessedRow& row, std::span<float> scores) const override {
    if (!length_ || row.ids.size() == *length_) {
      for (const TokenId id : ids_) {
        if (id >= 0 && static_cast<std::size_t>(id) < scores.size()) {
          scores[static_cast<std::size_t>(id)] = masked_score;
        }
      }
    }
  }

 private:
  std::vector<TokenId> ids_;
  std::optional<std::size_t> length_;
};

QWEN35_END_NAMESPACE
