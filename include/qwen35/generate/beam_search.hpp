// SPDX-License-Identifier: Apache-2.0
// Beam search, with or without sampling. Source: the reference's `_beam_search`; scores are kept in f32 and compared as there.
#pragma once

#include <qwen35/generate/generate_output.hpp>
#include <qwen35/generate/processor_list.hpp>
#include <qwen35/generate/sampler.hpp>
#include <qwen35/generate/stepper.hpp>
#include <qwen35/generate/stopping_criteria.hpp>
#include <qwen35/parallel/parallel_for.hpp>

QWEN35_BEGIN_NAMESPACE

namespace detail {

inline constexpr float impossible = -1.0e9f;

struct Beam {
  std::vector<TokenId> ids;
  std::vector<std::int32_t> indices;  // for each new token, the flat row it came from
  float score = impossible;
  bool finished = false;
  FinishReason reason = FinishReason::none;
};

// The beams of one prompt: those still running, and the best that have finished.
struct BeamGroup {
  std::vector<Beam> running;
  std::vector<Beam> done;
  bool can_improve = true;
};

// The `count` best by score, the earlier of equals first.
inline std::vector<Beam> best_beams(std::vector<Beam> beams, std::size_t count) {
  std::stable_sort(beams.begin(), beams.end(), [](const Beam& a, const Beam& b) { return a.score > b.score; });
  beams.resize(std::min(count, beams.size()));
  return beams;
}

// The `count` best (value, index) pairs of `values`, or as many draws without replacement in proportion to exp(value).
inline std::vector<std::size_t> choose_candidates(std::span<const float> values, std::size_t count, bool sample, const GenerationConfig& config,
                                                  std::size_t sequence, std::size_t position) {
  std::vector<std::size_t> order(values.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i] = i;
  }
  count = std::min(count, order.size());
  const auto take = [&](const auto& key) {
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(), [&](std::size_t a, std::size_t b) {
      const auto x = key(a);
      const auto y = key(b);
      return x > y || (x == y && a < b);
    });
  };
  if (sample) {
    // Gumbel noise turns the draws into a selection of the largest: Kool et al., arXiv 1903.06059.
    std::vector<double> noisy(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double u = std::max(uniform_draw(config.seed, sequence, position, i), 0x1p-53);
      noisy[i] = static_cast<double>(values[i]) - std::log(-std::log(u));
    }
    take([&](std::size_t i) { return noisy[i]; });
  } else {
    take([&](std::size_t i) { return values[i]; });
  }
  order.resize(count);
  return order;
}

}  // namespace detail

