// SPDX-License-Identifier: Apache-2.0
#include <qwen35/sampling/generation_config_builder.hpp>

#include <doctest/doctest.h>

using namespace qwen35;

namespace {

std::int64_t most_new_tokens(const GenerationConfig& config) {
  return config.max_new_tokens.value_or(20);
}

}  // namespace

TEST_CASE("fields in the order in which people write them") {
  const GenerationConfig config = GenerationConfigBuilder()
                                      .set_temperature(0.6)
                                      .set_top_p(0.95)
                                      .set_do_sample(true)
                                      .set_max_new_tokens(64)
                                      .set_eos_token_id({248046, 248044})
                                      .set_stop_strings({"\n\n"})
                                      .set_watermarking_config({.bias = 2.5});
  const GenerationConfig expected{.max_new_tokens = 64,
                                  .stop_strings = std::vector<std::string>{"\n\n"},
                                  .do_sample = true,
                                  .temperature = 0.6,
                                  .top_p = 0.95,
                                  .watermarking_config = WatermarkingConfig{.bias = 2.5},
                                  .eos_token_id = TokenIds{248046, 248044}};
  CHECK(config == expected);
  CHECK(most_new_tokens(GenerationConfigBuilder().set_top_k(20).set_max_new_tokens(5)) == 5);
  const GenerationConfigBuilder changed = GenerationConfigBuilder(expected).set_temperature(1.0);
  CHECK(changed.config().top_p == 0.95);
  CHECK(changed.config().temperature == 1.0);
}

TEST_CASE("every field has its setter") {
  GenerationConfigBuilder builder;
  builder.set_max_length(1)
      .set_min_length(1)
      .set_min_new_tokens(1)
      .set_early_stopping(EarlyStopping::yes)
      .set_max_time(1);
  builder.set_num_beams(1).set_num_return_sequences(1).set_use_cache(true).set_seed(1).set_min_p(0).set_top_h(1);
  builder.set_typical_p(1).set_epsilon_cutoff(0).set_eta_cutoff(0).set_repetition_penalty(1).set_presence_penalty(0);
  builder.set_frequency_penalty(0).set_length_penalty(1).set_no_repeat_ngram_size(0).set_encoder_repetition_penalty(1);
  builder.set_encoder_no_repeat_ngram_size(0).set_bad_words_ids({{1}}).set_sequence_bias({{{1}, 1.0}});
  builder.set_renormalize_logits(false).set_forced_bos_token_id(1).set_forced_eos_token_id(1);
  builder.set_remove_invalid_values(false).set_exponential_decay_length_penalty({1, 1.5}).set_suppress_tokens({1});
  builder.set_begin_suppress_tokens({1}).set_output_scores(false).set_output_logits(false);
  builder.set_output_hidden_states(false).set_output_attentions(false).set_pad_token_id(1).set_bos_token_id(1);
  builder.set_max_new_tokens(1).set_stop_strings({"x"}).set_do_sample(true).set_temperature(1).set_top_k(1).set_top_p(
      1);
  builder.set_watermarking_config({}).set_eos_token_id(1).set_guidance_scale(1).set_stop_at_capacity(false);
  GenerationConfig::for_each_field([&](const char* name, auto field) {
    CAPTURE(name);
    CHECK((builder.config().*field).has_value());
  });
}
