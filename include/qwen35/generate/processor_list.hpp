// SPDX-License-Identifier: Apache-2.0
// All processors that a generation config asks for, in the reference's order.
#pragma once

#include <qwen35/generate/generation_config.hpp>
#include <qwen35/generate/sampling_processors.hpp>
#include <qwen35/generate/score_processors.hpp>

QWEN35_BEGIN_NAMESPACE

// Order: sequence bias, repetition, presence and frequency, n-grams, bad words, minimum lengths, allowed prefixes, forced tokens, invalid values, length
// decay, suppressed tokens, the user's own, then with do_sample temperature, top_h, top_k, top_p, min_p, typical, epsilon, eta, and last the
// normalisation. `max_length`: of the whole row.
inline LogitsProcessorList make_processors(const GenerationConfig& config, std::size_t prompt_length, std::size_t max_length,
                                           const LogitsProcessorList& own, const PrefixConstrained::Function& prefix_allowed_tokens_fn) {
  LogitsProcessorList list;
  std::vector<bool> used(own.size(), false);
  const auto add = [&](std::shared_ptr<const LogitsProcessor> processor) {
    for (std::size_t i = 0; i < own.size(); ++i) {
      if (own[i]->name() == processor->name()) {
        used[i] = true;
        processor = own[i];
      }
    }
    list.push_back(std::move(processor));
  };
  if (!config.sequence_bias.empty()) {
    std::vector<SequenceBiasProcessor::Entry> entries;
    for (const SequenceBias& bias : config.sequence_bias) {
      entries.emplace_back(bias.sequence, bias.bias);
    }
    add(std::make_shared<SequenceBiasProcessor>(std::move(entries)));
  }
  if (config.repetition_penalty != 1.0) {
    add(std::make_shared<RepetitionPenalty>(config.repetition_penalty));
  }
  if (config.presence_penalty != 0.0 || config.frequency_penalty != 0.0) {
    add(std::make_shared<PresenceFrequencyPenalty>(config.presence_penalty, config.frequency_penalty));
  }
  if (config.no_repeat_ngram_size > 0) {
    add(std::make_shared<NoRepeatNGram>(config.no_repeat_ngram_size));
  }
  if (!config.bad_words_ids.empty()) {
    std::vector<SequenceBiasProcessor::Entry> entries;
    for (const std::vector<TokenId>& word : config.bad_words_ids) {
      if (word.size() != 1 || !config.eos_token_id.contains(word[0])) {
        entries.emplace_back(word, masked_score);
      }
    }
    add(std::make_shared<SequenceBiasProcessor>(std::move(entries), "NoBadWords"));
  }
  if (config.min_length > 0 && !config.eos_token_id.empty()) {
    add(std::make_shared<MinLength>(config.min_length, false, config.eos_token_id));
  }
  if (config.min_new_tokens.value_or(0) > 0 && !config.eos_token_id.empty()) {
    add(std::make_shared<MinLength>(*config.min_new_tokens, true, config.eos_token_id));
  }
  if (prefix_allowed_tokens_fn) {
    add(std::make_shared<PrefixConstrained>(prefix_allowed_tokens_fn));
  }
  if (config.forced_bos_token_id) {
    add(std::make_shared<ForcedTokens>("ForcedBOSToken", 1, TokenIds(*config.forced_bos_token_id)));
  }
  if (!config.forced_eos_token_id.empty()) {
    add(std::make_shared<ForcedTokens>("ForcedEOSToken", max_length - 1, config.forced_eos_token_id));
  }
  if (config.remove_invalid_values) {
    add(std::make_shared<InfNanRemove>());
  }
  if (config.exponential_decay_length_penalty) {
    add(std::make_shared<ExponentialDecayLength>(config.exponential_decay_length_penalty->first, config.exponential_decay_length_penalty->second,
                                                 config.eos_token_id));
  }
  if (!config.suppress_tokens.empty()) {
    add(std::make_shared<SuppressTokens>(config.suppress_tokens, std::nullopt));
  }
  if (!config.begin_suppress_tokens.empty()) {
    const std::size_t begin = prompt_length > 1 || !config.forced_bos_token_id ? prompt_length : prompt_length + 1;
    add(std::make_shared<SuppressTokens>(config.begin_suppress_tokens, begin));
  }
  const std::size_t place = list.size();  // of the user's own
  if (config.do_sample) {
    const std::size_t keep = config.num_beams == 1 ? 1 : std::max<std::size_t>(2, config.eos_token_id.size() + 1);
    if (config.temperature != 1.0) {
      add(std::make_shared<Temperature>(config.temperature));
    }
    if (config.top_h) {
      add(std::make_shared<TopH>(*config.top_h));
    }
    if (config.top_k != 0) {
      add(std::make_shared<TopK>(config.top_k, keep));
    }
    if (config.top_p < 1.0) {
      add(std::make_shared<TopP>(config.top_p, keep));
    }
    if (config.min_p) {
      add(std::make_shared<MinP>(*config.min_p, keep));
    }
    if (config.typical_p < 1.0) {
      add(std::make_shared<Typical>(config.typical_p, keep));
    }
    if (config.epsilon_cutoff > 0.0) {
      add(std::make_shared<ProbabilityCutoff>(config.epsilon_cutoff, false, keep));
    }
    if (config.eta_cutoff > 0.0) {
      add(std::make_shared<ProbabilityCutoff>(config.eta_cutoff, true, keep));
    }
  }
  if (config.renormalize_logits) {
    add(std::make_shared<LogitNormalization>());
  }
  std::size_t at = place;
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (!used[i]) {
      list.insert(list.begin() + static_cast<std::ptrdiff_t>(at++), own[i]);
    }
  }
  return list;
}

QWEN35_END_NAMESPACE
