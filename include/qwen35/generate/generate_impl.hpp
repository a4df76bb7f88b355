// SPDX-License-Identifier: Apache-2.0
// The steps of `generate`. Include generate.hpp.
#pragma once

#include <qwen35/generate/generate.hpp>
#include <qwen35/generate/generation_defaults.hpp>
#include <qwen35/generate/running_batch.hpp>

QWEN35_BEGIN_NAMESPACE

namespace detail {

template <class M>
class GenerateRun {
 public:
  GenerateRun(const M& model, const GenerateInput<M>& input, const GenerationConfig& config)
      : input_(input), config_(complete_config(model, config)), rows_(model, input, config_) {
    set_lengths(model, rows_.prompt_length(), rows_.columns(), config_);
    require<InputError>(input.sequence_ids.empty() || input.sequence_ids.size() == rows_.batch(),
                        "generate: sequence_ids has ", input.sequence_ids.size(), " entries for ", rows_.batch(),
                        " prompts");
    require<InputError>(num_beams() == 1 || !input.streamer, "generate: a streamer cannot be used with beam search");
    chooser_ =
        std::make_shared<const TokenChooser>(config_, rows_.prompt_length(),
                                             ChooserExtras{input.logits_processor, input.prefix_allowed_tokens_fn,
                                                           input.stopping_criteria, tokenizer_of(input)});
    output_.prompt_length = rows_.prompt_length();
    output_.seed = *config_.seed;
  }

  GenerateOutput<M> run() {
    decode();
    output_.past_key_values = rows_.cache();
    output_.owned_cache = rows_.take_owned_cache();
    return std::move(output_);
  }

 private:
  std::size_t num_beams() const { return static_cast<std::size_t>(*config_.num_beams); }
  std::size_t siblings() const { return static_cast<std::size_t>(*config_.num_return_sequences); }

  // The rows that run: `expand` for each prompt.
  void make_sequences(std::size_t expand) {
    for (std::size_t row = 0; row < rows_.batch() * expand; ++row) {
      const std::size_t b = row / expand;
      sequences_.push_back(
          {.ids = rows_.prompt(b),
           .prompt_length = rows_.prompt_length(),
           .padding = rows_.padding(b),
           .batch_id = b,
           .row = row,
           .key = {.seed = *config_.seed,
                   .sequence = input_.sequence_ids.empty() ? static_cast<std::uint32_t>(b) : input_.sequence_ids[b],
                   .sibling = num_beams() > 1 ? 0u : static_cast<std::uint32_t>(row % expand),
                   .position = static_cast<std::uint32_t>(rows_.tokens(b))},
           .chooser = chooser_,
           .usage = {.prompt_tokens = rows_.tokens(b),
                     .cached_tokens = rows_.cached(),
                     .processed_tokens = rows_.tokens(b) - std::min(rows_.cached(), rows_.tokens(b))}});
    }
  }
  Tensor<float> copy_of_logits() {
    const std::span<const float> logits = rows_.logits();
    return Tensor<float>({rows_.rows(), rows_.vocab_size()}, std::vector<float>(logits.begin(), logits.end()));
  }
  void keep() {
    if (*config_.output_logits) {
      output_.logits.push_back(copy_of_logits());
    }
    if (*config_.output_hidden_states) {
      output_.hidden_states.push_back(std::move(rows_.hidden_states()));
    }
    if (*config_.output_attentions) {
      output_.attentions.push_back(std::move(rows_.attentions()));
    }
  }
  void keep_scores() {
    if (*config_.output_scores) {
      output_.scores.push_back(copy_of_logits());
    }
  }

  void decode();
  // One step: from the logits of the running rows to their next tokens. False: all have ended.
  bool advance();
  bool advance_beams();
  void set_sequences(std::span<const Sequence> sequences);
  void set_beams();

