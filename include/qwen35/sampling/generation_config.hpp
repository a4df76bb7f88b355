// SPDX-License-Identifier: Apache-2.0
// How to generate: the reference's `GenerationConfig`, field by field under its names.
#pragma once

#include <qwen35/config/json_fields.hpp>
#include <qwen35/core/result.hpp>
#include <qwen35/io/model_folder.hpp>
#include <qwen35/sampling/generation_limits.hpp>
#include <qwen35/sampling/watermarking_config.hpp>

#include <cstdint>
#include <iosfwd>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

QWEN35_BEGIN_NAMESPACE

enum class EarlyStopping : std::uint8_t { no, yes, never };  // the reference's False, True and "never"

// Added to the score of the last id where the ids before it end the sequence; a single id gets it always.
struct SequenceBias {
  std::vector<TokenId> ids;
  double bias = 0.0;
  friend bool operator==(const SequenceBias&, const SequenceBias&) = default;
};

// From `start_index` generated tokens on, the eos scores grow by |score| * (decay_factor^(tokens since) - 1).
struct ExponentialDecay {
  std::int64_t start_index = 0;
  double decay_factor = 1.0;
  friend bool operator==(const ExponentialDecay&, const ExponentialDecay&) = default;
};

// An empty field is "not said": it is taken from the model's own generation config, then from the fallbacks of
// `fallbacks()`. To say "none" where the model's config says something, give the value that switches the matter off (an
// empty list of eos ids, a top_k of 0, a penalty of 1). A list that may be absent takes two pairs of braces:
// `.stop_strings = {{"\n\n"}}`.
struct GenerationConfig {
  // --- length; in tokens. max_new_tokens goes before max_length, which counts the prompt ---
  std::optional<std::int64_t> max_length{};
  std::optional<std::int64_t> max_new_tokens{};
  std::optional<std::int64_t> min_length{};
  std::optional<std::int64_t> min_new_tokens{};
  std::optional<EarlyStopping> early_stopping{};
  std::optional<double> max_time{};  // seconds
  std::optional<std::vector<std::string>> stop_strings{};
  // Where a cache of fixed capacity cannot hold the prompt and all tokens that may follow: end with
  // FinishReason::length when it is full, instead of a CacheError before the first token.
  std::optional<bool> stop_at_capacity{};

  // --- strategy ---
  std::optional<bool> do_sample{};
  std::optional<std::int64_t> num_beams{};
  std::optional<std::int64_t> num_return_sequences{};
  std::optional<bool> use_cache{};
  // Of the draws, which are the same again with the same one; see GenerateInput::sequence_ids. Where nobody says it,
  // each call draws one of the system's entropy, and tells it.
  std::optional<std::uint64_t> seed{};

  // --- scores ---
  std::optional<double> temperature{};
  std::optional<std::int64_t> top_k{};
  std::optional<double> top_p{};
  std::optional<double> min_p{};
  std::optional<double> top_h{};
  std::optional<double> typical_p{};
  std::optional<double> epsilon_cutoff{};
  std::optional<double> eta_cutoff{};
  std::optional<double> repetition_penalty{};
  std::optional<double>
      presence_penalty{};  // subtracted from every id that was generated already (the prompt does not count)
  std::optional<double> frequency_penalty{};  // the same, once for each time
  std::optional<double> length_penalty{};     // beams: score = sum of log probabilities / length^length_penalty
  std::optional<std::int64_t> no_repeat_ngram_size{};
  std::optional<double> encoder_repetition_penalty{};          // of the prompt's ids: above 1 they are favoured
  std::optional<std::int64_t> encoder_no_repeat_ngram_size{};  // of the prompt
  std::optional<std::vector<std::vector<TokenId>>> bad_words_ids{};
  std::optional<std::vector<SequenceBias>> sequence_bias{};
  std::optional<bool> renormalize_logits{};
  std::optional<TokenId> forced_bos_token_id{};
  std::optional<TokenIds> forced_eos_token_id{};
  std::optional<bool> remove_invalid_values{};
  std::optional<ExponentialDecay> exponential_decay_length_penalty{};
  std::optional<std::vector<TokenId>> suppress_tokens{};
  std::optional<std::vector<TokenId>> begin_suppress_tokens{};
  std::optional<double> guidance_scale{};  // away from the negative prompt, see GenerateInput; 1: none
  std::optional<WatermarkingConfig> watermarking_config{};

