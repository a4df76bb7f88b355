// SPDX-License-Identifier: Apache-2.0
#include <qwen35/sampling/token_chooser.hpp>

#include <doctest/doctest.h>

#include <cmath>

using namespace qwen35;

namespace {

const std::vector<float> logits{0.5f, 2.0f, 1.5f, -1.0f};

}  // namespace

TEST_CASE("the largest logit is chosen after the processors, and the criteria see it") {
  const TokenChooser chooser({.max_length = 4, .repetition_penalty = 4.0, .eos_token_id = TokenIds{2}}, 2,
                             {.stopping_criteria = {make_stopping_criteria(
                                  "zero", [](const SequenceRow& row) { return row.generated().back() == 0; })}});
  ChooserScratch scratch;
  std::vector<TokenId> ids{3, 1};
  std::vector<float> scores = logits;
  const ChosenToken first = chooser.choose({.prompt_length = 2}, ids, scores, {}, scratch);
  CHECK(first.id == 2);  // 1 stands in the prompt: 2 / 4
  CHECK(first.reason == FinishReason::stop);
  CHECK(ids == std::vector<TokenId>{3, 1, 2});
  CHECK(scores == std::vector<float>{0.5f, 0.5f, 1.5f, -4.0f});
  scores = logits;
  ids = {1, 2};
  const ChosenToken second = chooser.choose({.prompt_length = 2}, ids, scores, {}, scratch);
  CHECK(second.id == 0);
  CHECK(second.reason == FinishReason::criteria);
  scores = logits;
  ids = {1, 2, 3};
  scores[0] = 0.1f;
  const ChosenToken third = chooser.choose({.prompt_length = 2}, ids, scores, {}, scratch);
  CHECK(third.id == 1);
  CHECK(third.reason == FinishReason::length);
}

TEST_CASE("draws are those of the sampler for the same key, whoever shares the scratch") {
  const TokenChooser chooser({.do_sample = true, .temperature = 2.0}, 1);
  ChooserScratch scratch;
  std::vector<float> halved = logits;
  for (float& score : halved) {
    score /= 2.0f;
  }
  MultinomialSampler sampler;
  std::vector<int> counts(logits.size());
  for (std::uint32_t position = 0; position < 300; ++position) {
    const DrawKey key{.seed = 3, .sequence = 1, .position = position};
    std::vector<float> scores = logits;
    std::vector<TokenId> ids{1};
    const ChosenToken chosen = chooser.choose({.prompt_length = 1}, ids, scores, key, scratch);
    CHECK(chosen.id == sampler(halved, key));
    CHECK(chosen.reason == FinishReason::none);
    ++counts[static_cast<std::size_t>(chosen.id)];
  }
  CHECK(counts[1] > counts[0]);
  CHECK(counts[3] > 0);
}

TEST_CASE("what a processor raises leaves the ids as they were") {
  const TokenChooser chooser({}, 1,
                             {.logits_processor = {make_logits_processor(
                                  "refuses", [](const SequenceRow&, std::span<float>) { raise<InputError>("no"); })}});
  ChooserScratch scratch;
  std::vector<TokenId> ids{1};
  std::vector<float> scores = logits;
  CHECK_THROWS_WITH_AS(chooser.choose({.prompt_length = 1}, ids, scores, {}, scratch), "no", InputError);
  CHECK(ids == std::vector<TokenId>{1});
  const std::vector<float> masked(4, -std::numeric_limits<float>::infinity());
  scores = masked;
  const TokenChooser plain({}, 1);
  CHECK_THROWS_AS(plain.choose({.prompt_length = 1}, ids, scores, {}, scratch), InputError);
  CHECK(ids == std::vector<TokenId>{1});
  CHECK_THROWS_AS(TokenChooser({.stop_strings = std::vector<std::string>{"a"}}, 1), InputError);
}
