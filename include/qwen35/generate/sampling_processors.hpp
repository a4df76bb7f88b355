// SPDX-License-Identifier: Apache-2.0
// Processors that narrow the distribution before a draw. `keep`: at least so many tokens always stay.
#pragma once

#include <qwen35/generate/logits_processor.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

QWEN35_BEGIN_NAMESPACE

namespace detail {

// The tokens that are still possible, largest score first.
inline std::vector<TokenId> possible_tokens(std::span<const float> scores) {
  std::vector<TokenId> ids;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] > masked_score) {
      ids.push_back(static_cast<TokenId>(i));
    }
  }
  return ids;
}

inline float score(std::span<const float> scores, TokenId id) { return scores[static_cast<std::size_t>(id)]; }

// softmax of the possible tokens' scores, in their order.
inline std::vector<double> probabilities(std::span<const float> scores, std::span<const TokenId> ids) {
  std::vector<double> p(ids.size());
  float largest = masked_score;
  for (const TokenId id : ids) {
    largest = std::max(largest, score(scores, id));
  }
  double sum = 0.0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    p[i] = std::exp(static_cast<double>(score(scores, ids[i])) - static_cast<double>(largest));
    sum += p[i];
  }
  for (double& value : p) {
    value /= sum;
  }
  return p;
}

inline double entropy(std::span<const double> p) {
  double h = 0.0;
  for (const double value : p) {
    h -= value > 0.0 ? value * std::log(value) : 0.0;
  }
  return h;
}

inline void sort_descending(std::span<const float> scores, std::vector<TokenId>& ids, std::size_t front) {
  front = std::min(front, ids.size());
  std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(front), ids.end(), [&](TokenId a, TokenId b) {
    const float x = score(scores, a);
    const float y = score(scores, b);
    return x > y || (x == y && a < b);
  });
}

// Masks the possible tokens for which `drop(i)` holds, except the `keep` of largest score.
template <class Drop>
inline void mask_tokens(std::span<float> scores, std::span<const TokenId> ids, std::size_t keep, const Drop& drop) {
  float smallest_kept = masked_score;
  if (keep > 0 && !ids.empty()) {
    std::vector<float> sorted(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) {
      sorted[i] = score(scores, ids[i]);
    }
    const std::size_t place = std::min(keep, ids.size()) - 1;
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(place), sorted.end(), std::greater<>());
    smallest_kept = sorted[place];
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    float& value = scores[static_cast<std::size_t>(ids[i])];
    if (drop(i) && value < smallest_kept) {
      value = masked_score;
    }
  }
}

}  // namespace detail

class Temperature : public LogitsProcessor {
 public:
  explicit Temperature(double temperature) : temperature_(static_cast<float>(temperature)) {}
  std::string_view name() const override { return "Temperature"; }
  void process(const ProcessedRow&, std::span<float> scores) const override {
    for (float& value : scores) {
      value /= temperature_;
    }
  }

 private:
  float temperature_;
};

// Of the 100 likeliest, keeps the most likely ones while their share of the entropy stays below top_h. arXiv 2509.02510.
class TopH : public LogitsProcessor {
 public:
  explicit TopH(double top_h) : top_h_(top_h) {}
  std::string_view name() const override { return "TopH"; }
  void process(const ProcessedRow&, std::span<float> scores) const override {
    std::vector<TokenId> ids = detail::possible_tokens(scores);
    detail::sort_descending(scores, ids, 100);
    ids.resize(std::min<std::size_t>(ids.size(), 100));
    const std::vector<double> p = detail::probabilities(scores, ids);
    const double limit = top_h_ * detail::entropy(p);
    std::vector<std::pair<TokenId, float>> kept;
    double sum = 0.0;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      sum -= p[i] > 0.0 ? p[i] * std::log(p[i]) : 0.0;
      if (i > 0 && sum > limit) {
        break;
      }
      kept.emplace_back(ids[i], detail::score(scores, ids[i]));
    }
    std::fill(scores.begin(), scores.end(), masked_score);
    for (const auto& [id, value] : kept) {
      scores[static_cast<std::size_t>(id)] = value;
    }
  }

 private:
  double top_h_;
};

// Keeps the k largest scores, and those equal to the k-th.
class TopK : public LogitsProcessor {
 public:
  TopK(std::size_t top_k, std::size_t keep) : top_k_(std::max(top_k, keep)) {}
  std::string_view name() const override { return "TopK"; }
  void process(const ProcessedRow&, std::span<float> scores) const override {
    if (top_k_ >= scores.size()) {
      return;
    }
    std::vector<float> sorted(scores.begin(), scores.end());
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(top_k_ - 1), sorted.end(), std::greater<>());
    for (float& value : scores) {
      value = value < sorted[top_k_ - 1] ? masked_score : value;
    }
  }

 private:
  std::size_t top_k_;
};

