// SPDX-License-Identifier: Apache-2.0
#include <qwen35/sampling/sampler.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>

using namespace qwen35;

namespace {

constexpr float masked = -std::numeric_limits<float>::infinity();
constexpr float no_number = std::numeric_limits<float>::quiet_NaN();

// Pearson's statistic of `counts` against probabilities.
double chi_square(const std::vector<int>& counts, const std::vector<double>& p, int draws) {
  double sum = 0.0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double expected = p[i] * draws;
    sum += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  return sum;
}

}  // namespace

TEST_CASE("greedy takes the first of the largest") {
  const GreedySampler greedy;
  CHECK(greedy(std::vector<float>{1.0f, 3.0f, 3.0f, 2.0f}) == 1);
  CHECK(greedy(std::vector<float>{masked, -1e30f, masked}) == 1);
  CHECK(greedy(std::vector<float>{-0.0f, 0.0f}) == 0);
  CHECK_THROWS_AS(greedy(std::vector<float>{masked, masked}), InputError);
  CHECK_THROWS_AS(greedy(std::vector<float>{1.0f, no_number}), InputError);
  CHECK_THROWS_AS(greedy(std::vector<float>{}), InputError);
}

TEST_CASE("draws follow softmax") {
  const std::vector<float> scores{0.5f, -1.0f, masked, 2.0f, 1.25f, 0.0f, -2.0f};
  std::vector<double> p;
  double total = 0.0;
  for (const float score : scores) {
    total += std::exp(static_cast<double>(score));
  }
  MultinomialSampler sampler;
  std::vector<int> counts(scores.size());
  constexpr int draws = 40000;
  for (std::uint32_t i = 0; i < draws; ++i) {
    ++counts[static_cast<std::size_t>(sampler(scores, {.seed = 3, .sequence = i % 16, .position = i / 16}))];
  }
  CHECK(counts[2] == 0);
  counts.erase(counts.begin() + 2);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (i != 2) {
      p.push_back(std::exp(static_cast<double>(scores[i])) / total);
    }
  }
  CHECK(chi_square(counts, p, draws) < 20.5);  // 5 degrees of freedom: 0.1 %
}

TEST_CASE("draws without replacement follow successive choice") {
  const std::vector<float> scores{std::log(0.5f), std::log(0.3f), std::log(0.15f), std::log(0.05f)};
  const double p[] = {0.5, 0.3, 0.15, 0.05};
  MultinomialSampler sampler;
  std::map<std::pair<std::size_t, std::size_t>, int> seen;
  constexpr int draws = 40000;
  for (std::uint32_t i = 0; i < draws; ++i) {
    const std::vector<std::size_t> pair = sampler.without_replacement(scores, 2, {.seed = 11, .position = i});
    REQUIRE(pair.size() == 2);
    REQUIRE(pair[0] != pair[1]);
    ++seen[{pair[0], pair[1]}];
  }
  std::vector<int> counts;
  std::vector<double> expected;
  for (std::size_t a = 0; a < 4; ++a) {
    for (std::size_t b = 0; b < 4; ++b) {
      if (a != b) {
        counts.push_back(seen[{a, b}]);
        expected.push_back(p[a] * p[b] / (1.0 - p[a]));
      }
    }
  }
  CHECK(chi_square(counts, expected, draws) < 31.3);  // 11 degrees of freedom: 0.1 %
}

TEST_CASE("without replacement takes all there are, those without a probability last") {
  MultinomialSampler sampler;
  const std::vector<float> scores{masked, 0.0f, masked, 1.0f, masked};
  std::vector<std::size_t> all = sampler.without_replacement(scores, 5, {});
  CHECK(((all[0] == 1 && all[1] == 3) || (all[0] == 3 && all[1] == 1)));
  CHECK(std::vector<std::size_t>(all.begin() + 2, all.end()) == std::vector<std::size_t>{0, 2, 4});
  CHECK_THROWS_WITH_AS(sampler.without_replacement(scores, 6, {}), "cannot draw 6 different tokens of 5", InputError);
}

TEST_CASE("the last token with a probability is the last that is drawn; scores without softmax are refused") {
  MultinomialSampler sampler;
  std::vector<float> scores(1000, masked);
  scores[17] = -5.0f;
  for (std::uint32_t i = 0; i < 50; ++i) {
    CHECK(sampler(scores, {.position = i}) == 17);
  }
  CHECK_THROWS_AS(sampler(std::vector<float>{masked, masked}, {}), InputError);
  CHECK_THROWS_AS(sampler(std::vector<float>{1.0f, no_number}, {}), InputError);
  CHECK_THROWS_AS(sampler(std::vector<float>{1.0f, std::numeric_limits<float>::infinity()}, {}), InputError);
  CHECK_THROWS_AS(sampler(std::vector<float>{}, {}), InputError);
  CHECK_THROWS_AS(sampler.without_replacement(std::vector<float>{masked, masked}, 1, {}), InputError);
}
