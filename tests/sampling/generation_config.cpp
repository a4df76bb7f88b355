// SPDX-License-Identifier: Apache-2.0
#include "support/log_capture.hpp"
#include "support/message_of.hpp"

#include <qwen35/json/dump.hpp>
#include <qwen35/json/parse.hpp>
#include <qwen35/sampling/generation_config.hpp>

#include <doctest/doctest.h>

#include <iterator>
#include <limits>
#include <sstream>
#include <type_traits>

using namespace qwen35;
using test_support::message_of;

namespace {

GenerationConfig read(std::string_view text) {
  return GenerationConfig::from_json(json::parse(text));
}

}  // namespace

TEST_CASE("the file of a published checkpoint") {
  const GenerationConfig config =
      read(R"({"bos_token_id": 248044, "do_sample": true, "eos_token_id": [248046, 248044], "pad_token_id": 248044,
    "temperature": 0.6, "top_k": 20, "top_p": 0.95, "transformers_version": "5.2.0"})");
  CHECK(config == GenerationConfig{.do_sample = true,
                                   .temperature = 0.6,
                                   .top_k = 20,
                                   .top_p = 0.95,
                                   .pad_token_id = 248044,
                                   .bos_token_id = 248044,
                                   .eos_token_id = TokenIds{248046, 248044}});
  CHECK(GenerationConfig::from_json(json::Value()) == GenerationConfig{});
  CHECK(read("{}") == GenerationConfig{});
}

TEST_CASE("every field is read, null is absent") {
  const GenerationConfig config = read(
      R"({"max_length": 9, "max_new_tokens": 8, "min_length": 1, "min_new_tokens": 2, "early_stopping": "never", "max_time": 1.5,
    "stop_strings": ["a", "b"], "stop_at_capacity": true, "guidance_scale": 1.5, "do_sample": true, "num_beams": 3, "num_return_sequences": 2, "use_cache": false, "seed": 5, "temperature": 2, "top_k": 0, "top_p": 0.5,
    "min_p": 0.1, "top_h": 0.4, "typical_p": 0.9, "epsilon_cutoff": 0.01, "eta_cutoff": 0.02, "repetition_penalty": 1.5, "presence_penalty": 0.5,
    "frequency_penalty": 0.25, "length_penalty": 0.75, "no_repeat_ngram_size": 4, "encoder_repetition_penalty": 1.25, "encoder_no_repeat_ngram_size": 5,
    "watermarking_config": {"greenlist_ratio": 0.5, "bias": 1.5, "hashing_key": 7, "seeding_scheme": "selfhash", "context_width": 2}, "bad_words_ids": [[1], [2, 3]], "sequence_bias": [[[1, 2], -0.5]],
    "renormalize_logits": true, "forced_bos_token_id": 4, "forced_eos_token_id": [5, 6], "remove_invalid_values": true,
    "exponential_decay_length_penalty": [3, 1.1], "suppress_tokens": [7], "begin_suppress_tokens": [8], "output_scores": true, "output_logits": true,
    "output_hidden_states": true, "output_attentions": true, "pad_token_id": 1, "bos_token_id": 2, "eos_token_id": 3})");
  std::size_t fields = 0;
  GenerationConfig::for_each_field([&](const char* name, auto field) {
    CAPTURE(name);
    CHECK((config.*field).has_value());
    ++fields;
  });
  CHECK(fields == 46);
  CHECK(config.watermarking_config == WatermarkingConfig{0.5, 1.5, 7, SeedingScheme::selfhash, 2});
  CHECK(config.early_stopping == EarlyStopping::never);
  CHECK(config.stop_strings == std::vector<std::string>{"a", "b"});
  CHECK(config.bad_words_ids == std::vector<std::vector<TokenId>>{{1}, {2, 3}});
  CHECK(config.sequence_bias == std::vector<SequenceBias>{{{1, 2}, -0.5}});
  CHECK(config.exponential_decay_length_penalty == ExponentialDecay{3, 1.1});
  CHECK(config.forced_eos_token_id == TokenIds{5, 6});
  CHECK(config.temperature == 2.0);
  CHECK(read(R"({"stop_strings": "x"})").stop_strings == std::vector<std::string>{"x"});
  CHECK(read(R"({"early_stopping": true, "eos_token_id": null, "top_p": null})") ==
        GenerationConfig{.early_stopping = EarlyStopping::yes});
}

