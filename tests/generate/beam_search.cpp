// SPDX-License-Identifier: Apache-2.0
// The state alone, step by step; whole searches are compared with the reference's in generate.cpp.
#include <qwen35/generate/beam_search.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace qwen35;

namespace {

constexpr std::size_t vocab_size = 6;
constexpr TokenId eos = 5;

// Log probabilities of one row from weights.
std::vector<float> row(std::initializer_list<double> weights) {
  double total = 0.0;
  for (const double weight : weights) {
    total += weight;
  }
  std::vector<float> out;
  for (const double weight : weights) {
    out.push_back(static_cast<float>(std::log(weight / total)));
  }
  return out;
}

void step(BeamSearch& search, const std::vector<std::vector<float>>& rows, const StoppingCriteriaList& criteria) {
  std::vector<float> scores;
  for (const auto& values : rows) {
    scores.insert(scores.end(), values.begin(), values.end());
  }
  search.step(
      scores, criteria, [](std::size_t) { return SequenceRow{}; }, [](std::size_t) { return DrawKey{}; });
}

StoppingCriteriaList criteria_until(std::size_t max_length) {
  return {std::make_shared<EosTokenCriteria>(TokenIds{eos}), std::make_shared<MaxLengthCriteria>(max_length)};
}

}  // namespace

TEST_CASE("only the first beam counts at the start; later all compete") {
  BeamSearch search({.num_beams = 2, .eos_tokens = 1, .max_length = 4}, {{9}});
  const auto criteria = criteria_until(4);
  const std::vector<float> start = row({0.01, 0.6, 0.3, 0.05, 0.03, 0.01});
  step(search, {start, row({0.9, 0.02, 0.02, 0.02, 0.02, 0.02})}, criteria);
  CHECK(search.ids(0) == std::vector<TokenId>{9, 1});
  CHECK(search.ids(1) == std::vector<TokenId>{9, 2});
  CHECK(std::vector<std::size_t>(search.beam_idx().begin(), search.beam_idx().end()) == std::vector<std::size_t>{0, 0});
  CHECK_FALSE(search.done());
  // The second beam's certain token beats both of the first's.
  step(search, {row({0.2, 0.2, 0.2, 0.15, 0.15, 0.1}), row({0.001, 0.001, 0.001, 0.99, 0.001, 0.006})}, criteria);
  CHECK(search.ids(0) == std::vector<TokenId>{9, 2, 3});
  CHECK(search.ids(1) == std::vector<TokenId>{9, 1, 0});
  CHECK(std::vector<std::size_t>(search.beam_idx().begin(), search.beam_idx().end()) == std::vector<std::size_t>{1, 0});
}

TEST_CASE("a finished sequence is kept with its penalised score, and the search ends when nothing can beat it") {
  BeamSearch search({.num_beams = 2, .eos_tokens = 1, .max_length = 10, .length_penalty = 1.0}, {{9}});
  const auto criteria = criteria_until(10);
  step(search, {row({0.1, 0.2, 0.05, 0.05, 0.1, 0.5}), row({1, 1, 1, 1, 1, 1})}, criteria);
  CHECK(search.best(0, 1)[0].ids == std::vector<TokenId>{9, eos});
  CHECK(search.best(0, 1)[0].score == doctest::Approx(std::log(0.5)));
  CHECK(search.best(0, 1)[0].reason == FinishReason::stop);
  CHECK(search.best(0, 2)[1].reason == FinishReason::none);
  CHECK_FALSE(search.done());
  step(search, {row({0.01, 0.01, 0.01, 0.01, 0.01, 0.95}), row({0.01, 0.01, 0.01, 0.01, 0.01, 0.95})}, criteria);
  const auto best = search.best(0, 2);
  CHECK(best[0].ids == std::vector<TokenId>{9, eos});
  CHECK(best[1].ids == std::vector<TokenId>{9, 1, eos});
  CHECK(best[1].score == doctest::Approx(std::log(0.2 * 0.95) / 2));
  CHECK(best[1].beam_indices == std::vector<std::int32_t>{0, 0});
  CHECK(search.done());  // two finished, and the best that runs has a hundredth
}

TEST_CASE("early_stopping ends with the last place taken, never goes on to the full length") {
  for (const EarlyStopping early : {EarlyStopping::yes, EarlyStopping::no, EarlyStopping::never}) {
    BeamSearch search(
        {.num_beams = 2, .eos_tokens = 1, .max_length = 30, .length_penalty = 2.0, .early_stopping = early}, {{9}});
    const auto criteria = criteria_until(30);
    step(search, {row({0.1, 0.3, 0.05, 0.05, 0.1, 0.4}), row({1, 1, 1, 1, 1, 1})}, criteria);
    step(search, {row({0.3, 0.01, 0.01, 0.01, 0.01, 0.66}), row({1, 1, 1, 1, 1, 1})}, criteria);
    CHECK(search.best(0, 2)[1].reason == FinishReason::stop);
    CHECK(search.done() == (early == EarlyStopping::yes));
  }
}

TEST_CASE("the length ends every beam; of equal candidates the first is taken") {
  BeamSearch search({.num_beams = 2, .eos_tokens = 0, .max_length = 2, .length_penalty = 0.0}, {{9}, {8}});
  const std::vector<float> flat = row({1, 1, 1, 1, 1, 1});
  step(search, {flat, flat, flat, flat}, criteria_until(2));
  CHECK(search.done());
  CHECK(search.best(1, 2)[0].ids == std::vector<TokenId>{8, 0});
  CHECK(search.best(1, 2)[1].ids == std::vector<TokenId>{8, 1});
  CHECK(search.best(1, 2)[0].beam_indices == std::vector<std::int32_t>{2});
  CHECK(search.best(0, 1)[0].reason == FinishReason::length);
}

TEST_CASE("scores of NaN, masked ones alone, no prompt and too small a vocabulary are refused") {
  BeamSearch search({.num_beams = 2, .eos_tokens = 1, .max_length = 4}, {{9}});
  std::vector<float> bad(vocab_size, 0.0f);
  bad[3] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(step(search, {bad, bad}, criteria_until(4)), InputError);
  CHECK_THROWS_WITH_AS(step(search, {{0.0f}, {0.0f}}, criteria_until(4)), "beam search needs 4 candidates of 2",
                       InputError);
  const std::vector<float> masked(vocab_size, -std::numeric_limits<float>::infinity());
  CHECK_THROWS_WITH_AS(step(search, {masked, masked}, criteria_until(4)), doctest::Contains("every token is masked"),
                       InputError);
  CHECK_THROWS_AS(BeamSearch({.num_beams = 2, .max_length = 4}, {}), InputError);
  CHECK_THROWS_AS(BeamSearch({.num_beams = 0, .max_length = 4}, {{1}}), InputError);
  CHECK_THROWS_WITH_AS(BeamSearch({.num_beams = 2, .max_length = 4, .length_penalty = -1e9}, {{1}}),
                       "length_penalty is -1000000000.0, and 3 new tokens to its power are no float", InputError);
  CHECK_THROWS_AS(BeamSearch({.num_beams = 2, .max_length = 40, .length_penalty = 1e30}, {{1}}), InputError);
}
