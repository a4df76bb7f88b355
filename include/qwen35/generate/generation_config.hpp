// SPDX-License-Identifier: Apache-2.0
// How to generate: the fields of generation_config.json, with the reference's names and defaults.
#pragma once

#include <qwen35/config/config_file.hpp>

#include <optional>
#include <string>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// `early_stopping` of beam search.
enum class EarlyStopping : std::uint8_t { no, yes, never };

struct SequenceBias {
  std::vector<TokenId> sequence;
  float bias = 0.0f;
};

struct GenerationConfig {
  // length
  std::optional<std::size_t> max_length{};      // prompt included
  std::optional<std::size_t> max_new_tokens{};  // wins over max_length; with neither, 20
  std::size_t min_length = 0;
  std::optional<std::size_t> min_new_tokens{};
  std::optional<double> max_time{};  // seconds
  std::vector<std::string> stop_strings{};
  EarlyStopping early_stopping = EarlyStopping::no;
  // strategy
  bool do_sample = false;
  std::size_t num_beams = 1;
  std::size_t num_return_sequences = 1;
  double length_penalty = 1.0;
  std::uint64_t seed = 0;  // a draw depends only on (seed, sequence, position)
  // sampling
  double temperature = 1.0;
  std::size_t top_k = 50;
  double top_p = 1.0;
  std::optional<double> min_p{};
  std::optional<double> top_h{};
  double typical_p = 1.0;
  double epsilon_cutoff = 0.0;
  double eta_cutoff = 0.0;
  // scores
  double repetition_penalty = 1.0;
  double presence_penalty = 0.0;   // subtracted once from each token already generated
  double frequency_penalty = 0.0;  // subtracted for each time it was generated
  std::size_t no_repeat_ngram_size = 0;
  std::vector<std::vector<TokenId>> bad_words_ids{};
  std::vector<SequenceBias> sequence_bias{};
  std::optional<TokenId> forced_bos_token_id{};
  TokenIds forced_eos_token_id{};
  bool remove_invalid_values = false;
  std::optional<std::pair<std::size_t, double>> exponential_decay_length_penalty{};  // (start, factor)
  std::vector<TokenId> suppress_tokens{};
  std::vector<TokenId> begin_suppress_tokens{};
  bool renormalize_logits = false;
  // special tokens
  TokenIds pad_token_id{};
  TokenIds bos_token_id{};
  TokenIds eos_token_id{};
  // outputs
  bool use_cache = true;
  bool output_scores = false;
  bool output_logits = false;
  bool output_hidden_states = false;
  bool output_attentions = false;

  // The fields of generation_config.json; absent ones keep their defaults, unknown ones are ignored. Raises ConfigError for a field of the wrong kind.
  static GenerationConfig from_json(const json::Value& file);
  // Raises InputError for values out of range, with the reference's rules.
  void validate() const;
};

