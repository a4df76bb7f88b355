// SPDX-License-Identifier: Apache-2.0
// The steps of `generate`. Include generate.hpp.
#pragma once

#include <qwen35/generate/generate.hpp>

#if QWEN35_BODIES
#include <qwen35/core/cancellation.hpp>
#include <qwen35/generate/beam_search.hpp>
#include <qwen35/generate/generate_rows.hpp>
#include <qwen35/generate/unconditional_rows.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

#if QWEN35_BODIES

namespace detail {

template <class M>
class GenerateRun {
 public:
  GenerateRun(const M& model, const GenerateInput<M>& input, const GenerationConfig& config)
      : model_(model), input_(input), config_(complete_config(model, config)), rows_(model, input, config_) {
    if (declined() ||
        !holds<InputError>(rows_.batch() * expand() <= GenerationLimits::max_sequences, "generate: ", rows_.batch(),
                           " prompts with ", num_beams() > 1 ? "num_beams " : "num_return_sequences ", expand(),
                           " are more than ", GenerationLimits::max_sequences, " sequences")) {
      return;
    }
    set_lengths(defaults_of(model), rows_.prompt_length(), rows_.columns(), config_);
    check_token_ids(config_, vocab_size_of(model), rows_.batch() * expand());
    if (input.past_key_values != nullptr) {
      hold_to_capacity(rows_.width(), input.past_key_values->fixed_capacity(), "CacheOptions::capacity",
                       rows_.prompt_length(), config_);
    }
    const bool guided = config_.guidance_scale.value_or(1.0) != 1.0;
    if (declined() ||
        !holds<InputError>(input.sequence_ids.empty() || input.sequence_ids.size() == rows_.batch(),
                           "generate: sequence_ids has ", input.sequence_ids.size(), " entries for ", rows_.batch(),
                           " prompts") ||
        !holds<InputError>(num_beams() == 1 || !input.streamer,
                           "generate: a streamer cannot be used with beam search") ||
        !holds<InputError>(guided || !(input.negative_prompt_ids || input.negative_prompt_attention_mask),
                           "generate: negative_prompt_ids would not be read without a guidance_scale")) {
      return;
    }
    log_beyond_positions(defaults_of(model), rows_.width(), rows_.prompt_length(), config_);
    if (input.inputs_embeds) {
      drop_encoder_penalties(config_);
    }
    if (guided) {
      unconditional_.emplace(model, input, rows_.batch(), rows_.batch() * expand(), *config_.use_cache);
    }
    chooser_ = std::make_shared<const TokenChooser>(
        config_, rows_.prompt_length(),
        ChooserExtras{input.logits_processor, input.prefix_allowed_tokens_fn, input.stopping_criteria,
                      tokenizer_of(input), [this](const SequenceRow& row) { return unconditional_->logits(row.row); }});
    output_.prompt_length = rows_.prompt_length();
    output_.seed = *config_.seed;
  }

  GenerateOutput<M> run() {
    if (declined()) {
      return {};
    }
    decode();
    output_.past_key_values = rows_.cache();
    output_.owned_cache = rows_.take_owned_cache();
    return std::move(output_);
  }

 private:
  std::size_t num_beams() const { return static_cast<std::size_t>(*config_.num_beams); }
  std::size_t siblings() const { return static_cast<std::size_t>(*config_.num_return_sequences); }
  std::size_t expand() const { return num_beams() > 1 ? num_beams() : siblings(); }  // running rows of a prompt