TEST_CASE("values as files in the wild have them") {
  CHECK(
      read(
          R"({"do_sample": 1, "temperature": "0.7", "top_k": "20", "max_new_tokens": 32.0, "seed": "5", "early_stopping": 1,
                 "stop_strings": "8", "pad_token_id": -1, "eos_token_id": -1, "bos_token_id": "3"})") ==
      GenerationConfig{.max_new_tokens = 32,
                       .early_stopping = EarlyStopping::yes,
                       .stop_strings = std::vector<std::string>{"8"},
                       .do_sample = true,
                       .seed = 5,
                       .temperature = 0.7,
                       .top_k = 20,
                       .bos_token_id = 3,
                       .eos_token_id = TokenIds{}});
  CHECK(read(R"({"eos_token_id": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]})").eos_token_id->size() ==
        17);
}

TEST_CASE("fields of the wrong kind are named") {
  const auto refused = [](const char* text, const std::string& message) {
    const json::Value file = json::parse(text);
    const std::string found = file.is_object() ? ", found " + json::dump(file.members()[0].second) : "";
    CHECK_THROWS_WITH_AS(read(text), (message + found).c_str(), ConfigError);
  };
  refused(R"([])", "generation_config: expected an object, found an array");
  refused(R"("{}")", "generation_config: expected an object, found a string (json::parse() reads a text)");
  refused(R"({"max_new_tokens": 1.5})", "generation_config.max_new_tokens: expected a whole number");
  refused(R"({"temperature": "hot"})", "generation_config.temperature: expected a number");
  refused(R"({"do_sample": 2})", "generation_config.do_sample: expected true or false");
  refused(R"({"early_stopping": "always"})", "generation_config.early_stopping: expected true, false or \"never\"");
  refused(R"({"stop_strings": [1]})", "generation_config.stop_strings: expected a string or a list of strings");
  refused(R"({"stop_strings": 1})", "generation_config.stop_strings: expected a string or a list of strings");
  refused(R"({"eos_token_id": 1.5})", "generation_config.eos_token_id: expected a token id or a list of token ids");
  refused(R"({"eos_token_id": [1, "x"]})",
          "generation_config.eos_token_id: expected a token id or a list of token ids");
  refused(R"({"pad_token_id": [1]})", "generation_config.pad_token_id: expected one token id");
  refused(R"({"pad_token_id": 3000000000})", "generation_config.pad_token_id: expected one token id");
  refused(R"({"suppress_tokens": 4})", "generation_config.suppress_tokens: expected a list of token ids");
  refused(R"({"bad_words_ids": [1]})", "generation_config.bad_words_ids: expected a list of lists of token ids");
  refused(R"({"sequence_bias": [[[1], "x"]]})",
          "generation_config.sequence_bias: expected a list of [list of token ids, number]");
  refused(R"({"sequence_bias": {"1": 2}})",
          "generation_config.sequence_bias: expected a list of [list of token ids, number]");
  refused(R"({"exponential_decay_length_penalty": [1]})",
          "generation_config.exponential_decay_length_penalty: expected [whole number, number]");
  refused(R"({"watermarking_config": {"seeding_scheme": "hash"}})",
          "generation_config.watermarking_config: expected seeding_scheme \"lefthash\" or \"selfhash\"");
  refused(R"({"watermarking_config": {"hashing_key": 0.5}})",
          "generation_config.watermarking_config: expected whole numbers for hashing_key and context_width");
  refused(R"({"seed": -1})", "generation_config.seed: expected a whole number, not negative");
}

TEST_CASE("what is not supported is refused, its neutral value is not") {
  for (const char* const text :
       {R"({"diversity_penalty": 2})", R"({"num_beam_groups": 2})", R"({"penalty_alpha": 0.6})",
        R"({"watermarking_config": {"ngram_len": 5}})", R"({"constraints": []})", R"({"token_healing": true})",
        R"({"prompt_lookup_num_tokens": 3})"}) {
    CHECK_THROWS_AS(read(text), ConfigError);
  }
  CHECK(read(
            R"({"num_beam_groups": 1, "diversity_penalty": 0.0, "penalty_alpha": null,
                 "watermarking_config": null, "token_healing": false, "something_new": {"a": 1}})") ==
        GenerationConfig{});
}

