// SPDX-License-Identifier: Apache-2.0
#include <qwen35/sampling/ranking.hpp>

#include <doctest/doctest.h>

#include <algorithm>

#include <numeric>
#include <random>

using namespace qwen35;

TEST_CASE("the largest are those of a full sort, of equals the first or the last") {
  std::mt19937 random(1);
  std::vector<std::uint64_t> ranked;
  for (const std::size_t size : std::vector<std::size_t>{1, 2, 63, 64, 65, 200, 1000, 5000}) {
    for (const int kinds : {3, 1000000}) {
      std::vector<float> scores(size);
      for (float& score : scores) {
        score = static_cast<float>(static_cast<int>(random() % static_cast<unsigned>(kinds)) - kinds / 2) / 7.0f;
      }
      for (const std::size_t count : std::vector<std::size_t>{1, 2, 5, 50, 64, 300, 4999, 6000}) {
        for (const bool last_first : {false, true}) {
          std::vector<std::size_t> order(size);
          std::iota(order.begin(), order.end(), std::size_t{0});
          std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
            return scores[a] != scores[b] ? scores[a] > scores[b] : last_first ? a > b : a < b;
          });
          select_largest(scores, count, ranked, last_first);
          REQUIRE(ranked.size() == std::min(count, size));
          bool same = true;
          for (std::size_t i = 0; i < ranked.size(); ++i) {
            same = same && Ranked::index(ranked[i], last_first) == order[i] &&
                   Ranked::score(ranked[i]) == scores[order[i]];
          }
          CHECK(same);
        }
      }
    }
  }
}

TEST_CASE("order of the special numbers; NaN stands above all and is found") {
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(Ranked::order(-inf) < Ranked::order(-1.0f));
  CHECK(Ranked::order(-1e-45f) < Ranked::order(0.0f));
  CHECK(Ranked::order(-0.0f) == Ranked::order(0.0f));
  CHECK(Ranked::order(0.0f) < Ranked::order(1e-45f));
  CHECK(Ranked::order(3.0f) < Ranked::order(inf));
  CHECK(Ranked::order(inf) < Ranked::order(nan));
  CHECK(Ranked::order(-nan) == Ranked::order(nan));
  std::vector<float> scores(500, -inf);
  scores[450] = nan;
  scores[3] = inf;
  std::vector<std::uint64_t> ranked;
  select_largest(scores, 3, ranked);
  CHECK(Ranked::index(ranked[0]) == 450);
  CHECK(Ranked::index(ranked[1]) == 3);
  CHECK(Ranked::index(ranked[2]) == 0);
  scores.assign(500, nan);
  select_largest(scores, 3, ranked);
  CHECK(Ranked::index(ranked[2]) == 2);
  select_largest({}, 3, ranked);
  CHECK(ranked.empty());
  select_largest(scores, 0, ranked);
  CHECK(ranked.empty());
}