  const GenerateInput<M>& input_;
  GenerationConfig config_;
  RunningBatch<M> rows_;
  std::shared_ptr<const TokenChooser> chooser_;
  std::vector<Sequence> sequences_;
  std::vector<TokenId> tokens_;  // of the newest step
  std::optional<BeamSearch> beams_;
  ChooserScratch scratch_;
  GenerateOutput<M> output_;
};

template <class M>
void GenerateRun<M>::decode() {
  make_sequences(num_beams() > 1 ? num_beams() : siblings());
  tokens_.resize(sequences_.size());
  rows_.prefill(sequences_.size() / rows_.batch());
  keep();
  while (num_beams() > 1 ? advance_beams() : advance()) {
    rows_.forward(sequences_);
    keep();
  }
  if (num_beams() > 1) {
    set_beams();
  } else {
    set_sequences(sequences_);
  }
}

// A row that has ended goes through the model with padding until all have.
template <class M>
bool GenerateRun<M>::advance() {
  bool running = false;
  for (std::size_t r = 0; r < sequences_.size(); ++r) {
    Sequence& sequence = sequences_[r];
    if (!sequence.finished()) {
      tokens_[r] = sequence.choose(rows_.logits(r), scratch_);
      running = running || !sequence.finished();
      continue;
    }
    if (*config_.output_scores) {
      chooser_->process(sequence.view(scratch_.processors), rows_.logits(r));
    }
    tokens_[r] = config_.pad_token_id.value_or(0);
    sequence.ids.push_back(tokens_[r]);
  }
  keep_scores();
  if (input_.streamer && !input_.streamer(tokens_)) {
    for (Sequence& sequence : sequences_) {
      sequence.cancel();
    }
    return false;
  }
  return running;
}

template <class M>
bool GenerateRun<M>::advance_beams() {
  if (!beams_) {
    std::vector<std::vector<TokenId>> prompts;
    for (std::size_t b = 0; b < rows_.batch(); ++b) {
      prompts.push_back(rows_.prompt(b));
    }
    beams_.emplace(BeamOptions{.num_beams = num_beams(),
                               .eos_tokens = config_.eos_token_id.value_or(TokenIds()).size(),
                               .max_length = static_cast<std::size_t>(*config_.max_length),
                               .length_penalty = *config_.length_penalty,
                               .early_stopping = *config_.early_stopping,
                               .do_sample = *config_.do_sample},
                   prompts);
  }
  const LogitNormalization log_softmax;
  for (std::size_t r = 0; r < sequences_.size(); ++r) {
    const SequenceRow row = sequences_[r].view(scratch_.processors);
    log_softmax.process(row, rows_.logits(r));
    chooser_->process(row, rows_.logits(r));
  }
  keep_scores();
  beams_->step(
      rows_.logits(), chooser_->criteria(), [&](std::size_t r) { return sequences_[r].view(scratch_.processors); },
      [&](std::size_t b) { return sequences_[b * num_beams()].next_key(); });
  if (beams_->done()) {
    return false;
  }
  rows_.reorder(beams_->beam_idx());
  for (std::size_t r = 0; r < sequences_.size(); ++r) {
    sequences_[r].ids = beams_->ids(r);
    ++sequences_[r].usage.completion_tokens;
  }
  return true;
}

// Rows of the output, padded to one length.
template <class M>
void GenerateRun<M>::set_sequences(std::span<const Sequence> sequences) {
  std::size_t length = 0;
  for (const Sequence& sequence : sequences) {
    length = std::max(length, sequence.prompt_length + sequence.usage.completion_tokens);
  }
  output_.sequences = Tensor<TokenId>({sequences.size(), length});
  for (std::size_t r = 0; r < sequences.size(); ++r) {
    const Sequence& sequence = sequences[r];
    const auto ids = std::span(sequence.ids).first(sequence.prompt_length + sequence.usage.completion_tokens);
    const auto out = output_.sequences.row(r);
    std::fill(std::copy(ids.begin(), ids.end(), out.begin()), out.end(), config_.pad_token_id.value_or(-1));
    output_.generated.push_back(sequence.usage.completion_tokens);
    output_.finish_reason.push_back(sequence.finish_reason);
    output_.usage.push_back(sequence.usage);
  }
}

template <class M>
void GenerateRun<M>::set_beams() {
  std::vector<Sequence> sequences;
  std::vector<const Beam*> beams;
  std::size_t length = 0;
  for (std::size_t b = 0; b < rows_.batch(); ++b) {
    for (const Beam& beam : beams_->best(b, siblings())) {
      Sequence& sequence = sequences.emplace_back(sequences_[b * num_beams()]);
      sequence.ids = beam.ids;
      sequence.finish_reason = beam.reason;
      sequence.usage.completion_tokens = beam.ids.size() - sequence.prompt_length;
      beams.push_back(&beam);
      output_.sequences_scores.push_back(beam.score);
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

template <GenerativeModel Model, EncodedInputs Inputs>
GenerateOutput<Model> generate(const Model& model, const Inputs& inputs, const GenerationConfig& config,
                               const std::type_identity_t<GenerateInput<Model>>& rest) {
  const auto once = [](bool given, const char* name) {
    require<InputError>(!given, "generate: ", name, " are given twice: the encoded inputs have them");
  };
  once(static_cast<bool>(rest.input_ids) || static_cast<bool>(rest.inputs_embeds), "input_ids");
  once(static_cast<bool>(rest.attention_mask), "attention_mask");
  GenerateInput<Model> input = rest;
  const Tensor<TokenId> ids = inputs.ids();
  const Tensor<std::int32_t> mask = inputs.attention_mask.empty() ? Tensor<std::int32_t>() : inputs.mask();
  input.input_ids = ids;
  if (!mask.empty()) {
    input.attention_mask = mask;
  }
  Tensor<std::int32_t> types;
  if constexpr (requires { inputs.pixel_values; }) {
    const auto set = [&](const auto& from, auto& to, const char* name) {
      if (!from.empty()) {
        once(to.size() > 0, name);
        to = from;
      }
    };
    set(inputs.pixel_values, input.pixel_values, "pixel_values");
    set(inputs.image_grid_thw, input.image_grid_thw, "image_grid_thw");
    set(inputs.pixel_values_videos, input.pixel_values_videos, "pixel_values_videos");
    set(inputs.video_grid_thw, input.video_grid_thw, "video_grid_thw");
    if (!inputs.mm_token_type_ids.empty() && (input.image_grid_thw || input.video_grid_thw)) {
      types = inputs.token_types();
      set(types, input.mm_token_type_ids, "mm_token_type_ids");
    }
  }
  return generate(model, input, config);
}

QWEN35_END_NAMESPACE