  // Row `row` of those that run.
  Sequence sequence_of(std::size_t row) const {
    const std::size_t b = row / expand();
    Sequence out{
        .ids = {},
        .prompt_length = rows_.prompt_length(),
        .padding = rows_.padding(b),
        .batch_id = b,
        .row = row,
        .key = {.seed = *config_.seed,
                .sequence = input_.sequence_ids.empty() ? static_cast<std::uint32_t>(b) : input_.sequence_ids[b],
                .sibling = num_beams() > 1 ? 0u : static_cast<std::uint32_t>(row % expand()),
                .position = static_cast<std::uint32_t>(rows_.tokens(b))},
        .chooser = chooser_,
        .usage = {.prompt_tokens = rows_.tokens(b),
                  .cached_tokens = rows_.cached(),
                  .processed_tokens = rows_.tokens(b) - std::min(rows_.cached(), rows_.tokens(b))}};
    constexpr std::size_t usual = 1 << 16;
    out.ids.reserve(std::min(static_cast<std::size_t>(*config_.max_length), rows_.prompt_length() + usual));
    out.ids = rows_.prompt(b);
    return out;
  }
  const Sequence& sequence(std::size_t row) const { return batch_->sequence(handles_[row]); }
  // [rows, vocab_size], of the last forward.
  std::span<float> logits() const { return {logits_, handles_.size() * rows_.vocab_size()}; }
  std::span<float> logits(std::size_t row) const {
    return logits().subspan(row * rows_.vocab_size(), rows_.vocab_size());
  }
  Tensor<float> copy_of_logits() {
    return Tensor<float>({rows_.rows(), rows_.vocab_size()}, std::vector<float>(logits().begin(), logits().end()));
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
  void forward();
  void read_newest_tokens() {  // there are none yet where the prompt is embeddings alone
    for (std::size_t r = 0; r < handles_.size(); ++r) {
      tokens_[r] = sequence(r).ids.empty() ? 0 : sequence(r).ids.back();
    }
  }
  // Before the logits of the rows are processed.
  void run_unconditional() {
    if (unconditional_) {
      read_newest_tokens();
      unconditional_->forward(tokens_);
    }
  }
  // From the logits of the rows to their next tokens. False: all have ended.
  bool advance();
  bool advance_beams();
  void set_sequences(std::span<const Sequence> sequences, TokenId fill);
  void set_beams();

  const M& model_;
  const GenerateInput<M>& input_;
  GenerationConfig config_;
  GenerateRows<M> rows_;
  std::optional<UnconditionalRows<M>> unconditional_;
  std::shared_ptr<const TokenChooser> chooser_;
  std::optional<Batch<M>> batch_;
  std::vector<typename Batch<M>::Handle> handles_;  // of the rows
  std::vector<TokenId> tokens_;                     // of the newest step
  float* logits_ = nullptr;
  std::optional<BeamSearch> beams_;
  ChooserScratch scratch_;
  GenerateOutput<M> output_;
};

// The prompts are read as the reference's rectangle; then their rows are sequences of a batch, which go on side by
// side.
template <class M>
void GenerateRun<M>::decode() {
  rows_.prefill(expand(), static_cast<std::size_t>(*config_.max_length) - rows_.prompt_length());
  if (declined()) {
    return;
  }
  batch_.emplace(model_,
                 BatchOptions{.max_sequences = rows_.rows(), .prefill_chunk = 1, .workspace = rows_.workspace()});
  for (std::size_t r = 0; r < rows_.rows(); ++r) {
    handles_.push_back(
        batch_->add_row(sequence_of(r), rows_.row(r, config_.pad_token_id.value_or(0)), rows_.logits(r)));
  }
  tokens_.resize(handles_.size());
  logits_ = rows_.logits(0).data();
  keep();
  while (num_beams() > 1 ? advance_beams() : advance()) {
    forward();
    keep();
  }
  if (num_beams() > 1) {
    set_beams();
    return;
  }
  std::vector<Sequence> sequences;
  for (const auto handle : handles_) {
    sequences.push_back(batch_->sequence(handle));
  }
  set_sequences(sequences, config_.pad_token_id.value_or(-1));
}

template <class M>
void GenerateRun<M>::forward() {
  if (!rows_.go_on_alone()) {
    rows_.forward([&](std::size_t r) -> const std::vector<TokenId>& { return sequence(r).ids; });
    for (std::size_t r = 0; r < handles_.size(); ++r) {
      batch_->offer(handles_[r], rows_.logits(r));
    }
    logits_ = rows_.logits(0).data();
    return;
  }
  read_newest_tokens();
  rows_.begin_column();
  batch_->forward();
  rows_.end_column(tokens_);
  logits_ = batch_->logits(handles_[0]).data();
}

// A row that has ended goes on with padding until all have.
template <class M>
bool GenerateRun<M>::advance() {
  run_unconditional();
  for (std::size_t r = 0; *config_.output_scores && r < handles_.size(); ++r) {
    if (sequence(r).finished()) {
      chooser_->process(sequence(r).view(scratch_.processors), logits(r));
    }
  }
  batch_->choose();
  read_newest_tokens();
  keep_scores();
  if ((input_.streamer && !input_.streamer(tokens_)) || CallScope::cancelled()) {
    for (const auto handle : handles_) {
      batch_->cancel(handle);
    }
  }
  return batch_->running() > 0;
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
  CallScope::step("generate", beams_->ids(0).size(), static_cast<std::size_t>(*config_.max_length));
  run_unconditional();
  const LogitNormalization log_softmax;
  for (std::size_t r = 0; r < handles_.size(); ++r) {
    const SequenceRow row = sequence(r).view(scratch_.processors);
    log_softmax.process(row, logits(r));
    chooser_->process(row, logits(r));
  }
  keep_scores();
  beams_->step(
      logits(), chooser_->criteria(), [&](std::size_t r) { return sequence(r).view(scratch_.processors); },
      [&](std::size_t b) { return sequence(b * num_beams()).next_key(); });
  if (beams_->done()) {
    return false;
  }
  rows_.reorder(beams_->beam_idx());
  for (std::size_t r = 0; r < handles_.size(); ++r) {
    batch_->replace_row(handles_[r], beams_->ids(r), rows_.row_cache(r));
  }
  return true;
}

// Rows of the output, filled up to one length.
template <class M>
void GenerateRun<M>::set_sequences(std::span<const Sequence> sequences, TokenId fill) {
  std::size_t length = 0;
  for (const Sequence& sequence : sequences) {
    length = std::max(length, sequence.prompt_length + sequence.usage.completion_tokens);
  }
  output_.sequences = Tensor<TokenId>({sequences.size(), length});
  for (std::size_t r = 0; r < sequences.size(); ++r) {
    const Sequence& sequence = sequences[r];
    const auto ids = std::span(sequence.ids).first(sequence.prompt_length + sequence.usage.completion_tokens);
    const auto out = output_.sequences.row(r);
    std::fill(std::copy(ids.begin(), ids.end(), out.begin()), out.end(), fill);
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
      Sequence& row = sequences.emplace_back(sequence(b * num_beams()));
      row.ids = beam.ids;
      row.finish_reason = beam.reason;
      row.usage.completion_tokens = beam.ids.size() - row.prompt_length;
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
  // As in the reference, for which a pad id of 0 is none, and without eos ids none is.
  const TokenIds eos = config_.eos_token_id.value_or(TokenIds());
  const TokenId pad = config_.pad_token_id.value_or(0);
  set_sequences(sequences, eos.empty() ? -1 : pad == 0 ? eos[0] : pad);
}

}  // namespace detail

QWEN35_LAZY_BODY GenerateOutputs generate_steps(const DecodingModel& model, const GenerateInputs& input,
                                                const GenerationConfig& config) {
  return detail::GenerateRun<DecodingModel>(model, input, config).run();
}

#endif  // QWEN35_BODIES

template <GenerativeModel Model>
GenerateOutput<Model> generate(const Model& model, const std::type_identity_t<GenerateInput<Model>>& input,
                               const GenerationConfig& config) {
  return generate_steps(DecodingModelOf<Model>(model), input, config);
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
