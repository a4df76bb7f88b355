// SPDX-License-Identifier: Apache-2.0
// The choice of the next token from its scores.
#pragma once

#include <qwen35/core/dtype.hpp>
#include <qwen35/core/error.hpp>
#include <qwen35/sampling/counter_rng.hpp>

#include <concepts>
#include <limits>
#include <span>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/math/softmax.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

// Chooses a token from scores [vocab_size]; the key names the draw, for those that need one.
template <class S>
concept Sampler = requires(S sampler, std::span<const float> scores, const DrawKey& key) {
  { sampler(scores, key) } -> std::same_as<TokenId>;
};

[[noreturn]] void raise_unusable_scores();

// The first of the largest scores. Raises InputError when there is none.
struct GreedySampler {
  TokenId operator()(std::span<const float> scores, const DrawKey& = {}) const;
};

// One draw from softmax(scores). Keeps its memory from call to call.
class MultinomialSampler {
 public:
  void reserve(std::size_t vocab_size);
  // Raises InputError when the scores have no softmax.
  TokenId operator()(std::span<const float> scores, const DrawKey& key);

  // `count` different indices from softmax(scores), each drawn from what the earlier ones left. Where fewer have a
  // probability, the rest is filled up in index order. Raises InputError when the scores have no softmax or are fewer
  // than `count`.
  std::vector<std::size_t> without_replacement(std::span<const float> scores, std::size_t count, const DrawKey& key);

 private:
  // The scores that are not masked: as a rule top_k has left a few.
  void gather_live(std::span<const float> scores);
  double sum() const;
  double total() const;
  // The index at which the running sum passes u * total; never one without weight.
  std::size_t draw(double total, double u) const;

  std::vector<float> weights_;
  std::vector<std::uint32_t> live_;
  std::vector<float> live_scores_;
};

static_assert(Sampler<GreedySampler> && Sampler<MultinomialSampler>);

#if QWEN35_BODIES

QWEN35_BODY void raise_unusable_scores() {
  raise<InputError>(
      "the scores of the next token hold NaN or +inf, or every token is masked: the weights or a processor are at "
      "fault (remove_invalid_values hides it)");
}

QWEN35_BODY TokenId GreedySampler::operator()(std::span<const float> scores, const DrawKey&) const {
  float best = -std::numeric_limits<float>::infinity();
  std::size_t chosen = scores.size();
  bool invalid = false;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    invalid = invalid || scores[i] != scores[i];
    if (scores[i] > best) {
      best = scores[i];
      chosen = i;
    }
  }
  if (invalid || chosen == scores.size()) {
    raise_unusable_scores();
  }
  return static_cast<TokenId>(chosen);
}

QWEN35_BODY void MultinomialSampler::reserve(std::size_t vocab_size) {
  weights_.reserve(vocab_size);
  live_.reserve(vocab_size);
  live_scores_.reserve(vocab_size);
}

QWEN35_BODY TokenId MultinomialSampler::operator()(std::span<const float> scores, const DrawKey& key) {
  gather_live(scores);
  weights_.resize(live_scores_.size());
  math::softmax(live_scores_.data(), live_scores_.size(), weights_.data());
  return static_cast<TokenId>(live_[draw(total(), uniform(key))]);
}

QWEN35_BODY std::vector<std::size_t> MultinomialSampler::without_replacement(std::span<const float> scores,
                                                                             std::size_t count, const DrawKey& key) {
  require<InputError>(count <= scores.size(), "cannot draw ", count, " different tokens of ", scores.size());
  weights_.resize(scores.size());
  math::softmax(scores.data(), scores.size(), weights_.data());
  std::vector<std::size_t> chosen;
  for (std::uint32_t lane = 0; chosen.size() < count; ++lane) {
    const double rest = chosen.empty() ? total() : sum();
    if (!(rest > 0.0)) {
      break;
    }
    chosen.push_back(draw(rest, uniform(key, lane)));
    weights_[chosen.back()] = 0.0f;
  }
  const std::vector<std::size_t> drawn = chosen;
  for (std::size_t i = 0; chosen.size() < count; ++i) {
    bool taken = false;
    for (const std::size_t other : drawn) {
      taken = taken || other == i;
    }
    if (!taken) {
      chosen.push_back(i);
    }
  }
  return chosen;
}

QWEN35_BODY void MultinomialSampler::gather_live(std::span<const float> scores) {
  live_.clear();
  live_scores_.clear();
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] != -std::numeric_limits<float>::infinity()) {
      live_.push_back(static_cast<std::uint32_t>(i));
      live_scores_.push_back(scores[i]);
    }
  }
}

QWEN35_BODY double MultinomialSampler::sum() const {
  double chains[4] = {};
  std::size_t i = 0;
  for (; i + 4 <= weights_.size(); i += 4) {
    for (std::size_t lane = 0; lane < 4; ++lane) {
      chains[lane] += static_cast<double>(weights_[i + lane]);
    }
  }
  for (; i < weights_.size(); ++i) {
    chains[0] += static_cast<double>(weights_[i]);
  }
  return (chains[0] + chains[1]) + (chains[2] + chains[3]);
}

QWEN35_BODY double MultinomialSampler::total() const {
  const double sum = this->sum();
  if (!(sum > 0.0 && sum <= 2.0)) {
    raise_unusable_scores();
  }
  return sum;
}

QWEN35_BODY std::size_t MultinomialSampler::draw(double total, double u) const {
  const double target = u * total;
  double running = 0.0;
  std::size_t last = 0;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    if (weights_[i] > 0.0f) {
      running += static_cast<double>(weights_[i]);
      last = i;
      if (running > target) {
        break;
      }
    }
  }
  return last;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