// Masks the least likely tokens whose probabilities together are at most 1 - top_p. arXiv 1904.09751.
class TopP : public LogitsProcessor {
 public:
  TopP(double top_p, std::size_t keep) : top_p_(top_p), keep_(keep) {}
  std::string_view name() const override { return "TopP"; }
  void process(const ProcessedRow&, std::span<float> scores) const override {
    std::vector<TokenId> ids = detail::possible_tokens(scores);
    // The likeliest tokens are sorted in growing blocks until the rest is small enough to drop: most rows need only the first.
    std::size_t sorted = 0;
    std::size_t kept = 0;
    double rest = 1.0;
    std::vector<double> p;
    while (kept < ids.size() && (rest > 1.0 - top_p_ || kept < keep_)) {
      if (kept == sorted) {
        sorted = std::min(ids.size(), std::max<std::size_t>(256, 4 * sorted));
        detail::sort_descending(scores, ids, sorted);
        p = detail::probabilities(scores, ids);
      }
      rest -= p[kept++];
    }
    for (std::size_t i = kept; i < ids.size(); ++i) {
      scores[static_cast<std::size_t>(ids[i])] = masked_score;
    }
  }

 private:
  double top_p_;
  std::size_t keep_;
};

// Masks tokens less likely than min_p times the likeliest. arXiv 2407.01082.
class MinP : public LogitsProcessor {
 public:
  MinP(double min_p, std::size_t keep) : min_p_(min_p), keep_(keep) {}
  std::string_view name() const override { return "MinP"; }
  void process(const ProcessedRow&, std::span<float> scores) const override {
    const std::vector<TokenId> ids = detail::possible_tokens(scores);
    const std::vector<double> p = detail::probabilities(scores, ids);
    const double limit = min_p_ * (p.empty() ? 0.0 : *std::max_element(p.begin(), p.end()));
    detail::mask_tokens(scores, ids, keep_, [&](std::size_t i) { return p[i] < limit; });
  }

 private:
  double min_p_;
  std::size_t keep_;
};

// Keeps the tokens whose information is closest to the entropy, up to a probability mass. arXiv 2202.00666.
class Typical : public LogitsProcessor {
 public:
  Typical(double mass, std::size_t keep) : mass_(mass), keep_(keep) {}
  std::string_view name() const override { return "Typical"; }
  void process(const ProcessedRow&, std::span<float> scores) const override {
    const std::vector<TokenId> ids = detail::possible_tokens(scores);
    const std::vector<double> p = detail::probabilities(scores, ids);
    const double h = detail::entropy(p);
    std::vector<std::size_t> order(ids.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto distance = [&](std::size_t i) { return std::fabs(-std::log(p[i]) - h); };
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return distance(a) < distance(b); });
    double sum = 0.0;
    std::size_t kept = 0;
    while (kept < order.size() && (sum < mass_ || kept < keep_)) {
      sum += p[order[kept++]];
    }
    for (std::size_t i = kept; i < order.size(); ++i) {
      scores[static_cast<std::size_t>(ids[order[i]])] = masked_score;
    }
  }

 private:
  double mass_;
  std::size_t keep_;
};

// Masks tokens less likely than epsilon, or (eta) than min(epsilon, sqrt(epsilon) exp(-entropy)). arXiv 2210.15191.
class ProbabilityCutoff : public LogitsProcessor {
 public:
  ProbabilityCutoff(double epsilon, bool eta, std::size_t keep) : epsilon_(epsilon), eta_(eta), keep_(keep) {}
  std::string_view name() const override { return eta_ ? "Eta" : "Epsilon"; }
  void process(const ProcessedRow&, std::span<float> scores) const override {
    const std::vector<TokenId> ids = detail::possible_tokens(scores);
    const std::vector<double> p = detail::probabilities(scores, ids);
    const double limit = eta_ ? std::min(epsilon_, std::sqrt(epsilon_) * std::exp(-detail::entropy(p))) : epsilon_;
    detail::mask_tokens(scores, ids, keep_, [&](std::size_t i) { return p[i] < limit; });
  }

 private:
  double epsilon_;
  bool eta_;
  std::size_t keep_;
};

// Scores become log probabilities.
class LogitNormalization : public LogitsProcessor {
 public:
  std::string_view name() const override { return "LogitNormalization"; }
  void process(const ProcessedRow&, std::span<float> scores) const override { log_softmax(scores); }

  static void log_softmax(std::span<float> scores) {
    const float largest = *std::max_element(scores.begin(), scores.end());
    double sum = 0.0;
    for (const float value : scores) {
      sum += std::exp(static_cast<double>(value) - static_cast<double>(largest));
    }
    const double shift = static_cast<double>(largest) + std::log(sum);
    for (float& value : scores) {
      value = static_cast<float>(static_cast<double>(value) - shift);
    }
  }
};

QWEN35_END_NAMESPACE
