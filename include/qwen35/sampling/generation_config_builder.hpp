// SPDX-License-Identifier: Apache-2.0
// A generation config whose fields are given in any order.
#pragma once

#include <qwen35/core/lifetime.hpp>
#include <qwen35/sampling/generation_config.hpp>

#include <utility>

QWEN35_BEGIN_NAMESPACE

// Becomes a GenerationConfig wherever one is expected:
//   model.generate(inputs, GenerationConfigBuilder().set_top_k(20).set_do_sample(true).set_max_new_tokens(64));
class GenerationConfigBuilder {
 public:
  GenerationConfigBuilder() = default;
  explicit GenerationConfigBuilder(GenerationConfig config) : config_(std::move(config)) {}
  operator const GenerationConfig&() const { return config_; }
  const GenerationConfig& config() const QWEN35_LIFETIMEBOUND { return config_; }

#define QWEN35_SETTER(field)                                                                           \
  GenerationConfigBuilder& set_##field(typename decltype(GenerationConfig::field)::value_type value) { \
    config_.field = std::move(value);                                                                  \
    return *this;                                                                                      \
  }
  QWEN35_SETTER(max_length)
  QWEN35_SETTER(max_new_tokens)
  QWEN35_SETTER(min_length)
  QWEN35_SETTER(min_new_tokens)
  QWEN35_SETTER(early_stopping)
  QWEN35_SETTER(max_time)
  QWEN35_SETTER(stop_strings)
  QWEN35_SETTER(stop_at_capacity)
  QWEN35_SETTER(do_sample)
  QWEN35_SETTER(num_beams)
  QWEN35_SETTER(num_return_sequences)
  QWEN35_SETTER(use_cache)
  QWEN35_SETTER(seed)
  QWEN35_SETTER(temperature)
  QWEN35_SETTER(top_k)
  QWEN35_SETTER(top_p)
  QWEN35_SETTER(min_p)
  QWEN35_SETTER(top_h)
  QWEN35_SETTER(typical_p)
  QWEN35_SETTER(epsilon_cutoff)
  QWEN35_SETTER(eta_cutoff)
  QWEN35_SETTER(repetition_penalty)
  QWEN35_SETTER(presence_penalty)
  QWEN35_SETTER(frequency_penalty)
  QWEN35_SETTER(length_penalty)
  QWEN35_SETTER(no_repeat_ngram_size)
  QWEN35_SETTER(encoder_repetition_penalty)
  QWEN35_SETTER(encoder_no_repeat_ngram_size)
  QWEN35_SETTER(bad_words_ids)
  QWEN35_SETTER(sequence_bias)
  QWEN35_SETTER(renormalize_logits)
  QWEN35_SETTER(forced_bos_token_id)
  QWEN35_SETTER(forced_eos_token_id)
  QWEN35_SETTER(remove_invalid_values)
  QWEN35_SETTER(exponential_decay_length_penalty)
  QWEN35_SETTER(suppress_tokens)
  QWEN35_SETTER(begin_suppress_tokens)
  QWEN35_SETTER(guidance_scale)
  QWEN35_SETTER(watermarking_config)
  QWEN35_SETTER(output_scores)
  QWEN35_SETTER(output_logits)
  QWEN35_SETTER(output_hidden_states)
  QWEN35_SETTER(output_attentions)
  QWEN35_SETTER(pad_token_id)
  QWEN35_SETTER(bos_token_id)
  QWEN35_SETTER(eos_token_id)
#undef QWEN35_SETTER

 private:
  GenerationConfig config_;
};

QWEN35_END_NAMESPACE
