// SPDX-License-Identifier: Apache-2.0
// The loops of `generate`. Include generate.hpp.
#pragma once

#include <qwen35/generate/generate.hpp>
#include <qwen35/generate/running_batch.hpp>

QWEN35_BEGIN_NAMESPACE

namespace detail {

// The fields that nobody set, from the model and the fallbacks.
template <class M>
inline GenerationConfig complete_config(const M& model, GenerationConfig config) {
  if constexpr (requires { GenerationConfig::from_json(model.generation_config()); }) {
    config = config.or_else(GenerationConfig::from_json(model.generation_config()));
  }
  config = config.or_else(GenerationConfig::fallbacks());
  if constexpr (requires { TokenIds(model.config().eos_token_id); }) {
    if (!config.eos_token_id) {
      config.eos_token_id = TokenIds(model.config().eos_token_id);
    }
  }
  if constexpr (requires { TokenIds(model.config().pad_token_id); }) {
    if (const TokenIds pad = model.config().pad_token_id; !config.pad_token_id && !pad.empty()) {
      config.pad_token_id = pad[0];
    }
  }
  if (!config.pad_token_id && config.eos_token_id && !config.eos_token_id->empty()) {
    config.pad_token_id = (*config.eos_token_id)[0];
  }
  config.validate();
  return config;
}

template <class M>
class GenerateRun {
 public:
  GenerateRun(const M& model, const GenerateInput<M>& input, const GenerationConfig& config)
      : input_(input), config_(complete_config(model, config)), batch_(model, input, config_) {
    set_lengths(model);
    require<InputError>(input.sequence_ids.empty() || input.sequence_ids.size() == batch_.batch(),
                        "generate: sequence_ids has ", input.sequence_ids.size(), " entries for ", batch_.batch(),
                        " prompts");
    require<InputError>(num_beams() == 1 || !input.streamer, "generate: a streamer cannot be used with beam search");
    processors_ =
        processors_of(config_, batch_.prompt_length(), input.logits_processor, input.prefix_allowed_tokens_fn);
    criteria_ = criteria_of(config_, input.token_text, input.stopping_criteria);
    output_.prompt_length = batch_.prompt_length();
  }

  GenerateOutput<M> run() {
    if (num_beams() > 1) {
      search_beams();
    } else {
      sample();
    }
    output_.past_key_values = batch_.cache();
    output_.owned_cache = batch_.take_owned_cache();
    return std::move(output_);
  }

 private:
  std::size_t num_beams() const { return static_cast<std::size_t>(*config_.num_beams); }
  std::size_t siblings() const { return static_cast<std::size_t>(*config_.num_return_sequences); }

  // max_length and min_length as columns. The reference's `_prepare_generated_length`, `_validate_generated_length`.
  void set_lengths(const M& model) {
    const auto prompt = static_cast<std::int64_t>(batch_.prompt_length());
    const auto columns = static_cast<std::int64_t>(batch_.columns());
    if (config_.max_new_tokens) {
      config_.max_length = *config_.max_new_tokens + prompt;
    } else if (config_.max_length) {
      *config_.max_length -= prompt != columns ? columns : 0;  // embeddings without ids
    } else {
      config_.max_length = 20 + prompt;
      if constexpr (requires { model.config().max_position_embeddings; }) {
        config_.max_length =
            std::min(*config_.max_length, static_cast<std::int64_t>(model.config().max_position_embeddings));
      }
    }
    if (config_.min_new_tokens) {
      config_.min_length = *config_.min_new_tokens + prompt;
    } else if (prompt != columns) {
      config_.min_length = std::max<std::int64_t>(*config_.min_length - columns, 0);
    }
    require<InputError>(prompt < *config_.max_length, "generate: the input has ", prompt, " tokens and max_length is ",
                        *config_.max_length, ": nothing can be generated");
  }

