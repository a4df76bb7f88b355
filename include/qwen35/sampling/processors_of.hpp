// SPDX-License-Identifier: Apache-2.0
// The processors that a generation config asks for, in the reference's order.
#pragma once

#include <qwen35/sampling/constraint_processors.hpp>
#include <qwen35/sampling/guidance.hpp>
#include <qwen35/sampling/warpers.hpp>
#include <qwen35/sampling/watermark.hpp>

QWEN35_BEGIN_NAMESPACE

// `config` with all defaults filled in, its max_length counted from the first column; `prompt_length` columns of
// prompt. `users` stand after the automatic processors and before those of sampling; one with the name of an automatic
// processor before it takes that one's place. `unconditional_logits` are what a guidance_scale needs. Raises InputError
// for values out of range.
QWEN35_LAZY
LogitsProcessorList processors_of(const GenerationConfig& config, std::size_t prompt_length,
                                  const LogitsProcessorList& users = {},
                                  const PrefixAllowedTokens& prefix_allowed_tokens_fn = {},
                                  const UnconditionalLogits& unconditional_logits = {});

#if QWEN35_BODIES

namespace detail {

// A template, like every large function of generate/ without parameters of its own: a file that only includes model.hpp
// does not compile its body (0.4 s together).
template <class = void>
void append_warpers(const GenerationConfig& config, LogitsProcessorList& list) {
  const auto is = [](const std::optional<double>& field, double neutral) { return field.value_or(neutral) != neutral; };
  const auto cutoff = [](const std::optional<double>& field) { return field.value_or(0.0) > 0.0 && *field < 1.0; };
  // Beams must be left with a token that is no eos.
  const TokenIds eos = config.eos_token_id.value_or(TokenIds());
  const std::size_t min_keep = config.num_beams.value_or(1) == 1 ? 1 : eos.empty() ? 2 : eos.size() + 1;
  if (is(config.temperature, 1.0)) {
    add_owned(list, std::make_unique<TemperatureLogitsWarper>(*config.temperature));
  }
  if (config.top_h) {
    add_owned(list, std::make_unique<TopHLogitsWarper>(*config.top_h));
  }
  if (config.top_k.value_or(0) != 0) {
    add_owned(list, std::make_unique<TopKLogitsWarper>(static_cast<std::size_t>(*config.top_k), min_keep));
  }
  if (config.top_p.value_or(1.0) < 1.0) {
    add_owned(list, std::make_unique<TopPLogitsWarper>(*config.top_p, min_keep));
  }
  if (config.min_p) {
    add_owned(list, std::make_unique<MinPLogitsWarper>(*config.min_p, min_keep));
  }
  if (config.typical_p.value_or(1.0) < 1.0) {
    add_owned(list, std::make_unique<TypicalLogitsWarper>(*config.typical_p, min_keep));
  }
  if (cutoff(config.epsilon_cutoff)) {
    add_owned(list, std::make_unique<EpsilonLogitsWarper>(*config.epsilon_cutoff, min_keep));
  }
  if (cutoff(config.eta_cutoff)) {
    add_owned(list, std::make_unique<EtaLogitsWarper>(*config.eta_cutoff, min_keep));
  }
}

}  // namespace detail

