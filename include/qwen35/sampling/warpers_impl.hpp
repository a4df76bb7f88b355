// SPDX-License-Identifier: Apache-2.0
// Bodies of the warpers.
#pragma once

#include <qwen35/json/number.hpp>
#include <qwen35/sampling/warpers.hpp>

#if QWEN35_BODIES

QWEN35_BEGIN_NAMESPACE

namespace detail {

QWEN35_BODY std::span<const float> ScratchOf::softmax(std::span<const float> scores) {
  scratch_->values.resize(scores.size());
  math::softmax(scores.data(), scores.size(), scratch_->values.data());
  return scratch_->values;
}

QWEN35_BODY float ScratchOf::largest(std::span<const float> scores, std::size_t count) {
  select_largest(scores, count, scratch_->ranked);
  return Ranked::score(scratch_->ranked.back());
}

QWEN35_BODY void mask_below(float bar, std::span<float> scores) {
  for (float& score : scores) {
    score = score < bar ? -std::numeric_limits<float>::infinity() : score;
  }
}

QWEN35_BODY void keep_only(std::span<const std::uint64_t> ranked, std::size_t count, std::span<float> scores,
                           bool last_first) {
  std::fill(scores.begin(), scores.end(), -std::numeric_limits<float>::infinity());
  for (std::size_t i = 0; i < count; ++i) {
    scores[Ranked::index(ranked[i], last_first)] = Ranked::score(ranked[i]);
  }
}

QWEN35_BODY std::size_t require_some(std::size_t min_tokens_to_keep) {
  require<InputError>(min_tokens_to_keep > 0, "min_tokens_to_keep is 0, expected at least 1");
  return min_tokens_to_keep;
}

QWEN35_BODY void require_fraction(double value, const char* name) {
  require<InputError>(value > 0.0 && value < 1.0, name, " is ", value, ", expected above 0 and below 1");
}

QWEN35_BODY double entropy(std::span<const float> p) {
  double sum = 0.0;
  for (const float value : p) {
    sum -= value > 0.0f ? static_cast<double>(value) * std::log(static_cast<double>(value)) : 0.0;
  }
  return sum;
}

QWEN35_BODY void mask_improbable(float bar, std::size_t min_tokens_to_keep, std::span<const float> p,
                                 ScratchOf& scratch, std::span<float> scores) {
  const float safe = scratch.largest(scores, min_tokens_to_keep);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (p[i] < bar && scores[i] < safe) {
      scores[i] = -std::numeric_limits<float>::infinity();
    }
  }
}

}  // namespace detail

QWEN35_BODY void LiveScoresWarper::process(const SequenceRow& row, std::span<float> scores) const {
  detail::ScratchOf scratch(row);
  scratch.on_live(scores, [&](std::span<float> live) { warp(scratch, live); });
}

QWEN35_BODY TemperatureLogitsWarper::TemperatureLogitsWarper(double temperature)
    // An infinite one would make NaN of masked scores.
    : temperature_(static_cast<float>(std::min(temperature, static_cast<double>(std::numeric_limits<float>::max())))) {
  require<InputError>(temperature >= GenerationLimits::least_divisor, "temperature is ",
                      json::python_repr_number(temperature),
                      ", expected at least 1e-30; for greedy search unset do_sample");
}

QWEN35_BODY void TemperatureLogitsWarper::process(const SequenceRow&, std::span<float> scores) const {
  for (float& score : scores) {
    score /= temperature_;
  }
}

QWEN35_BODY TopKLogitsWarper::TopKLogitsWarper(std::size_t top_k, std::size_t min_tokens_to_keep)
    : top_k_(std::max(top_k, detail::require_some(min_tokens_to_keep))) {
  require<InputError>(top_k > 0, "top_k is 0, expected at least 1");
}

QWEN35_BODY void TopKLogitsWarper::process(const SequenceRow& row, std::span<float> scores) const {
  if (top_k_ < scores.size()) {
    detail::mask_below(detail::ScratchOf(row).largest(scores, top_k_), scores);
  }
}

QWEN35_BODY TopPLogitsWarper::TopPLogitsWarper(double top_p, std::size_t min_tokens_to_keep)
    : bar_(static_cast<float>(1.0 - top_p)), min_keep_(detail::require_some(min_tokens_to_keep)) {
  require<InputError>(top_p >= 0.0 && top_p <= 1.0, "top_p is ", top_p, ", expected 0 to 1");
}

QWEN35_BODY void TopPLogitsWarper::warp(detail::ScratchOf& scratch, std::span<float> scores) const {
  const std::span<const float> p = scratch.softmax(scores);
  double total = 0.0;
  for (const float value : p) {
    total += static_cast<double>(value);
  }
  for (std::size_t count = 64;; count *= 8) {
    select_largest(scores, std::max(count, min_keep_), scratch->ranked, true);
    const std::vector<std::uint64_t>& ranked = scratch->ranked;
    double rest = total;
    std::size_t kept = 0;
    while (kept < ranked.size() && (kept < min_keep_ || !(static_cast<float>(rest) <= bar_))) {
      rest -= static_cast<double>(p[Ranked::index(ranked[kept], true)]);
      ++kept;
    }
    if (kept < ranked.size() || ranked.size() == scores.size()) {
      detail::keep_only(ranked, kept, scores, true);
      return;
    }
  }
}