  SequenceRow row_of(std::size_t row, std::size_t rows_per_prompt) {
    const std::size_t b = row / rows_per_prompt;
    return {.input_ids = {},
            .prompt_length = batch_.prompt_length(),
            .padding = batch_.padding(b),
            .batch_id = b,
            .row = row,
            .scratch = &scratch_};
  }
  DrawKey key_of(std::size_t b, std::size_t sibling, std::size_t generated) const {
    return {.seed = *config_.seed,
            .sequence = input_.sequence_ids.empty() ? static_cast<std::uint32_t>(b) : input_.sequence_ids[b],
            .sibling = static_cast<std::uint32_t>(sibling),
            .position = static_cast<std::uint32_t>(batch_.tokens(b) + generated)};
  }
  Tensor<float> as_rows(const Tensor<float>& logits) const {
    return Tensor<float>({batch_.rows(), batch_.vocab_size()}, std::vector<float>(logits.begin(), logits.end()));
  }
  void keep(typename RunningBatch<M>::Output& result) {
    if (*config_.output_logits) {
      output_.logits.push_back(as_rows(result.logits));
    }
    if (*config_.output_hidden_states) {
      output_.hidden_states.push_back(std::move(result.hidden_states));
    }
    if (*config_.output_attentions) {
      output_.attentions.push_back(std::move(result.attentions));
    }
  }

  void sample();
  void search_beams();
  void set_sequences(const std::vector<std::span<const TokenId>>& rows);

  const GenerateInput<M>& input_;
  GenerationConfig config_;
  RunningBatch<M> batch_;
  LogitsProcessorList processors_;
  StoppingCriteriaList criteria_;
  Scratch scratch_;
  GenerateOutput<M> output_;
};

// `rows`: the sequences without padding at the end, which is added.
template <class M>
void GenerateRun<M>::set_sequences(const std::vector<std::span<const TokenId>>& rows) {
  std::size_t length = 0;
  for (const auto& row : rows) {
    length = std::max(length, row.size());
  }
  output_.sequences = Tensor<TokenId>({rows.size(), length});
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const auto out = output_.sequences.row(r);
    std::fill(std::copy(rows[r].begin(), rows[r].end(), out.begin()), out.end(), config_.pad_token_id.value_or(-1));
    const std::size_t b = r / siblings();
    output_.generated.push_back(rows[r].size() - batch_.prompt_length());
    output_.usage.push_back({.prompt_tokens = batch_.tokens(b),
                             .cached_tokens = batch_.cached(),
                             .completion_tokens = output_.generated[r],
                             .processed_tokens = batch_.tokens(b) - std::min(batch_.cached(), batch_.tokens(b))});
  }
}

// Greedy search and sampling. A finished row goes through the model with padding until all are finished.
template <class M>
void GenerateRun<M>::sample() {
  auto result = batch_.prefill(siblings());
  const std::size_t rows = batch_.rows();
  std::vector<TokenId> tokens(rows);
  std::vector<FinishReason>& reasons = output_.finish_reason;
  reasons.assign(rows, FinishReason::none);
  std::vector<std::size_t> lengths(rows);
  GreedySampler greedy;
  MultinomialSampler multinomial;
  for (std::size_t step = 0;; ++step) {
    keep(result);
    for (std::size_t r = 0; r < rows; ++r) {
      std::vector<TokenId>& ids = batch_.ids()[r];
      const bool running = reasons[r] == FinishReason::none;
      if (running || *config_.output_scores) {
        SequenceRow row = row_of(r, siblings());
        row.input_ids = ids;
        process(processors_, row, result.logits.row(r));
      }
      if (running) {
        const std::span<const float> scores = result.logits.row(r);
        const DrawKey key = key_of(r / siblings(), r % siblings(), step);
        tokens[r] = *config_.do_sample ? multinomial(scores, key) : greedy(scores, key);
      } else {
        tokens[r] = config_.pad_token_id.value_or(0);
      }
      ids.push_back(tokens[r]);
    }
    if (*config_.output_scores) {
      output_.scores.push_back(as_rows(result.logits));
    }
    bool all = true;
    for (std::size_t r = 0; r < rows; ++r) {
      if (reasons[r] == FinishReason::none) {
        SequenceRow row = row_of(r, siblings());
        row.input_ids = batch_.ids()[r];
        reasons[r] = finish_reason(criteria_, row);
        lengths[r] = row.input_ids.size();
      }
      all = all && reasons[r] != FinishReason::none;
    }
    if (input_.streamer && !input_.streamer(tokens)) {
      std::replace(reasons.begin(), reasons.end(), FinishReason::none, FinishReason::cancelled);
      all = true;
    }
    if (all) {
      break;
    }
    result = batch_.forward(tokens);
  }
  std::vector<std::span<const TokenId>> sequences;
  for (std::size_t r = 0; r < rows; ++r) {
    sequences.push_back(std::span<const TokenId>(batch_.ids()[r]).first(lengths[r]));
  }
  set_sequences(sequences);
}

