// SPDX-License-Identifier: Apache-2.0
// The fields of generation_config.json. Include generation_config.hpp.
#pragma once

#include <qwen35/sampling/generation_config.hpp>

#include <cstddef>
#include <string>
#include <string_view>

#if QWEN35_BODIES
#include <qwen35/core/edit_distance.hpp>
#include <qwen35/core/hash.hpp>
#include <qwen35/core/log.hpp>
#include <qwen35/core/name_list.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>
#include <utility>
#endif

QWEN35_BEGIN_NAMESPACE

namespace detail {

TokenId as_token_id(const JsonFields& fields, const json::Value& value, std::string_view key, const char* expected);

std::vector<TokenId> as_token_list(const JsonFields& fields, const json::Value& value, std::string_view key,
                                   const char* expected);

// One overload for each kind of field. None is called for an absent or null key.
void read(const JsonFields& fields, const json::Value& value, std::string_view key, std::int64_t& out);
void read(const JsonFields& fields, const json::Value& value, std::string_view key, std::uint64_t& out);
void read(const JsonFields& fields, const json::Value&, std::string_view key, double& out);
void read(const JsonFields& fields, const json::Value&, std::string_view key, bool& out);
void read(const JsonFields& fields, const json::Value&, std::string_view key, TokenIds& out);
void read(const JsonFields& fields, const json::Value& value, std::string_view key, TokenId& out);
void read(const JsonFields& fields, const json::Value& value, std::string_view key, EarlyStopping& out);
void read(const JsonFields& fields, const json::Value& value, std::string_view key, std::vector<std::string>& out);
void read(const JsonFields& fields, const json::Value& value, std::string_view key, std::vector<TokenId>& out);
void read(const JsonFields& fields, const json::Value& value, std::string_view key,
          std::vector<std::vector<TokenId>>& out);
void read(const JsonFields& fields, const json::Value& value, std::string_view key, std::vector<SequenceBias>& out);
void read(const JsonFields& fields, const json::Value& value, std::string_view key, ExponentialDecay& out);

void read(const JsonFields& fields, const json::Value& value, std::string_view key, WatermarkingConfig& out);

// Ways of generating that the file may ask for and this library does not have. Their neutral values pass.
void refuse_unknown_ways(const JsonFields& fields);
inline constexpr std::string_view refused_numbers[] = {"num_beam_groups", "diversity_penalty", "penalty_alpha"};
inline constexpr std::string_view refused_values[] = {"constraints", "force_words_ids", "dola_layers",
                                                      "prompt_lookup_num_tokens"};
inline constexpr std::string_view refused_flags[] = {"token_healing", "low_memory", "is_assistant"};
// Fields of the reference's that do not say what is generated: where the file comes from, how fast it goes, and what
// encoder-decoder models begin with.
inline constexpr std::string_view passed_over_fields[] = {"transformers_version",
                                                          "_from_model_config",
                                                          "_commit_hash",
                                                          "return_dict_in_generate",
                                                          "decoder_start_token_id",
                                                          "cache_implementation",
                                                          "cache_config",
                                                          "prefill_chunk_size",
                                                          "compile_config",
                                                          "disable_compile",
                                                          "continuous_batching_config",
                                                          "num_assistant_tokens",
                                                          "num_assistant_tokens_schedule",
                                                          "assistant_confidence_threshold",
                                                          "assistant_early_exit",
                                                          "assistant_lookbehind",
                                                          "target_lookbehind",
                                                          "max_matching_ngram_size"};

// The field whose name is at most two such steps away; "": none.
std::string_view nearest_generation_field(std::string_view key);
// The keys of a file that are fields of nothing, each with the field that may be meant; "": none.
std::string unknown_generation_fields(const json::Value& file);

}  // namespace detail

#if QWEN35_BODIES