  // --- what to return beside the sequences ---
  std::optional<bool> output_scores{};
  std::optional<bool> output_logits{};
  std::optional<bool> output_hidden_states{};
  std::optional<bool> output_attentions{};

  // --- special tokens ---
  std::optional<TokenId> pad_token_id{};
  std::optional<TokenId> bos_token_id{};
  std::optional<TokenIds> eos_token_id{};

  friend bool operator==(const GenerationConfig&, const GenerationConfig&) = default;

  // f(name, pointer to member) for every field.
  template <class F>
  static constexpr void for_each_field(F&& f);

  // The fields of generation_config.json; null: none. Keys that are no field of the reference's are passed over, and
  // told in the log with the field that may be meant. Raises ConfigError for a field of the wrong kind or one that asks
  // for what is not supported, InputError where the fields contradict each other.
  QWEN35_LAZY
  static GenerationConfig from_json(const json::Value& file);
  // The same, with what it would raise as a failure.
  QWEN35_LAZY
  static Result<GenerationConfig> try_from_json(const json::Value& file);
  // Those of a generation_config.json in a folder or among files in memory; of a GGUF or packed file's,
  // model_files("model.gguf") or Checkpoint::files(). Raises ConfigError, too, where there is no such file, and
  // TextError for one that is not JSON.
  QWEN35_LAZY
  static GenerationConfig from_pretrained(const ModelFolder& files);
  // The fields that are said.
  QWEN35_LAZY
  json::Value to_json() const;
  // Writes generation_config.json into a folder, which is made. Raises ConfigError, and what validate() raises.
  QWEN35_LAZY
  void save_pretrained(const std::string& folder) const;

  // These fields, those not said taken from `other`.
  QWEN35_LAZY
  GenerationConfig or_else(const GenerationConfig& other) const;
  // Are all fields said that `other` says?
  QWEN35_LAZY
  bool says_all(const GenerationConfig& other) const;
  // The values of fields that nobody set. Without any length: 20 new tokens, which is no field.
  QWEN35_LAZY
  static GenerationConfig fallbacks();
  // Raises InputError, which names the field, for one that contradicts another or can never work. The steps of sampling
  // are looked at where do_sample is true. With `strict` also for fields that would have no effect, all in one message.
  QWEN35_LAZY
  void validate(bool strict = false) const;
  // Those, such as a temperature without do_sample, and why; "": none.
  QWEN35_LAZY
  std::string fields_without_effect() const;
};

// GenerationConfig::from_json() without a word about unknown keys: for what is read with each call.
QWEN35_LAZY
GenerationConfig read_generation_config(const json::Value& file);
// That word: one warning in the log with the keys that are no field of the reference's and not null. `once`: what was
// told so last is not told again.
void log_unknown_generation_fields(const json::Value& file, bool once = false);

// Its JSON, on one line.
QWEN35_LAZY
std::string to_string(const GenerationConfig& config);
template <class Traits>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const GenerationConfig& config) {
  return out << to_string(config);
}