TEST_CASE("unknown fields of a file are passed over, and named in the log") {
  LogCapture log;
  log_unknown_generation_fields(json::parse(
      R"({"top_k": 3, "transformers_version": "5.12", "num_beam_groups": 1, "token_healing": false, "tomorrow": null})"));
  CHECK(log.messages.empty());
  const std::string misspelt = R"({"top_k": 3, "temprature": 0.6, "topk": 5})";
  log_unknown_generation_fields(json::parse(misspelt), true);
  log_unknown_generation_fields(json::parse(misspelt), true);
  const std::string told =
      "generation_config: unknown fields are passed over: temprature (did you mean temperature?), topk (did you mean "
      "top_k?)";
  CHECK(log.messages == std::vector<std::string>{told});
  // Who reads one is told each time.
  CHECK(read(misspelt).top_k == 3);
  CHECK(read(misspelt).top_k == 3);
  CHECK(log.messages == std::vector<std::string>{told, told, told});
  log.messages.clear();
  CHECK(read(R"({"topk": null, "chat_format": "chatml", "tpo_p": 0.5, "t": 1})") == GenerationConfig{});
  CHECK(log.messages == std::vector<std::string>{"generation_config: unknown fields are passed over: chat_format, "
                                                 "tpo_p (did you mean top_p?), t"});
  log.messages.clear();
  json::Value many = json::Value::object();
  for (int i = 0; i < 12; ++i) {
    many[std::string(100000, 'x') + std::to_string(i)] = 1;
  }
  GenerationConfig::from_json(many);
  REQUIRE(log.messages.size() == 1);
  CHECK(log.messages[0].ends_with("and 2 more"));
  CHECK(log.messages[0].size() < 5000);
}

TEST_CASE("what the reference's generation configs have besides is silent") {
  LogCapture log;
  CHECK(read(R"({"_from_model_config": true, "_commit_hash": "0f", "transformers_version": "5.12",
                 "return_dict_in_generate": true, "cache_implementation": "static", "num_assistant_tokens": 20,
                 "decoder_start_token_id": 0, "disable_compile": true, "top_k": 7})")
            .top_k == 7);
  CHECK(log.messages.empty());
}

TEST_CASE("a list in two pairs of braces") {
  CHECK(GenerationConfig{.stop_strings = {{"x"}}}.stop_strings == std::vector<std::string>{"x"});
  CHECK(GenerationConfig{.stop_strings = {{"x", "y"}}}.stop_strings == std::vector<std::string>{"x", "y"});
  CHECK(GenerationConfig{.suppress_tokens = {{3}}}.suppress_tokens == std::vector<TokenId>{3});
}

TEST_CASE("fields not said come from the other config") {
  const GenerationConfig mine{.max_new_tokens = 5, .top_k = 0, .eos_token_id = TokenIds()};
  const GenerationConfig file{.max_new_tokens = 64, .temperature = 0.6, .top_k = 20, .eos_token_id = TokenIds{3}};
  CHECK(mine.or_else(file) ==
        GenerationConfig{.max_new_tokens = 5, .temperature = 0.6, .top_k = 0, .eos_token_id = TokenIds()});
  const GenerationConfig all = GenerationConfig{}.or_else(GenerationConfig::fallbacks());
  CHECK(all.top_k == 50);
  CHECK(all.do_sample == false);
  CHECK_FALSE(all.max_length.has_value());
}

