// SPDX-License-Identifier: Apache-2.0
// What a generation config leaves open, filled in from the model and the prompt.
#pragma once

#include <qwen35/core/log.hpp>
#include <qwen35/sampling/generation_config.hpp>
#include <qwen35/sampling/seed.hpp>

#include <algorithm>
#include <optional>
#include <type_traits>

#if QWEN35_BODIES
#include <qwen35/json/number.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

// What a model says of its own.
struct ModelDefaults {
  const json::Value* generation_config = nullptr;
  std::optional<TokenIds> eos_token_id;
  TokenIds pad_token_id;
  std::optional<std::int64_t> max_position_embeddings;
};

namespace detail {

void merge_config(const ModelDefaults& model, GenerationConfig& config);
void choose_seed(GenerationConfig& config);
// Log a warning for each field of `said` that `config`, completed from it, does not heed, and where the least length is
// more than the most.
void log_unheeded(const GenerationConfig& said, const GenerationConfig& config);
void log_lengths(const GenerationConfig& config, std::int64_t prompt);

}  // namespace detail

template <class M>
ModelDefaults defaults_of(const M& model) {
  ModelDefaults out;
  if constexpr (requires { TokenIds(model.config().get_text_config().eos_token_id); }) {
    out.eos_token_id = TokenIds(model.config().get_text_config().eos_token_id);
  }
  if constexpr (requires { TokenIds(model.config().get_text_config().pad_token_id); }) {
    out.pad_token_id = TokenIds(model.config().get_text_config().pad_token_id);
  }
  if constexpr (requires { model.config().get_text_config().max_position_embeddings; }) {
    out.max_position_embeddings = static_cast<std::int64_t>(model.config().get_text_config().max_position_embeddings);
  }
  if constexpr (requires { GenerationConfig::from_json(model.generation_config()); }) {
    static_assert(std::is_lvalue_reference_v<decltype(model.generation_config())>, "it is read after this call");
    out.generation_config = &model.generation_config();
  }
  return out;
}

// The fields that nobody set, but for the seed: from the model's own generation config, then from
// `GenerationConfig::fallbacks()`; special tokens also from the model's config. Logs a warning for what the caller said
// and is not heeded: a length that is overruled by another one, which may be the model's, and fields without effect;
// nothing for a config that was completed before. Raises InputError for a config that contradicts itself.
template <class M>
GenerationConfig merge_config(const M& model, GenerationConfig config) {
  detail::merge_config(defaults_of(model), config);
  return config;
}

// The same with a seed: one of the system's entropy where draws are made and nobody gave one.
template <class M>
GenerationConfig complete_config(const M& model, const GenerationConfig& config) {
  GenerationConfig out = merge_config(model, config);
  detail::choose_seed(out);
  return out;
}

// max_length and min_length of a complete config, counted in columns of ids of which the prompt has `prompt`; it takes
// `columns` of the model, which are more where embeddings were given without ids. Logs a warning where the least is
// more than the most. Raises InputError when nothing can be generated. Source: the reference's
// `_prepare_generated_length`, `_validate_generated_length`.
void set_lengths(const ModelDefaults& model, std::size_t prompt, std::size_t columns, GenerationConfig& config);

// Logs a warning for a pad id that begins a prompt without a mask and cannot be told from an eos id.
void log_unknown_padding(TokenId pad_token_id);

// Holds the ids of a complete config against the vocabulary; vocab_size 0: it is not known. `rows` are generated side
// by side, which go on with pad_token_id until the last one ends. Logs a warning for ids outside that do nothing,
// raises InputError for the others.
void check_token_ids(const GenerationConfig& config, std::size_t vocab_size, std::size_t rows);

// Holds the max_length of a config whose lengths are set against a cache of `capacity` slots, which `setting` says; 0:
// it grows. The prompt takes `slots` of them, and `prompt` columns of ids; the last token is never run, and takes none.
// Raises CacheError where they do not suffice, or with stop_at_capacity shortens max_length to what they take.
void hold_to_capacity(std::size_t slots, std::size_t capacity, const char* setting, std::size_t prompt,
                      GenerationConfig& config);

// Logs a warning where the tokens that may be run, up to the max_length of a config whose lengths are set, are more
// than the model has positions; the prompt takes `slots` of them, and `prompt` columns of ids. Source: the reference's
// `MaxLengthCriteria`, which tells it when the sequence has become that long. Here it is told before anything is run,
// so that a callback that throws loses no tokens.
void log_beyond_positions(const ModelDefaults& model, std::size_t slots, std::size_t prompt,
                          const GenerationConfig& config);