template <class F>
constexpr void GenerationConfig::for_each_field(F&& f) {
  using C = GenerationConfig;
  f("max_length", &C::max_length);
  f("max_new_tokens", &C::max_new_tokens);
  f("min_length", &C::min_length);
  f("min_new_tokens", &C::min_new_tokens);
  f("early_stopping", &C::early_stopping);
  f("max_time", &C::max_time);
  f("stop_strings", &C::stop_strings);
  f("stop_at_capacity", &C::stop_at_capacity);
  f("do_sample", &C::do_sample);
  f("num_beams", &C::num_beams);
  f("num_return_sequences", &C::num_return_sequences);
  f("use_cache", &C::use_cache);
  f("seed", &C::seed);
  f("temperature", &C::temperature);
  f("top_k", &C::top_k);
  f("top_p", &C::top_p);
  f("min_p", &C::min_p);
  f("top_h", &C::top_h);
  f("typical_p", &C::typical_p);
  f("epsilon_cutoff", &C::epsilon_cutoff);
  f("eta_cutoff", &C::eta_cutoff);
  f("repetition_penalty", &C::repetition_penalty);
  f("presence_penalty", &C::presence_penalty);
  f("frequency_penalty", &C::frequency_penalty);
  f("length_penalty", &C::length_penalty);
  f("no_repeat_ngram_size", &C::no_repeat_ngram_size);
  f("encoder_repetition_penalty", &C::encoder_repetition_penalty);
  f("encoder_no_repeat_ngram_size", &C::encoder_no_repeat_ngram_size);
  f("bad_words_ids", &C::bad_words_ids);
  f("sequence_bias", &C::sequence_bias);
  f("renormalize_logits", &C::renormalize_logits);
  f("forced_bos_token_id", &C::forced_bos_token_id);
  f("forced_eos_token_id", &C::forced_eos_token_id);
  f("remove_invalid_values", &C::remove_invalid_values);
  f("exponential_decay_length_penalty", &C::exponential_decay_length_penalty);
  f("suppress_tokens", &C::suppress_tokens);
  f("begin_suppress_tokens", &C::begin_suppress_tokens);
  f("guidance_scale", &C::guidance_scale);
  f("watermarking_config", &C::watermarking_config);
  f("output_scores", &C::output_scores);
  f("output_logits", &C::output_logits);
  f("output_hidden_states", &C::output_hidden_states);
  f("output_attentions", &C::output_attentions);
  f("pad_token_id", &C::pad_token_id);
  f("bos_token_id", &C::bos_token_id);
  f("eos_token_id", &C::eos_token_id);
}

#if QWEN35_BODIES

QWEN35_LAZY_BODY
GenerationConfig GenerationConfig::or_else(const GenerationConfig& other) const {
  GenerationConfig out = *this;
  for_each_field([&](const char*, auto field) {
    if (!(out.*field)) {
      out.*field = other.*field;
    }
  });
  return out;
}

QWEN35_LAZY_BODY
bool GenerationConfig::says_all(const GenerationConfig& other) const {
  bool all = true;
  for_each_field([&](const char*, auto field) { all = all && (this->*field || !(other.*field)); });
  return all;
}

QWEN35_LAZY_BODY
GenerationConfig GenerationConfig::fallbacks() {
  return {.min_length = 0,
          .early_stopping = EarlyStopping::no,
          .stop_at_capacity = false,
          .do_sample = false,
          .num_beams = 1,
          .num_return_sequences = 1,
          .use_cache = true,
          .temperature = 1.0,
          .top_k = 50,
          .top_p = 1.0,
          .typical_p = 1.0,
          .epsilon_cutoff = 0.0,
          .eta_cutoff = 0.0,
          .repetition_penalty = 1.0,
          .presence_penalty = 0.0,
          .frequency_penalty = 0.0,
          .length_penalty = 1.0,
          .no_repeat_ngram_size = 0,
          .encoder_repetition_penalty = 1.0,
          .encoder_no_repeat_ngram_size = 0,
          .renormalize_logits = false,
          .remove_invalid_values = false,
          .guidance_scale = 1.0,
          .output_scores = false,
          .output_logits = false,
          .output_hidden_states = false,
          .output_attentions = false};
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE

#if QWEN35_BODIES
#include <qwen35/sampling/generation_config_json.hpp>
#include <qwen35/sampling/generation_config_validation.hpp>
#include <qwen35/sampling/generation_config_writer.hpp>
#endif