template <class Model, class Streamer>
void beam_search(Stepper<Model>& stepper, const std::vector<std::vector<TokenId>>& prompts, const GenerationConfig& config,
                 const LogitsProcessorList& processors, const StoppingCriteria& criteria, std::size_t max_length, const Streamer& streamer,
                 GenerateOutput<Model>& output) {
  using detail::Beam;
  const std::size_t beams = config.num_beams;
  const std::size_t prompt_length = prompts[0].size();
  const std::size_t keep = std::max<std::size_t>(2, 1 + config.eos_token_id.size()) * beams;
  const TokenId fill = !config.pad_token_id.empty() && config.pad_token_id[0] != 0 ? config.pad_token_id[0]
                       : !config.eos_token_id.empty()                              ? config.eos_token_id[0]
                                                                                   : -1;
  std::vector<detail::BeamGroup> groups(prompts.size());
  std::vector<std::size_t> expansion;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    groups[g].running.assign(beams, Beam{prompts[g], {}, detail::impossible, false, FinishReason::none});
    groups[g].running[0].score = 0.0f;  // all start alike: only the first counts
    groups[g].done = groups[g].running;
    groups[g].done[0].score = detail::impossible;
    expansion.insert(expansion.end(), beams, g);
  }
  stepper.select(expansion);
  const auto power = [&](std::size_t length) { return static_cast<float>(std::pow(static_cast<double>(length), config.length_penalty)); };

  for (std::size_t length = prompt_length;; ++length) {  // tokens of the running beams
    Tensor<float> scores = stepper.logits();
    if (config.output_logits) {
      output.logits.push_back(scores);
    }
    parallel_for(groups.size() * beams, [&](std::size_t r) {
      const ProcessedRow row{r / beams, groups[r / beams].running[r % beams].ids, prompt_length};
      LogitNormalization::log_softmax(scores.row(r));
      for (const auto& processor : processors) {
        processor->process(row, scores.row(r));
      }
    });
    if (config.output_scores) {
      output.scores.push_back(scores);
    }
    const std::size_t vocab = scores.shape()[1];
    std::vector<std::size_t> sources;
    std::vector<TokenId> tokens;
    bool all_stop = true;
    for (std::size_t g = 0; g < groups.size(); ++g) {
      detail::BeamGroup& group = groups[g];
      std::vector<float> values(beams * vocab);
      for (std::size_t b = 0; b < beams; ++b) {
        for (std::size_t v = 0; v < vocab; ++v) {
          values[b * vocab + v] = scores.row(g * beams + b)[v] + group.running[b].score;
        }
      }
      std::vector<Beam> candidates;
      for (const std::size_t index : detail::choose_candidates(values, keep, config.do_sample, config, g, length)) {
        const std::size_t source = index / vocab;
        Beam beam = group.running[source];
        beam.ids.push_back(static_cast<TokenId>(index % vocab));
        beam.indices.push_back(static_cast<std::int32_t>(g * beams + source));
        beam.score = values[index];
        beam.reason = criteria.check(beam.ids, scores.row(g * beams + source));
        all_stop = all_stop && beam.reason != FinishReason::none;
        candidates.push_back(std::move(beam));
      }
      std::vector<Beam> next = candidates;
      for (Beam& beam : next) {
        beam.score += beam.reason != FinishReason::none ? detail::impossible : 0.0f;
      }
      group.running = detail::best_beams(std::move(next), beams);

      const bool full = config.early_stopping == EarlyStopping::yes &&
                        std::all_of(group.done.begin(), group.done.end(), [](const Beam& beam) { return beam.finished; });
      std::vector<Beam> merged = group.done;
      for (std::size_t i = 0; i < candidates.size(); ++i) {
        Beam beam = candidates[i];
        beam.finished = i < beams && beam.reason != FinishReason::none;
        beam.score /= power(length + 1 - prompt_length);
        beam.score += full ? detail::impossible : 0.0f;
        beam.score += !group.can_improve ? detail::impossible : 0.0f;
        beam.score += !beam.finished ? detail::impossible : 0.0f;
        merged.push_back(std::move(beam));
      }
      group.done = detail::best_beams(std::move(merged), beams);

      for (const Beam& beam : group.running) {
        sources.push_back(static_cast<std::size_t>(beam.indices.back()));
        tokens.push_back(beam.ids.back());
      }
    }

    bool improvable = false;
    bool all_done = true;
    for (detail::BeamGroup& group : groups) {
      const std::size_t reach = config.early_stopping == EarlyStopping::never && config.length_penalty > 0.0 ? max_length - prompt_length
                                                                                                              : length + 1 - prompt_length;
      const float best = group.running[0].score / power(reach);
      float worst = group.done[0].score;
      bool any = false;
      for (const Beam& beam : group.done) {
        worst = std::min(worst, beam.score);
      }
      for (const Beam& beam : group.done) {
        any = any || best > (beam.finished ? worst : detail::impossible);
        all_done = all_done && beam.finished;
      }
      group.can_improve = group.can_improve && any;
      improvable = improvable || group.can_improve;
    }
    const bool cancelled = streamer && !streamer(tokens);
    if (!improvable || (all_done && config.early_stopping == EarlyStopping::yes) || all_stop || cancelled) {
      break;
    }
    stepper.select(sources);
    stepper.step(tokens);
  }

  std::vector<std::vector<TokenId>> rows;
  std::size_t longest = 0;
  for (const detail::BeamGroup& group : groups) {
    for (std::size_t i = 0; i < config.num_return_sequences; ++i) {
      const Beam& beam = group.done[i];
      rows.push_back(beam.ids);
      output.generated.push_back(beam.indices.size());
      output.sequences_scores.push_back(beam.score);
      output.finish_reason.push_back(beam.reason);
      longest = std::max(longest, beam.indices.size());
    }
  }
  detail::fill_sequences(rows, fill, output);
  output.beam_indices = Tensor<std::int32_t>({rows.size(), longest});
  std::fill(output.beam_indices.begin(), output.beam_indices.end(), -1);
  std::size_t r = 0;
  for (const detail::BeamGroup& group : groups) {
    for (std::size_t i = 0; i < config.num_return_sequences; ++i, ++r) {
      std::copy(group.done[i].indices.begin(), group.done[i].indices.end(), output.beam_indices.row(r).begin());
    }
  }
}

QWEN35_END_NAMESPACE
