// SPDX-License-Identifier: Apache-2.0
#include "generate/generate_test.hpp"

#include <qwen35/sampling/processors_of.hpp>

#include <doctest/doctest.h>

using namespace qwen35;
using namespace generate_test;

namespace {

std::vector<std::string> names(const LogitsProcessorList& list) {
  std::vector<std::string> out;
  for (const auto& processor : list) {
    out.emplace_back(processor->name());
  }
  return out;
}

}  // namespace

TEST_CASE("every processor, alone and in the reference's order, does what the reference's does") {
  const json::Value file = read_json("processors.json");
  REQUIRE(file.at("cases").size() > 100);
  Scratch scratch;
  for (const json::Value& recorded : file.at("cases").items()) {
    CAPTURE(recorded.at("name").as_string());
    GenerationConfig config = GenerationConfig::from_json(recorded.at("config"));
    const auto prompt_length = static_cast<std::size_t>(recorded.at("prompt_length").as_integer());
    if (config.min_new_tokens) {
      config.min_length = *config.min_new_tokens + static_cast<std::int64_t>(prompt_length);
    }
    const LogitsProcessorList list = processors_of(config, prompt_length);
    std::vector<std::string> expected_names;
    for (const json::Value& name : recorded.at("processors").items()) {
      expected_names.push_back(name.as_string());
    }
    CHECK(names(list) == expected_names);
    for (std::size_t r = 0; r < recorded.at("input_ids").size(); ++r) {
      const std::vector<TokenId> ids = as_ids(recorded.at("input_ids").items()[r]);
      const std::vector<float> given = as_floats(recorded.at("scores").items()[r]);
      const std::vector<float> expected = as_floats(recorded.at("expected").items()[r]);
      for (const bool shared : {false, true}) {
        std::vector<float> scores = given;
        process(list, {.input_ids = ids, .prompt_length = prompt_length, .scratch = shared ? &scratch : nullptr},
                scores);
        std::size_t wrong = 0;
        for (std::size_t v = 0; v < scores.size(); ++v) {
          wrong += close(scores[v], expected[v]) ? 0u : 1u;
        }
        CHECK(wrong == 0);
      }
    }
  }
}

TEST_CASE("presence and frequency penalties follow the repetition penalty and see generated tokens only") {
  const GenerationConfig config{
      .repetition_penalty = 2.0, .presence_penalty = 1.0, .frequency_penalty = 0.25, .no_repeat_ngram_size = 2};
  const LogitsProcessorList list = processors_of(config, 2);
  CHECK(names(list) == std::vector<std::string>{"RepetitionPenaltyLogitsProcessor", "PresencePenaltyLogitsProcessor",
                                                "FrequencyPenaltyLogitsProcessor", "NoRepeatNGramLogitsProcessor"});
  const std::vector<TokenId> ids{0, 1, 2, 3, 2};
  std::vector<float> scores{4.0f, -4.0f, 4.0f, -4.0f, 4.0f};
  process({list.begin(), list.begin() + 3}, {.input_ids = ids, .prompt_length = 2}, scores);
  CHECK(scores == std::vector<float>{2.0f, -8.0f, 2.0f - 1.0f - 0.5f, -8.0f - 1.0f - 0.25f, 4.0f});
}

TEST_CASE("the penalties do not see padding") {
  const GenerationConfig config{.repetition_penalty = 2.0, .no_repeat_ngram_size = 1};
  const LogitsProcessorList list = processors_of(config, 4);
  const std::vector<TokenId> padded{4, 4, 1, 2};
  const std::vector<TokenId> plain{1, 2};
  std::vector<float> a{1.0f, 2.0f, 3.0f, 4.0f, 5.0f};
  std::vector<float> b = a;
  process(list, {.input_ids = padded, .prompt_length = 4, .padding = 2}, a);
  process(list, {.input_ids = plain, .prompt_length = 2}, b);
  CHECK(a == b);
  CHECK(a[4] == 5.0f);
}

