// SPDX-License-Identifier: Apache-2.0
// What a generation config leaves open, filled in from the model and the prompt.
#pragma once

#include <qwen35/core/log.hpp>
#include <qwen35/sampling/generation_config.hpp>
#include <qwen35/sampling/seed.hpp>

#include <algorithm>
#include <optional>

QWEN35_BEGIN_NAMESPACE

namespace detail {

// What a model says of its own.
struct ModelDefaults {
  const json::Value* generation_config = nullptr;
  std::optional<TokenIds> eos_token_id;
  TokenIds pad_token_id;
};

void merge_config(const ModelDefaults& model, GenerationConfig& config);
void choose_seed(GenerationConfig& config);

}  // namespace detail

// The fields that nobody set, but for the seed: from the model's own generation config, then from
// `GenerationConfig::fallbacks()`; special tokens also from the model's config. Logs a warning where a max_length that
// the caller gave is overruled by a max_new_tokens, which may be the model's. Raises InputError for a config that
// contradicts itself.
template <class M>
GenerationConfig merge_config(const M& model, GenerationConfig config) {
  detail::ModelDefaults defaults;
  if constexpr (requires { TokenIds(model.config().get_text_config().eos_token_id); }) {
    defaults.eos_token_id = TokenIds(model.config().get_text_config().eos_token_id);
  }
  if constexpr (requires { TokenIds(model.config().get_text_config().pad_token_id); }) {
    defaults.pad_token_id = TokenIds(model.config().get_text_config().pad_token_id);
  }
  if constexpr (requires { GenerationConfig::from_json(model.generation_config()); }) {
    const json::Value& own = model.generation_config();
    defaults.generation_config = &own;
    detail::merge_config(defaults, config);
  } else {
    detail::merge_config(defaults, config);
  }
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
// `columns` of the model, which are more where embeddings were given without ids. Raises InputError when nothing can be
// generated. Source: the reference's `_prepare_generated_length`, `_validate_generated_length`.
template <class M>
void set_lengths(const M& model, std::size_t prompt, std::size_t columns, GenerationConfig& config) {
  const auto ids = static_cast<std::int64_t>(prompt);
  const auto all = static_cast<std::int64_t>(columns);
  if (config.max_new_tokens) {
    config.max_length = *config.max_new_tokens + ids;
  } else if (config.max_length) {
    *config.max_length -= ids != all ? all : 0;
  } else {
    config.max_length = 20 + ids;
    if constexpr (requires { model.config().get_text_config().max_position_embeddings; }) {
      config.max_length = std::min(*config.max_length,
                                   static_cast<std::int64_t>(model.config().get_text_config().max_position_embeddings));
    }
  }
  if (config.min_new_tokens) {
    config.min_length = *config.min_new_tokens + ids;
  } else if (ids != all) {
    config.min_length = std::max<std::int64_t>(*config.min_length - all, 0);
  }
  require<InputError>(ids < *config.max_length, "generate: the input has ", ids, " tokens and max_length is ",
                      *config.max_length, ": nothing can be generated");
}

// Holds the max_length of a config whose lengths are set against a cache of `capacity` slots, which `setting` says; 0:
// it grows. The prompt takes `slots` of them, and `prompt` columns of ids; the last token is never run, and takes none.
// Raises CacheError where they do not suffice, or with stop_at_capacity shortens max_length to what they take.
void hold_to_capacity(std::size_t slots, std::size_t capacity, const char* setting, std::size_t prompt,
                      GenerationConfig& config);

// The penalties of an encoder's ids, which a prompt of embeddings does not have. Source: the reference's
// `_get_logits_processor`.
void drop_encoder_penalties(GenerationConfig& config);

#if QWEN35_BODIES

QWEN35_BODY void detail::merge_config(const ModelDefaults& model, GenerationConfig& config) {
  const bool says_max_length = config.max_length.has_value();
  const bool says_max_new_tokens = config.max_new_tokens.has_value();
  if (model.generation_config != nullptr) {
    config = config.or_else(GenerationConfig::from_json(*model.generation_config));
  }
  if (says_max_length && config.max_new_tokens) {
    log_warning("generate: max_length ", *config.max_length, " is overruled by max_new_tokens ", *config.max_new_tokens,
                says_max_new_tokens ? "" : " of the model's generation config");
  }
  config = config.or_else(GenerationConfig::fallbacks());
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
}

QWEN35_BODY void detail::choose_seed(GenerationConfig& config) {
  if (!config.seed) {
    config.seed = config.do_sample.value_or(false) ? random_seed() : 0;
  }
}

QWEN35_BODY void hold_to_capacity(std::size_t slots, std::size_t capacity, const char* setting, std::size_t prompt,
                                  GenerationConfig& config) {
  const auto wanted = static_cast<std::size_t>(*config.max_length) - prompt;
  if (capacity == 0 || slots + wanted - 1 <= capacity) {
    return;
  }
  require<CacheError>(config.stop_at_capacity.value_or(false) && slots <= capacity, "the cache holds ", capacity,
                      " tokens (", setting, "), not the prompt's ", slots, " and ", wanted,
                      " new ones (max_new_tokens or max_length): make it larger, ask for fewer tokens, or set "
                      "stop_at_capacity to end where it is full");
  config.max_length = static_cast<std::int64_t>(prompt + capacity - slots + 1);
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
