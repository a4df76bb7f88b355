// SPDX-License-Identifier: Apache-2.0
#include <qwen35/config/token_ids.hpp>

#include <doctest/doctest.h>

#include <vector>

using namespace qwen35;

static_assert(TokenIds{}.empty());
static_assert(TokenIds(7).size() == 1 && TokenIds(7)[0] == 7);
static_assert(TokenIds{3, 5}.contains(5) && !TokenIds{3, 5}.contains(4) && !TokenIds{3}.contains(0));
static_assert(TokenIds{3, 5} == TokenIds{3, 5} && TokenIds{3, 5} != TokenIds{5, 3} && TokenIds{0} != TokenIds{});

TEST_CASE("a list of token ids holds sixty-four") {
  TokenIds ids;
  for (TokenId id = 0; id < 64; ++id) {
    ids.push_back(id * id);
  }
  CHECK(std::vector<TokenId>(ids.begin(), ids.end()).back() == 3969);
  CHECK_THROWS_AS(ids.push_back(1), ConfigError);
  CHECK(ids.size() == 64);
}