TEST_CASE(
    "the user's processors stand between the constraints and the sampling steps, or take the place of their namesake") {
  const GenerationConfig config{.do_sample = true,
                                .temperature = 0.5,
                                .top_k = 3,
                                .repetition_penalty = 1.2,
                                .renormalize_logits = true,
                                .suppress_tokens = std::vector<TokenId>{1}};
  const auto mine =
      make_logits_processor("mine", [](const SequenceRow&, std::span<float> scores) { scores[0] += 1.0f; });
  const auto repetition = std::make_shared<RepetitionPenaltyLogitsProcessor>(3.0);
  const auto temperature = std::make_shared<TemperatureLogitsWarper>(4.0);
  const LogitsProcessorList list = processors_of(config, 1, {mine, repetition, temperature});
  CHECK(names(list) == std::vector<std::string>{"RepetitionPenaltyLogitsProcessor", "SuppressTokensLogitsProcessor",
                                                "mine", "TemperatureLogitsWarper", "TemperatureLogitsWarper",
                                                "TopKLogitsWarper", "LogitNormalization"});
  CHECK(list[0] == repetition);
  CHECK(list[2] == mine);
  CHECK(list[3] == temperature);
  CHECK(list[4] != temperature);
  CHECK_THROWS_WITH_AS(processors_of(config, 1, {mine, nullptr}), "logits_processor[1] is null", InputError);
}

TEST_CASE("a prefix function allows its tokens alone, and must allow one") {
  std::vector<std::size_t> asked;
  std::vector<TokenId> allowed{4, 1, 1};
  const LogitsProcessorList list = processors_of({}, 2, {}, [&](std::size_t batch_id, std::span<const TokenId> ids) {
    asked = {batch_id, ids.size()};
    return allowed;
  });
  const std::vector<TokenId> ids{1, 2};
  const SequenceRow row{.input_ids = ids, .prompt_length = 2, .batch_id = 7};
  std::vector<float> scores{0.0f, 1.0f, 2.0f, 3.0f, 4.0f, 5.0f};
  process(list, row, scores);
  CHECK(asked == std::vector<std::size_t>{7, 2});
  const float masked = -std::numeric_limits<float>::infinity();
  CHECK(scores == std::vector<float>{masked, 1.0f, masked, masked, 4.0f, masked});
  allowed = {6};
  CHECK_THROWS_WITH_AS(process(list, row, scores), "prefix_allowed_tokens_fn: token id 6 is not in the vocabulary of 6",
                       InputError);
  allowed = {-1, 2};
  CHECK_THROWS_AS(process(list, row, scores), InputError);
  allowed = {};
  CHECK_THROWS_WITH_AS(process(list, row, scores), "prefix_allowed_tokens_fn allowed no token for prompt 7",
                       InputError);
}

TEST_CASE("values out of range are refused, values that switch a step off are not") {
  const auto refused = [](GenerationConfig config) {
    config.do_sample = true;
    CHECK_THROWS_AS(processors_of(config, 1), InputError);
  };
  refused({.temperature = 0.0});
  refused({.temperature = -1.0});
  refused({.top_k = -1});
  refused({.top_p = -0.1});
  refused({.min_p = 1.5});
  refused({.min_p = -0.5});
  refused({.top_h = 0.0});
  refused({.top_h = 1.5});
  refused({.typical_p = 0.0});
  refused({.repetition_penalty = 0.0});
  refused({.repetition_penalty = -2.0});
  refused({.no_repeat_ngram_size = -1});
  refused({.bad_words_ids = std::vector<std::vector<TokenId>>{}});
  refused({.bad_words_ids = std::vector<std::vector<TokenId>>{{}}});
  refused({.bad_words_ids = std::vector<std::vector<TokenId>>{{-1}}});
  refused({.sequence_bias = std::vector<SequenceBias>{}});
  refused({.sequence_bias = std::vector<SequenceBias>{{{}, 1.0}}});
  refused({.exponential_decay_length_penalty = ExponentialDecay{1, 1.1}});
  CHECK(processors_of({.do_sample = true,
                       .temperature = 1.0,
                       .top_k = 0,
                       .top_p = 1.0,
                       .typical_p = 1.0,
                       .epsilon_cutoff = 0.0,
                       .eta_cutoff = 0.0},
                      1)
            .empty());
  CHECK(processors_of({.do_sample = true, .top_k = 0, .top_p = 1.5}, 1).empty());
  CHECK(processors_of({.min_length = 5}, 1).empty());  // no eos id
  CHECK(processors_of({.do_sample = false, .temperature = 0.0}, 1).empty());
  const LogitsProcessorList forced = processors_of({.max_length = 3, .forced_eos_token_id = 9}, 1);
  const std::vector<TokenId> ids{1, 2};
  std::vector<float> scores(5);
  CHECK_THROWS_WITH_AS(process(forced, {.input_ids = ids, .prompt_length = 1}, scores),
                       "forced_eos_token_id: token id 9 is not in the vocabulary of 5", InputError);
}