namespace detail {

QWEN35_BODY TokenId as_token_id(const JsonFields& fields, const json::Value& value, std::string_view key,
                                const char* expected) {
  const bool fits =
      value.is_integer() && value.as_integer() >= 0 && value.as_integer() <= std::numeric_limits<TokenId>::max();
  return fields.expect(fits, key, expected) ? static_cast<TokenId>(value.as_integer()) : 0;
}

QWEN35_BODY std::vector<TokenId> as_token_list(const JsonFields& fields, const json::Value& value, std::string_view key,
                                               const char* expected) {
  std::vector<TokenId> ids;
  if (fields.expect(value.is_array(), key, expected)) {
    for (const json::Value& item : value.items()) {
      ids.push_back(as_token_id(fields, item, key, expected));
    }
  }
  return ids;
}

QWEN35_BODY void read(const JsonFields& fields, const json::Value& value, std::string_view key, std::int64_t& out) {
  if (fields.expect(value.is_integer(), key, "a whole number")) {
    out = value.as_integer();
  }
}

QWEN35_BODY void read(const JsonFields& fields, const json::Value& value, std::string_view key, std::uint64_t& out) {
  if (fields.expect(value.is_integer() && value.as_integer() >= 0, key, "a whole number, not negative")) {
    out = static_cast<std::uint64_t>(value.as_integer());
  }
}

QWEN35_BODY void read(const JsonFields& fields, const json::Value&, std::string_view key, double& out) {
  out = fields.number(key, 0.0);
}

QWEN35_BODY void read(const JsonFields& fields, const json::Value&, std::string_view key, bool& out) {
  out = fields.boolean(key, false);
}

QWEN35_BODY void read(const JsonFields& fields, const json::Value&, std::string_view key, TokenIds& out) {
  out = fields.token_ids(key);
}

QWEN35_BODY void read(const JsonFields& fields, const json::Value& value, std::string_view key, TokenId& out) {
  out = as_token_id(fields, value, key, "one token id");
}

QWEN35_BODY void read(const JsonFields& fields, const json::Value& value, std::string_view key, EarlyStopping& out) {
  const bool never = value == json::Value("never"), yes = value == json::Value(true) || value == json::Value(1);
  fields.expect(never || yes || value == json::Value(false) || value == json::Value(0), key,
                "true, false or \"never\"");
  out = never ? EarlyStopping::never : yes ? EarlyStopping::yes : EarlyStopping::no;
}

QWEN35_BODY void read(const JsonFields& fields, const json::Value& value, std::string_view key,
                      std::vector<std::string>& out) {
  constexpr const char* expected = "a string or a list of strings";
  const auto add = [&](const json::Value& item) {
    if (fields.expect(item.is_string(), key, expected)) {
      out.push_back(item.as_string());
    }
  };
  if (value.is_string()) {
    add(value);
    return;
  }
  if (fields.expect(value.is_array(), key, expected)) {
    for (const json::Value& item : value.items()) {
      add(item);
    }
  }
}

QWEN35_BODY void read(const JsonFields& fields, const json::Value& value, std::string_view key,
                      std::vector<TokenId>& out) {
  out = as_token_list(fields, value, key, "a list of token ids");
}

QWEN35_BODY void read(const JsonFields& fields, const json::Value& value, std::string_view key,
                      std::vector<std::vector<TokenId>>& out) {
  constexpr const char* expected = "a list of lists of token ids";
  if (fields.expect(value.is_array(), key, expected)) {
    for (const json::Value& item : value.items()) {
      out.push_back(as_token_list(fields, item, key, expected));
    }
  }
}

QWEN35_BODY void read(const JsonFields& fields, const json::Value& value, std::string_view key,
                      std::vector<SequenceBias>& out) {
  constexpr const char* expected = "a list of [list of token ids, number]";
  if (!fields.expect(value.is_array(), key, expected)) {
    return;
  }
  for (const json::Value& item : value.items()) {
    if (!fields.expect(item.is_array() && item.size() == 2 && item.items()[1].is_number(), key, expected)) {
      return;
    }
    out.push_back({as_token_list(fields, item.items()[0], key, expected), item.items()[1].as_number()});
  }
}

QWEN35_BODY void read(const JsonFields& fields, const json::Value& value, std::string_view key, ExponentialDecay& out) {
  const bool fits =
      value.is_array() && value.size() == 2 && value.items()[0].is_integer() && value.items()[1].is_number();
  if (fields.expect(fits, key, "[whole number, number]")) {
    out = {value.items()[0].as_integer(), value.items()[1].as_number()};
  }
}

QWEN35_BODY void read(const JsonFields& fields, const json::Value& value, std::string_view key,
                      WatermarkingConfig& out) {
  if (!fields.expect(value.is_object(), key, "an object")) {
    return;
  }
  for (const auto& [name, item] : value.members()) {
    if (name == "greenlist_ratio" || name == "bias") {
      if (fields.expect(item.is_number(), key, "numbers for greenlist_ratio and bias")) {
        (name == "bias" ? out.bias : out.greenlist_ratio) = item.as_number();
      }
    } else if (name == "hashing_key" || name == "context_width") {
      if (fields.expect(item.is_integer(), key, "whole numbers for hashing_key and context_width")) {
        (name == "hashing_key" ? out.hashing_key : out.context_width) = item.as_integer();
      }
    } else if (name == "seeding_scheme") {
      const bool self = item.is_string() && item.as_string() == "selfhash";
      fields.expect(self || (item.is_string() && item.as_string() == "lefthash"), key,
                    "seeding_scheme \"lefthash\" or \"selfhash\"");
      out.seeding_scheme = self ? SeedingScheme::selfhash : SeedingScheme::lefthash;
    } else {
      fields.expect(false, key, concat("the fields of WatermarkingConfig: \"", name, "\" is not supported"));
    }
  }
}

QWEN35_BODY void refuse_unknown_ways(const JsonFields& fields) {
  const auto neutral = [&](std::string_view key, double value) {
    fields.expect(fields.number(key, value) == value, key, "the value that switches it off: it is not supported");
  };
  for (const std::string_view key : refused_numbers) {
    neutral(key, key == "num_beam_groups" ? 1.0 : 0.0);
  }
  for (const std::string_view key : refused_values) {
    fields.expect(fields.find(key) == nullptr, key, "null: it is not supported");
  }
  for (const std::string_view key : refused_flags) {
    fields.expect(!fields.boolean(key, false), key, "false: it is not supported");
  }
}

}  // namespace detail