QWEN35_LAZY_BODY
LogitsProcessorList processors_of(const GenerationConfig& config, std::size_t prompt_length,
                                  const LogitsProcessorList& users, const PrefixAllowedTokens& prefix_allowed_tokens_fn,
                                  const UnconditionalLogits& unconditional_logits) {
  require_all(users, "logits_processor");
  config.validate();
  const TokenIds eos = config.eos_token_id.value_or(TokenIds());
  const auto is = [](const std::optional<double>& field, double neutral) { return field.value_or(neutral) != neutral; };
  LogitsProcessorList list;
  if (is(config.guidance_scale, 1.0)) {
    add_owned(list, std::make_unique<UnbatchedClassifierFreeGuidanceLogitsProcessor>(*config.guidance_scale,
                                                                                     unconditional_logits));
  }
  if (config.sequence_bias) {
    add_owned(list, std::make_unique<SequenceBiasLogitsProcessor>(*config.sequence_bias));
  }
  if (is(config.encoder_repetition_penalty, 1.0)) {
    add_owned(list, std::make_unique<EncoderRepetitionPenaltyLogitsProcessor>(*config.encoder_repetition_penalty));
  }
  if (is(config.repetition_penalty, 1.0)) {
    add_owned(list, std::make_unique<RepetitionPenaltyLogitsProcessor>(*config.repetition_penalty));
  }
  if (is(config.presence_penalty, 0.0)) {
    add_owned(list, std::make_unique<PresencePenaltyLogitsProcessor>(*config.presence_penalty));
  }
  if (is(config.frequency_penalty, 0.0)) {
    add_owned(list, std::make_unique<FrequencyPenaltyLogitsProcessor>(*config.frequency_penalty));
  }
  if (config.no_repeat_ngram_size.value_or(0) > 0) {
    add_owned(list,
              std::make_unique<NoRepeatNGramLogitsProcessor>(static_cast<std::size_t>(*config.no_repeat_ngram_size)));
  }
  if (config.encoder_no_repeat_ngram_size.value_or(0) > 0) {
    add_owned(list, std::make_unique<EncoderNoRepeatNGramLogitsProcessor>(
                        static_cast<std::size_t>(*config.encoder_no_repeat_ngram_size)));
  }
  if (config.bad_words_ids) {
    add_owned(list, std::make_unique<NoBadWordsLogitsProcessor>(*config.bad_words_ids, eos));
  }
  if (config.min_length.value_or(0) > 0 && !eos.empty()) {
    add_owned(list, std::make_unique<MinLengthLogitsProcessor>(static_cast<std::size_t>(*config.min_length), eos));
  }
  if (config.min_new_tokens.value_or(0) > 0 && !eos.empty()) {
    add_owned(list, std::make_unique<MinNewTokensLengthLogitsProcessor>(
                        static_cast<std::size_t>(*config.min_new_tokens), eos));
  }
  if (prefix_allowed_tokens_fn) {
    add_owned(list, std::make_unique<PrefixConstrainedLogitsProcessor>(prefix_allowed_tokens_fn));
  }
  if (config.forced_bos_token_id) {
    add_owned(list, std::make_unique<ForcedBOSTokenLogitsProcessor>(*config.forced_bos_token_id));
  }
  if (config.forced_eos_token_id && config.max_length) {
    add_owned(list, std::make_unique<ForcedEOSTokenLogitsProcessor>(static_cast<std::size_t>(*config.max_length),
                                                                    *config.forced_eos_token_id));
  }
  if (config.remove_invalid_values.value_or(false)) {
    add_owned(list, std::make_unique<InfNanRemoveLogitsProcessor>());
  }
  if (config.exponential_decay_length_penalty) {
    add_owned(list, std::make_unique<ExponentialDecayLengthPenalty>(*config.exponential_decay_length_penalty, eos));
  }
  if (config.suppress_tokens) {
    add_owned(list, std::make_unique<SuppressTokensLogitsProcessor>(*config.suppress_tokens));
  }
  if (config.begin_suppress_tokens) {
    const bool after_bos = prompt_length <= 1 && config.forced_bos_token_id.has_value();
    add_owned(list, std::make_unique<SuppressTokensAtBeginLogitsProcessor>(*config.begin_suppress_tokens,
                                                                           prompt_length + (after_bos ? 1 : 0)));
  }
  list = merge_with_users(std::move(list), users);
  if (config.do_sample.value_or(false)) {
    detail::append_warpers(config, list);
  }
  if (config.watermarking_config) {
    add_owned(list, std::make_unique<WatermarkLogitsProcessor>(*config.watermarking_config));
  }
  if (config.renormalize_logits.value_or(false)) {
    add_owned(list, std::make_unique<LogitNormalization>());
  }
  return list;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