TEST_CASE("an eos id that is masked stays masked when its score decays") {
  const GenerationConfig config{
      .min_new_tokens = 9, .exponential_decay_length_penalty = ExponentialDecay{0, 1.5}, .eos_token_id = 1};
  std::vector<float> scores{1.0f, 2.0f};
  const std::vector<TokenId> ids{0, 0};
  process(processors_of(config, 1), {.input_ids = ids, .prompt_length = 1}, scores);
  CHECK(scores == std::vector<float>{1.0f, -std::numeric_limits<float>::infinity()});
}

TEST_CASE("settings that leave no float of a score do not make NaN or infinities of it") {
  const float masked = -std::numeric_limits<float>::infinity();
  // A decay that grew for a thousand tokens.
  std::vector<float> scores{1.0f, -2.0f, 0.0f};
  const std::vector<TokenId> ids(1001, 0);
  process(
      processors_of({.exponential_decay_length_penalty = ExponentialDecay{0, 1.1}, .eos_token_id = TokenIds{1, 2}}, 1),
      {.input_ids = ids, .prompt_length = 1}, scores);
  CHECK(scores == std::vector<float>{1.0f, std::numeric_limits<float>::max(), 0.0f});
  // However hot, what is masked stays so.
  scores = {1.0f, masked, 3.0f};
  TemperatureLogitsWarper(std::numeric_limits<double>::infinity()).process({}, scores);
  CHECK(scores[1] == masked);
  CHECK(std::fabs(scores[0] - scores[2]) < 1e-37f);
  CHECK_THROWS_WITH_AS(TemperatureLogitsWarper(1e-300),
                       "temperature is 1e-300, expected at least 1e-30; for greedy search unset do_sample", InputError);
  CHECK_THROWS_AS(RepetitionPenaltyLogitsProcessor(1e-300), InputError);
  CHECK_THROWS_AS(EncoderRepetitionPenaltyLogitsProcessor(1e300), InputError);
}

TEST_CASE("rows of NaN, of equal scores and of one score pass through every sampling step") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float masked = -std::numeric_limits<float>::infinity();
  GenerationConfig all{.do_sample = true,
                       .temperature = 0.7,
                       .top_k = 3,
                       .top_p = 0.9,
                       .min_p = 0.1,
                       .top_h = 0.5,
                       .typical_p = 0.9,
                       .epsilon_cutoff = 0.01,
                       .eta_cutoff = 0.01,
                       .renormalize_logits = true};
  for (const std::vector<float>& given :
       {std::vector<float>{nan, nan, nan, nan, nan}, std::vector<float>{1.0f, nan, -1.0f, masked, nan},
        std::vector<float>(200, masked), std::vector<float>{1.0f}, std::vector<float>(300, 2.0f),
        std::vector<float>{std::numeric_limits<float>::infinity(), 0.0f}}) {
    std::vector<float> scores = given;
    process(processors_of(all, 1), {}, scores);
    CHECK(scores.size() == given.size());
  }
  // Ties with the k-th largest survive; of equal scores top_p keeps as many as it needs.
  std::vector<float> scores(10, 2.0f);
  TopKLogitsWarper(3).process({}, scores);
  CHECK(std::count(scores.begin(), scores.end(), 2.0f) == 10);
  TopPLogitsWarper(0.45).process({}, scores);
  CHECK(std::count(scores.begin(), scores.end(), 2.0f) == 5);
}

TEST_CASE("guidance stands first and compares log probabilities; without the other logits it is refused") {
  const std::vector<float> others{std::log(1.0f), std::log(2.0f), std::log(1.0f)};
  const UnconditionalLogits unconditional = [&](const SequenceRow& row) {
    return std::span<const float>(others).first(row.row == 0 ? 3 : 2);
  };
  const GenerationConfig config{.repetition_penalty = 1.5, .guidance_scale = 3.0};
  const LogitsProcessorList list = processors_of(config, 1, {}, {}, unconditional);
  CHECK(names(list) ==
        std::vector<std::string>{"UnbatchedClassifierFreeGuidanceLogitsProcessor", "RepetitionPenaltyLogitsProcessor"});
  // Probabilities 1/2, 1/4, 1/4 against 1/4, 1/2, 1/4: log p + 2 (log p - log q).
  std::vector<float> scores{std::log(8.0f), std::log(4.0f), std::log(4.0f)};
  list[0]->process({}, scores);
  CHECK(close(scores[0], std::log(2.0f)));
  CHECK(close(scores[1], std::log(1.0f / 16.0f)));
  CHECK(close(scores[2], std::log(0.25f)));
  CHECK_THROWS_AS(list[0]->process({.row = 1}, scores), InputError);
  CHECK_THROWS_WITH_AS(processors_of(config, 1), doctest::Contains("needs unconditional logits"), InputError);
}
