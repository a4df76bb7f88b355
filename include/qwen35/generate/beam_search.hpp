// SPDX-License-Identifier: Apache-2.0
// The state of a beam search over a batch of prompts. Source: the reference's `_beam_search` and its helpers.
#pragma once

#include <qwen35/sampling/ranking.hpp>
#include <qwen35/sampling/sampler.hpp>
#include <qwen35/sampling/stopping_criteria.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#if QWEN35_BODIES
#include <qwen35/json/number.hpp>
#include <qwen35/sampling/generation_config.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

struct BeamOptions {
  std::size_t num_beams = 2;
  std::size_t eos_tokens = 0;  // how many eos ids there are
  std::size_t max_length = 0;  // columns, prompt included
  double length_penalty = 1.0;
  EarlyStopping early_stopping = EarlyStopping::no;
  bool do_sample = false;
};

// A sequence, its tokens' rows in the running batch at each step, and its score.
struct Beam {
  std::vector<TokenId> ids;                // prompt and generated
  std::vector<std::int32_t> beam_indices;  // one for each generated token: prompt * num_beams + beam
  float score = 0.0f;
  FinishReason reason = FinishReason::none;
};

// Knows no model: it takes the scores of the running rows and says which rows go on with which tokens. Scores are added
// in float, in the reference's order, so that the sequences and their scores are the reference's; of equal candidates
// the one with the lower index is taken.
class BeamSearch {
 public:
  // prompts: [batch], all of one length. Raises InputError for a length_penalty whose powers are no floats.
  BeamSearch(const BeamOptions& options, const std::vector<std::vector<TokenId>>& prompts);

  std::size_t rows() const { return prompts_.size() * options_.num_beams; }
  bool done() const { return done_; }
  // Row of the running batch, as the processors and the next forward see it.
  const std::vector<TokenId>& ids(std::size_t row) const {
    return prompts_[row / options_.num_beams].running[row % options_.num_beams].ids;
  }
  // Row r of the next forward continues what was row beam_idx()[r] in the last one.
  std::span<const std::size_t> beam_idx() const { return beam_idx_; }

  // One step. scores: [rows, vocab_size], processed log probabilities; they are changed. `row_of(r)` describes running
  // row r for the criteria; `key_of(prompt)` names the prompt's draws (do_sample). Raises InputError for NaN, a
  // prompt whose candidates are all masked, or a vocabulary smaller than the candidates needed.
  template <class RowOf, class KeyOf>
  void step(std::span<float> scores, const StoppingCriteriaList& criteria, RowOf&& row_of, KeyOf&& key_of) {
    bool improvable = false;
    bool all_finished = true;
    bool all_hit = true;
    beam_idx_.clear();
    const std::size_t width = scores.size() / prompts_.size();
    for (std::size_t p = 0; p < prompts_.size(); ++p) {
      find_candidates(p, scores.subspan(p * width, width), criteria, row_of, key_of);
      finish(prompts_[p]);
      advance(p);
    }
    ++length_;
    for (Prompt& prompt : prompts_) {
      prompt.improvable = prompt.improvable && can_improve(prompt);
      improvable = improvable || prompt.improvable;
      all_finished = all_finished && prompt.full();
      all_hit = all_hit && prompt.all_hit;
    }
    done_ = !improvable || (all_finished && options_.early_stopping == EarlyStopping::yes) || all_hit;
  }

  // The best `count` sequences of a prompt, best first, scores divided by length^length_penalty.
  std::span<const Beam> best(std::size_t prompt, std::size_t count) const {
    return std::span<const Beam>(prompts_[prompt].finished).first(count);
  }

 private:
  static constexpr float off = -1.0e9f;  // the reference's "not this one"

  struct Candidate {
    std::size_t beam;
    TokenId token;
    float score;
    FinishReason reason;
  };
  struct Prompt {
    std::vector<Beam> running;   // best first
    std::vector<Beam> finished;  // best first; reason none: nothing yet
    bool improvable = true;
    bool all_hit = false;  // every candidate of the last step is finished
    bool full() const;
  };

  float penalised(float score, std::size_t tokens) const {
    return score / static_cast<float>(std::pow(static_cast<double>(tokens), options_.length_penalty));
  }

  // The (eos ids + 1) * num_beams best continuations, so that num_beams unfinished ones remain whatever ends.
  template <class RowOf, class KeyOf>
  void find_candidates(std::size_t p, std::span<float> scores, const StoppingCriteriaList& criteria, RowOf& row_of,
                       KeyOf& key_of) {
    Prompt& prompt = prompts_[p];
    const std::size_t vocab_size = scores.size() / options_.num_beams;
    const std::size_t wanted = std::max<std::size_t>(2, 1 + options_.eos_tokens) * options_.num_beams;
    require<InputError>(wanted <= scores.size(), "beam search needs ", wanted, " candidates of ", scores.size());
    for (std::size_t i = 0; i < scores.size(); ++i) {
      scores[i] += prompt.running[i / vocab_size].score;
    }
    candidates_.clear();
    const auto add = [&](std::size_t index) {
      candidates_.push_back(
          {index / vocab_size, static_cast<TokenId>(index % vocab_size), scores[index], FinishReason::none});
      if (scores[index] != scores[index]) {
        raise_unusable_scores();
      }
    };
    if (options_.do_sample) {
      for (const std::size_t index : sampler_.without_replacement(scores, wanted, key_of(p))) {
        add(index);
      }
    } else {
      select_largest(scores, wanted, ranked_);
      for (const std::uint64_t ranked : ranked_) {
        add(Ranked::index(ranked));
      }
    }
    if (std::all_of(candidates_.begin(), candidates_.end(), [](const Candidate& candidate) {
          return candidate.score == -std::numeric_limits<float>::infinity();
        })) {
      raise_unusable_scores();
    }
    prompt.all_hit = true;
    for (Candidate& candidate : candidates_) {
      Beam& beam = prompt.running[candidate.beam];
      beam.ids.push_back(candidate.token);
      SequenceRow row = row_of(p * options_.num_beams + candidate.beam);
      row.input_ids = beam.ids;
      candidate.reason = finish_reason(criteria, row);
      beam.ids.pop_back();
      prompt.all_hit = prompt.all_hit && candidate.reason != FinishReason::none;
    }
  }