QWEN35_BODY MinPLogitsWarper::MinPLogitsWarper(double min_p, std::size_t min_tokens_to_keep)
    : min_p_(static_cast<float>(min_p)), min_keep_(detail::require_some(min_tokens_to_keep)) {
  require<InputError>(min_p >= 0.0 && min_p <= 1.0, "min_p is ", min_p, ", expected 0 to 1");
}

QWEN35_BODY void MinPLogitsWarper::warp(detail::ScratchOf& scratch, std::span<float> scores) const {
  const std::span<const float> p = scratch.softmax(scores);
  const float bar = min_p_ * math::max_value(p.data(), p.size());
  select_largest(scores, min_keep_, scratch->ranked);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    scores[i] = p[i] < bar ? -std::numeric_limits<float>::infinity() : scores[i];
  }
  for (const std::uint64_t ranked : scratch->ranked) {
    scores[Ranked::index(ranked)] = Ranked::score(ranked);
  }
}

QWEN35_BODY void TopHLogitsWarper::warp(detail::ScratchOf& scratch, std::span<float> scores) const {
  select_largest(scores, 100, scratch->ranked);
  const std::vector<std::uint64_t>& ranked = scratch->ranked;
  float p[100];
  for (std::size_t i = 0; i < ranked.size(); ++i) {
    p[i] = Ranked::score(ranked[i]);
  }
  math::softmax(p, ranked.size(), p);
  const auto bar = static_cast<float>(top_h_ * detail::entropy({p, ranked.size()}));
  double running = 0.0;
  std::size_t kept = 0;
  while (kept < ranked.size()) {
    running += detail::entropy({p + kept, 1});
    if (kept > 0 && !(p[kept] > 0.0f && static_cast<float>(running) <= bar)) {
      break;
    }
    ++kept;
  }
  detail::keep_only(ranked, kept, scores);
}

QWEN35_BODY TypicalLogitsWarper::TypicalLogitsWarper(double mass, std::size_t min_tokens_to_keep)
    : mass_(static_cast<float>(mass)), min_keep_(detail::require_some(min_tokens_to_keep)) {
  detail::require_fraction(mass, "typical_p");
}

QWEN35_BODY void TypicalLogitsWarper::warp(detail::ScratchOf& scratch, std::span<float> scores) const {
  const auto h = static_cast<float>(detail::entropy(scratch.softmax(scores)));
  const float normaliser = math::log_sum_exp(scores.data(), scores.size());
  std::vector<float>& closeness = scratch->values;  // -| -ln p - h |
  for (std::size_t i = 0; i < scores.size(); ++i) {
    closeness[i] = -std::fabs(normaliser - scores[i] - h);
  }
  for (std::size_t count = 64;; count *= 8) {
    select_largest(closeness, std::max(count, min_keep_), scratch->ranked);
    const std::vector<std::uint64_t>& ranked = scratch->ranked;
    double running = 0.0;
    std::size_t last = 0;
    while (last < ranked.size()) {
      running += std::exp(static_cast<double>(scores[Ranked::index(ranked[last])]) - static_cast<double>(normaliser));
      if (!(static_cast<float>(running) < mass_)) {
        break;
      }
      ++last;
    }
    if (last == ranked.size() && ranked.size() < scores.size()) {
      continue;
    }
    last = std::max(std::min(last, scores.size() - 1), std::min(min_keep_, scores.size()) - 1);
    const float bar = Ranked::score(ranked[last]);
    for (std::size_t i = 0; i < scores.size(); ++i) {
      scores[i] = closeness[i] < bar ? -std::numeric_limits<float>::infinity() : scores[i];
    }
    return;
  }
}

QWEN35_BODY EpsilonLogitsWarper::EpsilonLogitsWarper(double epsilon, std::size_t min_tokens_to_keep)
    : epsilon_(static_cast<float>(epsilon)), min_keep_(detail::require_some(min_tokens_to_keep)) {
  detail::require_fraction(epsilon, "epsilon_cutoff");
}

QWEN35_BODY EtaLogitsWarper::EtaLogitsWarper(double epsilon, std::size_t min_tokens_to_keep)
    : epsilon_(static_cast<float>(epsilon)), min_keep_(detail::require_some(min_tokens_to_keep)) {
  detail::require_fraction(epsilon, "eta_cutoff");
}

QWEN35_BODY void EtaLogitsWarper::warp(detail::ScratchOf& scratch, std::span<float> scores) const {
  const std::span<const float> p = scratch.softmax(scores);
  const float eta = std::min(epsilon_, std::sqrt(epsilon_) * static_cast<float>(std::exp(-detail::entropy(p))));
  detail::mask_improbable(eta, min_keep_, p, scratch, scores);
}

QWEN35_BODY void LogitNormalization::process(const SequenceRow&, std::span<float> scores) const {
  const float normaliser = math::log_sum_exp(scores.data(), scores.size());
  for (float& score : scores) {
    score -= normaliser;
  }
}

QWEN35_END_NAMESPACE
#endif  // QWEN35_BODIES
