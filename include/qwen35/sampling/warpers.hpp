// SPDX-License-Identifier: Apache-2.0
// Processors of the distribution that is sampled from. `min_tokens_to_keep` of the largest scores always survive.
//
// None sorts the vocabulary: the largest scores come from `select_largest`, in growing numbers where it is not known
// how many are needed.
#pragma once

#include <qwen35/math/softmax.hpp>
#include <qwen35/sampling/generation_config.hpp>
#include <qwen35/sampling/logits_processor.hpp>
#include <qwen35/sampling/ranking.hpp>

#include <cmath>

QWEN35_BEGIN_NAMESPACE

namespace detail {

// The row's scratch memory, or some of one's own.
class ScratchOf {
 public:
  explicit ScratchOf(const SequenceRow& row) : scratch_(row.scratch != nullptr ? row.scratch : &own_) {}
  Scratch* operator->() { return scratch_; }
  template <class F>
  void on_live(std::span<float> scores, F&& f) {
    on_live_scores(scores, scratch_->live, scratch_->live_scores, f);
  }
  // softmax(scores)
  std::span<const float> softmax(std::span<const float> scores);
  // The `count`-th largest score, and the scores down to it in `ranked`.
  float largest(std::span<const float> scores, std::size_t count);

 private:
  Scratch own_;
  Scratch* scratch_;
};

void mask_below(float bar, std::span<float> scores);

// Masks all but the first `count` of `ranked`.
void keep_only(std::span<const std::uint64_t> ranked, std::size_t count, std::span<float> scores,
               bool last_first = false);

std::size_t require_some(std::size_t min_tokens_to_keep);

void require_fraction(double value, const char* name);

// Of probabilities p: -sum of p ln p, in nats.
double entropy(std::span<const float> p);

// Masks scores whose probability is below `bar`.
void mask_improbable(float bar, std::size_t min_tokens_to_keep, std::span<const float> p, ScratchOf& scratch,
                     std::span<float> scores);

}  // namespace detail

// Looks at the scores that are not masked, and at no others.
class LiveScoresWarper : public LogitsProcessor {
 public:
  QWEN35_BODY void process(const SequenceRow& row, std::span<float> scores) const final;

 private:
  virtual void warp(detail::ScratchOf& scratch, std::span<float> scores) const = 0;
};

// scores / temperature
class TemperatureLogitsWarper final : public LogitsProcessor {
 public:
  // Raises InputError for one below GenerationLimits::least_divisor.
  explicit TemperatureLogitsWarper(double temperature);
  std::string_view name() const override { return "TemperatureLogitsWarper"; }
  QWEN35_BODY void process(const SequenceRow&, std::span<float> scores) const override;

 private:
  float temperature_;
};

// Masks all below the k-th largest score; ties with it survive.
class TopKLogitsWarper final : public LogitsProcessor {
 public:
  // Raises InputError for a k of 0.
  explicit TopKLogitsWarper(std::size_t top_k, std::size_t min_tokens_to_keep = 1);
  std::string_view name() const override { return "TopKLogitsWarper"; }
  QWEN35_BODY void process(const SequenceRow& row, std::span<float> scores) const override;

 private:
  std::size_t top_k_;
};

// Keeps the largest scores whose probabilities first reach top_p together.
class TopPLogitsWarper final : public LiveScoresWarper {
 public:
  // Raises InputError outside [0, 1].
  explicit TopPLogitsWarper(double top_p, std::size_t min_tokens_to_keep = 1);
  std::string_view name() const override { return "TopPLogitsWarper"; }

 private:
  // A score goes when it and all smaller ones together have at most 1 - top_p.
  QWEN35_BODY void warp(detail::ScratchOf& scratch, std::span<float> scores) const override;

  float bar_;
  std::size_t min_keep_;
};

// Masks what is less probable than min_p times the most probable.
class MinPLogitsWarper final : public LiveScoresWarper {
 public:
  // Raises InputError outside [0, 1].
  explicit MinPLogitsWarper(double min_p, std::size_t min_tokens_to_keep = 1);
  std::string_view name() const override { return "MinPLogitsWarper"; }

 private:
  QWEN35_BODY void warp(detail::ScratchOf& scratch, std::span<float> scores) const override;

  float min_p_;
  std::size_t min_keep_;
};

// Among the 100 largest scores keeps those until the running entropy passes top_h of the whole of theirs; the first
// always.
class TopHLogitsWarper final : public LiveScoresWarper {
 public:
  // Raises InputError outside (0, 1].
  explicit TopHLogitsWarper(double top_h) : top_h_(top_h) {
    require<InputError>(top_h > 0.0 && top_h <= 1.0, "top_h is ", top_h, ", expected above 0 and at most 1");
  }
  std::string_view name() const override { return "TopHLogitsWarper"; }

 private:
  QWEN35_BODY void warp(detail::ScratchOf& scratch, std::span<float> scores) const override;

  double top_h_;
};

// Sorts by how far the information of an id is from the entropy, and keeps up to and with the first that makes the
// probabilities reach `mass`.
class TypicalLogitsWarper final : public LiveScoresWarper {
 public:
  // Raises InputError outside (0, 1).
  explicit TypicalLogitsWarper(double mass, std::size_t min_tokens_to_keep = 1);
  std::string_view name() const override { return "TypicalLogitsWarper"; }

 private:
  QWEN35_BODY void warp(detail::ScratchOf& scratch, std::span<float> scores) const override;

  float mass_;
  std::size_t min_keep_;
};

// Masks probabilities below epsilon.
class EpsilonLogitsWarper final : public LiveScoresWarper {
 public:
  // Raises InputError outside (0, 1).
  explicit EpsilonLogitsWarper(double epsilon, std::size_t min_tokens_to_keep = 1);
  std::string_view name() const override { return "EpsilonLogitsWarper"; }

 private:
  void warp(detail::ScratchOf& scratch, std::span<float> scores) const override {
    detail::mask_improbable(epsilon_, min_keep_, scratch.softmax(scores), scratch, scores);
  }

  float epsilon_;
  std::size_t min_keep_;
};

// Masks probabilities below min(epsilon, sqrt(epsilon) * e^-entropy).
class EtaLogitsWarper final : public LiveScoresWarper {
 public:
  // Raises InputError outside (0, 1).
  explicit EtaLogitsWarper(double epsilon, std::size_t min_tokens_to_keep = 1);
  std::string_view name() const override { return "EtaLogitsWarper"; }

 private:
  QWEN35_BODY void warp(detail::ScratchOf& scratch, std::span<float> scores) const override;

  float epsilon_;
  std::size_t min_keep_;
};

// Scores as logarithms of probabilities.
class LogitNormalization final : public LogitsProcessor {
 public:
  std::string_view name() const override { return "LogitNormalization"; }
  QWEN35_BODY void process(const SequenceRow&, std::span<float> scores) const override;
};

QWEN35_END_NAMESPACE

#include <qwen35/sampling/warpers_impl.hpp>
