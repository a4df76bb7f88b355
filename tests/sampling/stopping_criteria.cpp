// SPDX-License-Identifier: Apache-2.0
#include "generate/generate_test.hpp"

#include <qwen35/sampling/stopping_criteria.hpp>
#include <qwen35/text/tokenizer.hpp>

#include <doctest/doctest.h>

using namespace qwen35;
using namespace generate_test;

TEST_CASE("stop strings are found where the reference finds them") {
  const Tokenizer tokenizer = Tokenizer::from_file(std::string(QWEN35_SOURCE_DIR) + "/examples/shapes/tokenizer.json");
  const json::Value file = read_json("stop_strings.json");
  REQUIRE(file.at("cases").size() == 250);
  for (const json::Value& recorded : file.at("cases").items()) {
    const std::vector<TokenId> ids = as_ids(recorded.at("ids"));
    std::vector<std::string> strings;
    for (const json::Value& string : recorded.at("stop_strings").items()) {
      strings.push_back(string.as_string());
    }
    CAPTURE(strings[0]);
    const StopStringCriteria criteria(strings, [&](TokenId id) { return tokenizer.token_bytes(id); });
    std::vector<TokenId> found;
    for (std::size_t n = 0; n < ids.size(); ++n) {
      if (criteria.is_done({.input_ids = std::span<const TokenId>(ids).first(n + 1)})) {
        found.push_back(static_cast<TokenId>(n));
      }
    }
    CHECK(found == as_ids(recorded.at("found")));
  }
}

TEST_CASE("a stop string must end inside the newest token, wherever it begins") {
  const std::vector<std::string> tokens{"st",     "op", "stop", "opera", "sto", "pper", "las",
                                        "topper", "s",  "to",   "pped",  "at",  "",     "xstopx"};
  const StopStringCriteria criteria(
      {"stop"}, [&](TokenId id) -> std::string_view { return tokens[static_cast<std::size_t>(id)]; });
  const auto done = [&](std::vector<TokenId> ids) { return criteria.is_done({.input_ids = ids}); };
  CHECK(done({0, 1}));
  CHECK(done({2}));
  CHECK(done({0, 3}));
  CHECK(done({4, 5}));
  CHECK(done({6, 7}));
  CHECK(done({8, 9, 10}));
  CHECK(done({13}));
  CHECK(done({11, 0, 12, 1}));
  CHECK_FALSE(done({2, 11}));
  CHECK_FALSE(done({2, 12}));
  CHECK_FALSE(done({13, 8}));
  CHECK_FALSE(done({0, 11, 1}));
  CHECK_FALSE(done({}));
  // Padding is no text.
  const std::vector<TokenId> padded{0, 1};
  CHECK_FALSE(criteria.is_done({.input_ids = padded, .padding = 1}));
  CHECK_THROWS_WITH_AS(StopStringCriteria({}, [](TokenId) { return std::string_view(); }),
                       "stop_strings is an empty list", InputError);
  CHECK_THROWS_WITH_AS(StopStringCriteria({"a", ""}, [](TokenId) { return std::string_view(); }),
                       "stop_strings holds an empty string", InputError);
  CHECK_THROWS_AS(StopStringCriteria({"a"}, {}), InputError);
}

TEST_CASE("the list of a config, its order, and the user's") {
  const std::vector<TokenId> ids{5, 6, 7};
  const SequenceRow row{.input_ids = ids, .prompt_length = 2};
  const auto reason = [&](const GenerationConfig& config, const StoppingCriteriaList& users = {}) {
    return finish_reason(
        criteria_of(
            config, [](TokenId id) { return std::string_view("ABCDEFGH").substr(static_cast<std::size_t>(id), 1); },
            users),
        row);
  };
  CHECK(reason({}) == FinishReason::none);
  CHECK(reason({.max_length = 4}) == FinishReason::none);
  CHECK(reason({.max_length = 3}) == FinishReason::length);
  CHECK(reason({.max_length = 3, .eos_token_id = TokenIds{1, 7}}) == FinishReason::stop);
  CHECK(reason({.max_length = 3, .eos_token_id = TokenIds{6}}) == FinishReason::length);
  CHECK(reason({.eos_token_id = TokenIds{}}) == FinishReason::none);
  CHECK(reason({.max_length = 3, .stop_strings = std::vector<std::string>{"GH"}}) == FinishReason::stop_string);
  CHECK(reason({.max_time = 1000.0}) == FinishReason::none);
  CHECK(reason({.max_time = -1.0}) == FinishReason::max_time);
  const auto odd = make_stopping_criteria("odd", [](const SequenceRow& r) { return r.input_ids.back() % 2 == 1; });
  CHECK(reason({.max_length = 4}, {odd}) == FinishReason::criteria);
  // One of the same name takes the automatic one's place.
  CHECK(reason({.max_length = 3}, {std::make_shared<MaxLengthCriteria>(9)}) == FinishReason::none);
  CHECK_THROWS_WITH_AS(criteria_of({}, {}, {nullptr}), "stopping_criteria[0] is null", InputError);
  CHECK(name(FinishReason::stop_string) == "stop_string");
  CHECK(name(FinishReason::cancelled) == "cancelled");
}