template <class M>
void GenerateRun<M>::search_beams() {
  const std::vector<std::vector<TokenId>> prompts = batch_.ids();
  BeamSearch search({.num_beams = num_beams(),
                     .eos_tokens = config_.eos_token_id.value_or(TokenIds()).size(),
                     .max_length = static_cast<std::size_t>(*config_.max_length),
                     .length_penalty = *config_.length_penalty,
                     .early_stopping = *config_.early_stopping,
                     .do_sample = *config_.do_sample},
                    prompts);
  const LogitNormalization log_softmax;
  auto result = batch_.prefill(num_beams());
  std::vector<TokenId> tokens(batch_.rows());
  for (std::size_t step = 0;; ++step) {
    keep(result);
    for (std::size_t r = 0; r < batch_.rows(); ++r) {
      SequenceRow row = row_of(r, num_beams());
      row.input_ids = search.ids(r);
      log_softmax.process(row, result.logits.row(r));
      process(processors_, row, result.logits.row(r));
    }
    if (*config_.output_scores) {
      output_.scores.push_back(as_rows(result.logits));
    }
    search.step(
        {result.logits.data(), result.logits.size()}, criteria_, [&](std::size_t r) { return row_of(r, num_beams()); },
        [&](std::size_t b) { return key_of(b, 0, step); });
    if (search.done()) {
      break;
    }
    batch_.reorder(search.beam_idx());
    for (std::size_t r = 0; r < batch_.rows(); ++r) {
      batch_.ids()[r] = search.ids(r);
      tokens[r] = search.ids(r).back();
    }
    result = batch_.forward(tokens);
  }

  std::vector<std::span<const TokenId>> sequences;
  std::vector<const Beam*> beams;
  std::size_t length = 0;
  for (std::size_t b = 0; b < batch_.batch(); ++b) {
    for (const Beam& beam : search.best(b, siblings())) {
      beams.push_back(&beam);
      sequences.push_back(beam.ids);
      output_.sequences_scores.push_back(beam.score);
      output_.finish_reason.push_back(beam.reason);
      length = std::max(length, beam.beam_indices.size());
    }
  }
  output_.beam_indices = Tensor<std::int32_t>({beams.size(), length});
  for (std::size_t r = 0; r < beams.size(); ++r) {
    const auto out = output_.beam_indices.row(r);
    std::fill(std::copy(beams[r]->beam_indices.begin(), beams[r]->beam_indices.end(), out.begin()), out.end(), -1);
  }
  set_sequences(sequences);
}

}  // namespace detail

template <GenerativeModel Model>
GenerateOutput<Model> generate(const Model& model, const std::type_identity_t<GenerateInput<Model>>& input,
                               const GenerationConfig& config) {
  return detail::GenerateRun<Model>(model, input, config).run();
}

QWEN35_END_NAMESPACE