// Raises InputError for what the caller of `who`, which gives tokens alone, asks for beside them.
void refuse_step_outputs(const GenerationConfig& said, const char* who);

// The penalties of an encoder's ids, which a prompt of embeddings does not have. Source: the reference's
// `_get_logits_processor`.
void drop_encoder_penalties(GenerationConfig& config);

#if QWEN35_BODIES

QWEN35_BODY void detail::merge_config(const ModelDefaults& model, GenerationConfig& config) {
  const GenerationConfig said = config;
  if (model.generation_config != nullptr) {
    config = config.or_else(read_generation_config(*model.generation_config));
  }
  const GenerationConfig fallbacks = GenerationConfig::fallbacks();
  config = config.or_else(fallbacks);
  if (!config.eos_token_id) {
    config.eos_token_id = model.eos_token_id;
  }
  if (!config.pad_token_id && !model.pad_token_id.empty()) {
    config.pad_token_id = model.pad_token_id[0];
  }
  if (!config.pad_token_id && config.eos_token_id && !config.eos_token_id->empty()) {
    config.pad_token_id = (*config.eos_token_id)[0];
  }
  config.validate();
  // (A config that leaves nothing to the fallbacks was completed here before, and told then.)
  if (has_log_callback() && !said.says_all(fallbacks)) {
    if (model.generation_config != nullptr) {
      log_unknown_generation_fields(*model.generation_config, true);
    }
    log_unheeded(said, config);
  }
}

QWEN35_BODY void detail::choose_seed(GenerationConfig& config) {
  if (!config.seed) {
    config.seed = config.do_sample.value_or(false) ? random_seed() : 0;
  }
}

QWEN35_BODY void detail::log_unheeded(const GenerationConfig& said, const GenerationConfig& config) {
  const auto overruled = [](const auto& loser, const char* name, const auto& winner, const char* by, bool from_file) {
    if (loser && winner) {
      log_warning("generate: ", name, " ", *loser, " is overruled by ", by, " ", *winner,
                  from_file ? " of the model's generation config" : "");
    }
  };
  overruled(said.max_length, "max_length", config.max_new_tokens, "max_new_tokens", !said.max_new_tokens);
  overruled(said.min_length, "min_length", config.min_new_tokens, "min_new_tokens", !said.min_new_tokens);
  GenerationConfig heeded = said;
  heeded.do_sample = config.do_sample;
  heeded.num_beams = config.num_beams;
  if (const std::string idle = heeded.fields_without_effect(); !idle.empty()) {
    log_warning("generate: fields without effect: ", idle);
  }
  if (said.max_time.value_or(1.0) <= 0.0) {
    log_warning("generate: max_time is ", json::python_repr_number(*said.max_time),
                " seconds: each sequence ends after one token");
  }
}

QWEN35_BODY void detail::log_lengths(const GenerationConfig& config, std::int64_t prompt) {
  if (*config.min_length > *config.max_length) {
    log_warning("generate: min_new_tokens or min_length ask for ", *config.min_length - prompt,
                " new tokens or more, and ", *config.max_length - prompt, " are the most: each sequence has as many");
  }
}

QWEN35_BODY void set_lengths(const ModelDefaults& model, std::size_t prompt, std::size_t columns,
                             GenerationConfig& config) {
  const auto ids = static_cast<std::int64_t>(prompt);
  const auto all = static_cast<std::int64_t>(columns);
  if (config.max_new_tokens) {
    config.max_length = std::min<std::int64_t>(*config.max_new_tokens + ids, GenerationLimits::tokens);
  } else if (config.max_length) {
    *config.max_length -= ids != all ? all : 0;
  } else {
    config.max_length = std::min(20 + ids, model.max_position_embeddings.value_or(20 + ids));
  }
  if (config.min_new_tokens) {
    config.min_length = std::min<std::int64_t>(*config.min_new_tokens + ids, GenerationLimits::tokens);
  } else if (ids != all) {
    config.min_length = std::max<std::int64_t>(*config.min_length - all, 0);
  }
  if (!holds<InputError>(ids < *config.max_length, "generate: the input has ", ids, " tokens and max_length is ",
                         *config.max_length, ": nothing can be generated")) {
    return;
  }
  detail::log_lengths(config, ids);
}

QWEN35_BODY void log_unknown_padding(TokenId pad_token_id) {
  log_warning("generate: a prompt begins with pad_token_id ", pad_token_id,
              ", which is an eos id too, and is read as a token: give the attention_mask that tells padding");
}

