// SPDX-License-Identifier: Apache-2.0
#include <qwen35/config/token_ids.hpp>

#include <doctest/doctest.h>

#include <utility>
#include <vector>

using namespace qwen35;

static_assert(TokenIds{}.empty());
static_assert(TokenIds(7).size() == 1 && TokenIds(7)[0] == 7);
static_assert(TokenIds{3, 5}.contains(5) && !TokenIds{3, 5}.contains(4) && !TokenIds{3}.contains(0));
static_assert(TokenIds{3, 5} == TokenIds{3, 5} && TokenIds{3, 5} != TokenIds{5, 3} && TokenIds{0} != TokenIds{});

// A list that is too long to stand inside can be used while compiling, too.
static_assert([] {
  TokenIds ids;
  for (TokenId id = 0; id < 200; ++id) {
    ids.push_back(id);
  }
  return TokenIds(ids) == ids && ids.contains(199) && !ids.contains(200);
}());

TEST_CASE("a list of token ids holds any number, and is a value") {
  std::vector<TokenId> expected;
  TokenIds ids;
  for (TokenId id = 0; id < 1000; ++id) {
    const TokenIds before = ids;
    ids.push_back(id * id);
    expected.push_back(id * id);
    REQUIRE(std::vector<TokenId>(ids.begin(), ids.end()) == expected);
    REQUIRE(before.size() + 1 == ids.size());
    REQUIRE(before != ids);
  }
  TokenIds other = ids;
  other.push_back(7);
  CHECK(ids.size() == 1000);
  CHECK(other[1000] == 7);
  TokenIds moved = std::move(other);
  CHECK(moved.size() == 1001);
  moved = TokenIds{3};
  CHECK(moved == TokenIds{3});
  moved = ids;
  CHECK(moved == ids);
  const TokenIds& same = moved;
  moved = same;
  CHECK(moved == ids);
}