TEST_CASE("contradictions") {
  const auto refused = [](const GenerationConfig& config, const char* message) {
    CHECK_THROWS_WITH_AS(config.validate(), message, InputError);
  };
  refused({.max_new_tokens = 0}, "generation config: max_new_tokens is 0, expected 1 to 2147483647");
  refused({.max_length = -3}, "generation config: max_length is -3, expected 1 to 2147483647");
  refused({.max_new_tokens = std::int64_t{1} << 40},
          "generation config: max_new_tokens is 1099511627776, expected 1 to 2147483647");
  refused({.num_beams = 0}, "generation config: num_beams is 0, expected 1 to 1024");
  refused({.num_beams = std::int64_t{1} << 31}, "generation config: num_beams is 2147483648, expected 1 to 1024");
  refused({.num_return_sequences = std::int64_t{1} << 31},
          "generation config: num_return_sequences is 2147483648, expected 1 to 4096");
  refused({.num_return_sequences = 2},
          "generation config: num_return_sequences is 2, but greedy search finds one; set do_sample or num_beams");
  refused({.num_beams = 3, .num_return_sequences = 4},
          "generation config: num_return_sequences is 4, expected at most num_beams, 3");
  CHECK_NOTHROW(GenerationConfig{.do_sample = true, .num_return_sequences = 2}.validate());
  const GenerationConfig idle{
      .early_stopping = EarlyStopping::yes, .temperature = 0.5, .top_k = 50, .length_penalty = 2.0};
  CHECK_NOTHROW(idle.validate());
  CHECK_THROWS_WITH_AS(
      idle.validate(true),
      "generation config: fields without effect: temperature needs do_sample; early_stopping needs num_beams > 1; "
      "length_penalty needs num_beams > 1",
      InputError);
}

TEST_CASE("a config is written to a stream as its JSON") {
  std::ostringstream line;
  line << GenerationConfig{.max_new_tokens = 5, .temperature = 0.5, .eos_token_id = TokenIds{1, 2}};
  CHECK(line.str() == R"({"max_new_tokens": 5, "temperature": 0.5, "eos_token_id": [1, 2]})");
}

TEST_CASE("NaN in any setting is refused under its name") {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  std::size_t fields = 0;
  GenerationConfig::for_each_field([&](const char* name, auto field) {
    if constexpr (std::is_same_v<decltype(field), std::optional<double> GenerationConfig::*>) {
      GenerationConfig config;
      config.*field = nan;
      CHECK_THROWS_WITH_AS(config.validate(),
                           (std::string("generation config: ") + name + " is NaN, expected a number").c_str(),
                           InputError);
      ++fields;
    }
  });
  CHECK(fields == 14);
  const auto refused = [](const GenerationConfig& config, const char* name) {
    CHECK_THROWS_WITH_AS(config.validate(), doctest::Contains(name), InputError);
  };
  refused({.sequence_bias = std::vector<SequenceBias>{{{1}, 0.5}, {{2}, nan}}}, "sequence_bias is NaN");
  refused({.exponential_decay_length_penalty = ExponentialDecay{1, nan}}, "exponential_decay_length_penalty is NaN");
  refused({.watermarking_config = WatermarkingConfig{.bias = nan}}, "bias is NaN");
  refused({.watermarking_config = WatermarkingConfig{.greenlist_ratio = nan}}, "greenlist_ratio is");
}