inline GenerationConfig GenerationConfig::from_json(const json::Value& file) {
  const JsonFields fields(&file, "generation_config");
  GenerationConfig out;
  const auto optional_size = [&](std::string_view key) {
    return fields.find(key) == nullptr ? std::nullopt : std::optional<std::size_t>(fields.size(key, 0));
  };
  const auto ids_of = [](const json::Value* value, std::string_view key) {
    std::vector<TokenId> ids;
    if (value != nullptr) {
      require<ConfigError>(value->is_array(), "generation_config.", key, ": expected a list of token ids");
      for (const json::Value& item : value->items()) {
        require<ConfigError>(item.is_integer() && item.as_integer() >= 0 && item.as_integer() <= std::numeric_limits<TokenId>::max(),
                             "generation_config.", key, ": expected a list of token ids");
        ids.push_back(static_cast<TokenId>(item.as_integer()));
      }
    }
    return ids;
  };
  out.max_length = optional_size("max_length");
  out.max_new_tokens = optional_size("max_new_tokens");
  out.min_length = fields.size("min_length", 0);
  out.min_new_tokens = optional_size("min_new_tokens");
  out.max_time = fields.optional_number("max_time");
  if (const json::Value* const stop = fields.find("stop_strings")) {
    if (stop->is_string()) {
      out.stop_strings.push_back(stop->as_string());
    } else {
      require<ConfigError>(stop->is_array(), "generation_config.stop_strings: expected a string or a list of strings");
      for (const json::Value& text : stop->items()) {
        require<ConfigError>(text.is_string(), "generation_config.stop_strings: expected strings");
        out.stop_strings.push_back(text.as_string());
      }
    }
  }
  if (const json::Value* const early = fields.find("early_stopping")) {
    require<ConfigError>(early->is_bool() || (early->is_string() && early->as_string() == "never"),
                         "generation_config.early_stopping: expected true, false or \"never\"");
    out.early_stopping = early->is_string() ? EarlyStopping::never : early->as_bool() ? EarlyStopping::yes : EarlyStopping::no;
  }
  out.do_sample = fields.boolean("do_sample", false);
  out.num_beams = fields.size("num_beams", 1);
  out.num_return_sequences = fields.size("num_return_sequences", 1);
  out.length_penalty = fields.number("length_penalty", 1.0);
  out.temperature = fields.number("temperature", 1.0);
  out.top_k = fields.size("top_k", 50);
  out.top_p = fields.number("top_p", 1.0);
  out.min_p = fields.optional_number("min_p");
  out.top_h = fields.optional_number("top_h");
  out.typical_p = fields.number("typical_p", 1.0);
  out.epsilon_cutoff = fields.number("epsilon_cutoff", 0.0);
  out.eta_cutoff = fields.number("eta_cutoff", 0.0);
  out.repetition_penalty = fields.number("repetition_penalty", 1.0);
  out.presence_penalty = fields.number("presence_penalty", 0.0);
  out.frequency_penalty = fields.number("frequency_penalty", 0.0);
  out.no_repeat_ngram_size = fields.size("no_repeat_ngram_size", 0);
  if (const json::Value* const words = fields.find("bad_words_ids")) {
    require<ConfigError>(words->is_array(), "generation_config.bad_words_ids: expected lists of token ids");
    for (const json::Value& word : words->items()) {
      out.bad_words_ids.push_back(ids_of(&word, "bad_words_ids"));
    }
  }
  if (const TokenIds bos = fields.token_ids("forced_bos_token_id"); !bos.empty()) {
    out.forced_bos_token_id = bos[0];
  }
  out.forced_eos_token_id = fields.token_ids("forced_eos_token_id");
  out.remove_invalid_values = fields.boolean("remove_invalid_values", false);
  if (const json::Value* const decay = fields.find("exponential_decay_length_penalty")) {
    require<ConfigError>(decay->is_array() && decay->size() == 2 && decay->items()[0].is_integer() && decay->items()[0].as_integer() >= 0 &&
                             decay->items()[1].is_number(),
                         "generation_config.exponential_decay_length_penalty: expected [start, factor]");
    out.exponential_decay_length_penalty = {static_cast<std::size_t>(decay->items()[0].as_integer()), decay->items()[1].as_number()};
  }
  out.suppress_tokens = ids_of(fields.find("suppress_tokens"), "suppress_tokens");
  out.begin_suppress_tokens = ids_of(fields.find("begin_suppress_tokens"), "begin_suppress_tokens");
  out.renormalize_logits = fields.boolean("renormalize_logits", false);
  out.pad_token_id = fields.token_ids("pad_token_id");
  out.bos_token_id = fields.token_ids("bos_token_id");
  out.eos_token_id = fields.token_ids("eos_token_id");
  out.use_cache = fields.boolean("use_cache", true);
  return out;
}

inline void GenerationConfig::validate() const {
  require<InputError>(!do_sample || temperature > 0.0, "temperature is ", temperature, ", expected a number above 0");
  require<InputError>(top_p >= 0.0 && top_p <= 1.0, "top_p is ", top_p, ", expected 0 to 1");
  require<InputError>(!min_p || (*min_p >= 0.0 && *min_p <= 1.0), "min_p is ", min_p.value_or(0.0), ", expected 0 to 1");
  require<InputError>(!top_h || (*top_h > 0.0 && *top_h <= 1.0), "top_h is ", top_h.value_or(0.0), ", expected above 0 to 1");
  require<InputError>(typical_p > 0.0 && typical_p <= 1.0, "typical_p is ", typical_p, ", expected above 0 to 1");
  require<InputError>(epsilon_cutoff >= 0.0 && epsilon_cutoff < 1.0, "epsilon_cutoff is ", epsilon_cutoff, ", expected 0 to below 1");
  require<InputError>(eta_cutoff >= 0.0 && eta_cutoff < 1.0, "eta_cutoff is ", eta_cutoff, ", expected 0 to below 1");
  require<InputError>(repetition_penalty > 0.0, "repetition_penalty is ", repetition_penalty, ", expected a number above 0");
  require<InputError>(num_beams >= 1 && num_return_sequences >= 1, "num_beams and num_return_sequences must be 1 or more");
  require<InputError>(num_beams == 1 || num_return_sequences <= num_beams, "num_return_sequences is ", num_return_sequences, ", more than num_beams ",
                      num_beams);
  require<InputError>(num_beams > 1 || num_return_sequences == 1 || do_sample,
                      "greedy search has one answer: num_return_sequences above 1 needs do_sample or num_beams");
  require<InputError>(!max_new_tokens || *max_new_tokens >= 1, "max_new_tokens is 0, expected 1 or more");
  for (const std::string& text : stop_strings) {
    require<InputError>(!text.empty(), "stop_strings: an empty string");
  }
}

QWEN35_END_NAMESPACE