  Beam extend(const Prompt& prompt, std::size_t p, const Candidate& candidate, float score, FinishReason reason) const;

  // Of the finished sequences so far and the first num_beams candidates, as far as they are finished, the best
  // num_beams.
  void finish(Prompt& prompt);

  // The best num_beams candidates that are not finished run on.
  void advance(std::size_t p);

  // Could the best running beam still beat the worst finished one? `never` with a positive penalty supposes that it
  // grows to the full length.
  bool can_improve(const Prompt& prompt) const;

  BeamOptions options_;
  std::size_t prompt_length_;
  std::size_t length_;  // columns of the running rows
  bool done_ = false;
  std::vector<Prompt> prompts_;
  std::vector<Candidate> candidates_;
  std::vector<std::size_t> beam_idx_;
  std::vector<std::uint64_t> ranked_;
  MultinomialSampler sampler_;
};

#if QWEN35_BODIES

QWEN35_BODY BeamSearch::BeamSearch(const BeamOptions& options, const std::vector<std::vector<TokenId>>& prompts)
    : options_(options), prompt_length_(prompts.empty() ? 0 : prompts[0].size()), length_(prompt_length_) {
  require<InputError>(options.num_beams > 0 && !prompts.empty(), "beam search of ", options.num_beams, " beams for ",
                      prompts.size(), " prompts");
  const std::size_t most = std::max(options.max_length, prompt_length_ + 1) - prompt_length_;
  const auto divisor = static_cast<float>(std::pow(static_cast<double>(most), options.length_penalty));
  require<InputError>(std::isnormal(divisor), "length_penalty is ", json::python_repr_number(options.length_penalty),
                      ", and ", most, " new tokens to its power are no float");
  for (const std::vector<TokenId>& prompt : prompts) {
    Prompt state;
    for (std::size_t beam = 0; beam < options.num_beams; ++beam) {
      // Only the first beam counts at the start, or all would find the same.
      state.running.push_back({prompt, {}, beam == 0 ? 0.0f : off, FinishReason::none});
      state.finished.push_back({prompt, {}, off, FinishReason::none});
    }
    prompts_.push_back(std::move(state));
  }
}

QWEN35_BODY bool BeamSearch::Prompt::full() const {
  return std::all_of(finished.begin(), finished.end(),
                     [](const Beam& beam) { return beam.reason != FinishReason::none; });
}

QWEN35_BODY Beam BeamSearch::extend(const Prompt& prompt, std::size_t p, const Candidate& candidate, float score,
                                    FinishReason reason) const {
  Beam out = prompt.running[candidate.beam];
  out.ids.push_back(candidate.token);
  out.beam_indices.push_back(static_cast<std::int32_t>(p * options_.num_beams + candidate.beam));
  out.score = score;
  out.reason = reason;
  return out;
}

QWEN35_BODY void BeamSearch::finish(Prompt& prompt) {
  const auto p = static_cast<std::size_t>(&prompt - prompts_.data());
  const bool closed = (prompt.full() && options_.early_stopping == EarlyStopping::yes) || !prompt.improvable;
  if (closed) {
    return;
  }
  std::vector<std::pair<float, const Candidate*>> fresh;
  for (std::size_t c = 0; c < options_.num_beams; ++c) {
    if (candidates_[c].reason != FinishReason::none) {
      fresh.emplace_back(penalised(candidates_[c].score, length_ + 1 - prompt_length_), &candidates_[c]);
    }
  }
  for (const auto& [score, candidate] : fresh) {
    const auto worse = std::find_if(prompt.finished.begin(), prompt.finished.end(),
                                    [s = score](const Beam& beam) { return s > beam.score; });
    if (worse != prompt.finished.end()) {
      prompt.finished.insert(worse, extend(prompt, p, *candidate, score, candidate->reason));
      prompt.finished.pop_back();
    }
  }
}

QWEN35_BODY void BeamSearch::advance(std::size_t p) {
  Prompt& prompt = prompts_[p];
  for (Candidate& candidate : candidates_) {
    candidate.score += candidate.reason != FinishReason::none ? off : 0.0f;
  }
  std::stable_sort(candidates_.begin(), candidates_.end(),
                   [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
  std::vector<Beam> next;
  for (std::size_t beam = 0; beam < options_.num_beams; ++beam) {
    next.push_back(extend(prompt, p, candidates_[beam], candidates_[beam].score, FinishReason::none));
    beam_idx_.push_back(p * options_.num_beams + candidates_[beam].beam);
  }
  prompt.running = std::move(next);
}

QWEN35_BODY bool BeamSearch::can_improve(const Prompt& prompt) const {
  const bool full_length = options_.early_stopping == EarlyStopping::never && options_.length_penalty > 0.0;
  const float hope = penalised(prompt.running[0].score, (full_length ? options_.max_length : length_) - prompt_length_);
  const float worst = prompt.full() ? prompt.finished.back().score : off;
  return hope > worst;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