// The outcome for each value: E is refused under the field's name, w accepted though it has no effect, . accepted. It
// is the reference's, but that NaN is always refused, and so is what its scores become infinite or NaN of.
TEST_CASE("numbers at the ends of what a double can be") {
  constexpr double inf = std::numeric_limits<double>::infinity();
  constexpr double values[] = {std::numeric_limits<double>::quiet_NaN(),
                               inf,
                               -inf,
                               -1.0,
                               0.0,
                               std::numeric_limits<double>::denorm_min(),
                               1e-300,
                               1e-30,
                               0.5,
                               1.0,
                               2.0,
                               1e30,
                               1.7e308};
  struct Row {
    const char* name;
    GenerationConfig base;
    std::string_view outcomes;
  };
  const GenerationConfig greedy{}, samples{.do_sample = true}, beams{.num_beams = 2};
  const Row rows[] = {{"temperature", samples, "E.EEEEE......"},
                      {"top_p", samples, "EwEE......www"},
                      {"min_p", samples, "EEEE......EEE"},
                      {"top_h", samples, "EEEEE.....EEE"},
                      {"typical_p", samples, "EwEEE.....www"},
                      {"epsilon_cutoff", samples, "Ewww.....wwww"},
                      {"eta_cutoff", samples, "Ewww.....wwww"},
                      {"temperature", greedy, "Ewwwwwwww.www"},
                      {"top_p", greedy, "Ewwwwwwww.www"},
                      {"min_p", greedy, "Ewwwwwwwwwwww"},
                      {"top_h", greedy, "Ewwwwwwwwwwww"},
                      {"typical_p", greedy, "Ewwwwwwww.www"},
                      {"epsilon_cutoff", greedy, "Ewww.wwwwwwww"},
                      {"eta_cutoff", greedy, "Ewww.wwwwwwww"},
                      {"repetition_penalty", greedy, "E.EEEEE......"},
                      {"encoder_repetition_penalty", greedy, "EEEEEEE.....E"},
                      {"presence_penalty", greedy, "EEE.........E"},
                      {"frequency_penalty", greedy, "EEE.........E"},
                      {"guidance_scale", greedy, "EEE.........E"},
                      {"length_penalty", beams, "EEE.........E"},
                      {"length_penalty", greedy, "Ewwwwwwww.www"},
                      {"max_time", greedy, "E............"},
                      {"exponential_decay_length_penalty", greedy, "EEE.........E"},
                      {"sequence_bias", greedy, "E............"},
                      {"sequence_bias", samples, "EE..........E"},
                      {"sequence_bias", beams, "EE..........E"}};
  const auto check = [&](const Row& row, std::size_t i, const GenerationConfig& config) {
    CAPTURE(row.name);
    CAPTURE(values[i]);
    const std::string problem = message_of<InputError>([&] { config.validate(); });
    CHECK(problem.starts_with(std::string("generation config: ") + row.name + " is ") == (row.outcomes[i] == 'E'));
    CHECK(problem.empty() == (row.outcomes[i] != 'E'));
    if (problem.empty()) {
      const std::string idle = message_of<InputError>([&] { config.validate(true); });
      CHECK(idle.starts_with(std::string("generation config: fields without effect: ") + row.name) ==
            (row.outcomes[i] == 'w'));
      CHECK(idle.empty() == (row.outcomes[i] != 'w'));
    }
  };
  std::size_t fields = 0;
  GenerationConfig::for_each_field([&](const char* name, auto field) {
    if constexpr (std::is_same_v<decltype(field), std::optional<double> GenerationConfig::*>) {
      bool known = false;
      for (const Row& row : rows) {
        for (std::size_t i = 0; row.name == std::string_view(name) && i < std::size(values); ++i) {
          known = true;
          GenerationConfig config = row.base;
          config.*field = values[i];
          check(row, i, config);
        }
      }
      CAPTURE(name);
      CHECK(known);
      ++fields;
    }
  });
  CHECK(fields == 14);
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < std::size(values); ++i) {
      GenerationConfig config = row.base;
      if (row.name == std::string_view("sequence_bias")) {
        config.sequence_bias = std::vector<SequenceBias>{{{1}, 0.5}, {{2}, values[i]}};
        check(row, i, config);
      } else if (row.name == std::string_view("exponential_decay_length_penalty")) {
        config.exponential_decay_length_penalty = ExponentialDecay{0, values[i]};
        check(row, i, config);
      }
    }
  }
  CHECK_THROWS_WITH_AS(GenerationConfig({.do_sample = true, .temperature = 1e-300}).validate(),
                       "generation config: temperature is 1e-300, expected at least 1e-30; for greedy search unset "
                       "do_sample",
                       InputError);
  CHECK_THROWS_WITH_AS(GenerationConfig({.watermarking_config = WatermarkingConfig{.bias = inf}}).validate(),
                       "watermarking_config: bias is inf, expected a finite float", InputError);
}

TEST_CASE("whole numbers at the ends of 64 bits") {
  constexpr std::int64_t values[] = {std::numeric_limits<std::int64_t>::min(), -1, 0, 1, std::int64_t{1} << 31,
                                     std::numeric_limits<std::int64_t>::max()};
  std::size_t fields = 0;
  GenerationConfig::for_each_field([&](const char* name, auto field) {
    if constexpr (std::is_same_v<decltype(field), std::optional<std::int64_t> GenerationConfig::*>) {
      const std::string_view key = name;
      const bool zero = key.starts_with("min_") || key.ends_with("ngram_size") || key == "top_k";
      for (const std::int64_t value : values) {
        CAPTURE(name);
        CAPTURE(value);
        GenerationConfig config{.do_sample = true};
        config.*field = value;
        const std::string problem = message_of<InputError>([&] { config.validate(); });
        CHECK(problem.empty() == (value == 1 || (value == 0 && zero)));
        CHECK((problem.empty() || problem.starts_with(std::string("generation config: ") + name + " is ")));
      }
      ++fields;
    }
  });
  CHECK(fields == 9);
}