QWEN35_BODY std::string_view detail::nearest_generation_field(std::string_view key) {
  std::size_t least = 3;
  std::string_view nearest;
  GenerationConfig::for_each_field([&](std::string_view name, auto) {
    if (const std::size_t distance = edit_distance(key, name, 2); distance < least) {
      least = distance;
      nearest = name;
    }
  });
  return nearest;
}

QWEN35_BODY std::string detail::unknown_generation_fields(const json::Value& file) {
  const auto is_known = [](std::string_view key) {
    const auto is_in = [key](std::span<const std::string_view> names) {
      return std::find(names.begin(), names.end(), key) != names.end();
    };
    bool known = is_in(refused_numbers) || is_in(refused_values) || is_in(refused_flags) || is_in(passed_over_fields);
    GenerationConfig::for_each_field([&](std::string_view name, auto) { known = known || name == key; });
    return known;
  };
  constexpr std::size_t shown = 10;
  NameList unknown;
  for (std::size_t i = 0; file.is_object() && i < file.members().size(); ++i) {
    const auto& [key, value] = file.members()[i];
    if (value.is_null() || is_known(key)) {
      continue;
    }
    const std::string_view meant = unknown.count < shown ? nearest_generation_field(key) : std::string_view();
    unknown.add(meant.empty() ? key : concat(key, " (did you mean ", meant, "?)"));
  }
  return unknown.text(", ", shown);
}

QWEN35_BODY void log_unknown_generation_fields(const json::Value& file, bool once) {
  if (!has_log_callback()) {
    return;
  }
  static std::atomic<std::uint64_t> told{0};
  const std::string names = detail::unknown_generation_fields(file);
  const std::uint64_t hash = hash_of(names);
  if (!names.empty() && (!once || told.exchange(hash) != hash)) {
    log_warning("generation_config: unknown fields are passed over: ", names);
  }
}

QWEN35_LAZY_BODY
GenerationConfig read_generation_config(const json::Value& file) {
  const JsonFields fields(file.is_null() ? nullptr : &file, "generation_config");
  detail::refuse_unknown_ways(fields);
  GenerationConfig config;
  GenerationConfig::for_each_field([&](const char* name, auto field) {
    if (const json::Value* const given = fields.find(name)) {
      using Field = typename std::remove_reference_t<decltype(config.*field)>::value_type;
      const json::Value value = std::is_same_v<Field, std::vector<std::string>> ? *given : JsonFields::plain(*given);
      if (std::is_same_v<Field, TokenId> && value.is_integer() && value.as_integer() < 0) {
        return;  // no token
      }
      detail::read(fields, value, name, (config.*field).emplace());
    }
  });
  config.validate();
  return config;
}

QWEN35_LAZY_BODY
GenerationConfig GenerationConfig::from_json(const json::Value& file) {
  log_unknown_generation_fields(file);
  return read_generation_config(file);
}

QWEN35_LAZY_BODY
Result<GenerationConfig> GenerationConfig::try_from_json(const json::Value& file) {
  return attempt([&] { return from_json(file); });
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