QWEN35_BODY void hold_to_capacity(std::size_t slots, std::size_t capacity, const char* setting, std::size_t prompt,
                                  GenerationConfig& config) {
  const auto wanted = static_cast<std::size_t>(*config.max_length) - prompt;
  if (capacity == 0 || slots + wanted - 1 <= capacity) {
    return;
  }
  if (!holds<CacheError>(config.stop_at_capacity.value_or(false) && slots <= capacity, "the cache holds ", capacity,
                         " tokens (", setting, "), not the prompt's ", slots, " and ", wanted,
                         " new ones (max_new_tokens or max_length): make it larger, ask for fewer tokens, or set "
                         "stop_at_capacity to end where it is full")) {
    return;
  }
  config.max_length = static_cast<std::int64_t>(prompt + capacity - slots + 1);
}

QWEN35_BODY void log_beyond_positions(const ModelDefaults& model, std::size_t slots, std::size_t prompt,
                                      const GenerationConfig& config) {
  const std::int64_t length = static_cast<std::int64_t>(slots) + *config.max_length - static_cast<std::int64_t>(prompt);
  if (model.max_position_embeddings && length - 1 > *model.max_position_embeddings) {  // the last token is never run
    log_warning("generate: a sequence may come to ", length, " tokens, the model's max_position_embeddings are ",
                *model.max_position_embeddings, ": what it writes beyond them may make no sense");
  }
}

QWEN35_BODY void check_token_ids(const GenerationConfig& config, std::size_t vocab_size, std::size_t rows) {
  const auto problem = [&](const char* name, TokenId id) {
    return concat("generation config: ", name, " has the token id ", id, ", ", expected_token_ids(vocab_size));
  };
  const auto refuse = [&](const char* name, const auto& ids) {
    for (const TokenId id : ids) {
      if (!is_token_id(id, vocab_size)) {
        decline<InputError>(problem(name, id));
      }
    }
  };
  const auto warn = [&](const char* name, const auto& ids) {
    for (const TokenId id : ids) {
      if (!is_token_id(id, vocab_size)) {
        log_warning(problem(name, id), ": it does nothing");
        return;
      }
    }
  };
  for (std::size_t i = 0; config.bad_words_ids && i < config.bad_words_ids->size(); ++i) {
    refuse("bad_words_ids", (*config.bad_words_ids)[i]);
  }
  for (std::size_t i = 0; config.sequence_bias && i < config.sequence_bias->size(); ++i) {
    refuse("sequence_bias", (*config.sequence_bias)[i].ids);
  }
  if (config.forced_bos_token_id) {
    refuse("forced_bos_token_id", TokenIds(*config.forced_bos_token_id));
  }
  refuse("forced_eos_token_id", config.forced_eos_token_id.value_or(TokenIds()));
  if (config.exponential_decay_length_penalty) {
    refuse("eos_token_id, of which exponential_decay_length_penalty changes the scores,",
           config.eos_token_id.value_or(TokenIds()));
  }
  if (config.pad_token_id && rows > 1) {
    refuse("pad_token_id, which sequences go on with that end before others,", TokenIds(*config.pad_token_id));
  }
  warn("eos_token_id", config.eos_token_id.value_or(TokenIds()));
  warn("suppress_tokens", config.suppress_tokens.value_or(std::vector<TokenId>()));
  warn("begin_suppress_tokens", config.begin_suppress_tokens.value_or(std::vector<TokenId>()));
}

QWEN35_BODY void refuse_step_outputs(const GenerationConfig& said, const char* who) {
  const auto refuse = [&](bool asked, const char* name) {
    require<InputError>(!asked, who, ": ", name, " would not be heeded; generate() does");
  };
  refuse(said.output_scores.value_or(false), "output_scores");
  refuse(said.output_logits.value_or(false), "output_logits");
  refuse(said.output_hidden_states.value_or(false), "output_hidden_states");
  refuse(said.output_attentions.value_or(false), "output_attentions");
  refuse(!said.use_cache.value_or(true), "use_cache = false");
}

QWEN35_BODY void drop_encoder_penalties(GenerationConfig& config) {
  if (config.encoder_repetition_penalty.value_or(1.0) != 1.0) {
    log_warning("generate: encoder_repetition_penalty is ignored: the prompt is given as inputs_embeds");
    config.encoder_repetition_penalty.reset();
  }
  if (config.encoder_no_repeat_ngram_size.value_or(0) != 0) {
    log_warning("generate: encoder_no_repeat_ngram_size is ignored: the prompt is given as inputs_embeds");
    config.encoder_no_repeat_ngram_size.reset();
  }
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
