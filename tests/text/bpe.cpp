// SPDX-License-Identifier: Apache-2.0
#include <qwen35/text/bpe.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>

using namespace qwen35;

namespace {

// Merges over the letters a to d, whose ids are their codes; made tokens count up from 256.
struct Rules {
  std::vector<std::array<TokenId, 3>> list;  // left, right, merged
  MergeTable table;

  explicit Rules(std::vector<std::array<TokenId, 3>> merges) : list(std::move(merges)) {
    std::array<TokenId, 256> bytes{};
    for (TokenId i = 0; i < 256; ++i) {
      bytes[static_cast<std::size_t>(i)] = i;
    }
    table.reset(bytes, list.size());
    for (const auto& [left, right, merged] : list) {
      table.add(left, right, merged);
    }
    table.finish();
  }
};

Rules random_rules(std::mt19937& random, int count) {
  std::vector<std::array<TokenId, 3>> list;
  std::map<std::pair<TokenId, TokenId>, bool> seen;
  std::vector<TokenId> tokens{'a', 'b', 'c', 'd'};
  while (static_cast<int>(list.size()) < count) {
    const TokenId left = tokens[random() % tokens.size()];
    const TokenId right = tokens[random() % tokens.size()];
    if (!seen.emplace(std::pair(left, right), true).second) {
      continue;
    }
    const TokenId merged = 256 + static_cast<TokenId>(list.size());
    list.push_back({left, right, merged});
    tokens.push_back(merged);
  }
  std::shuffle(list.begin(), list.end(), random);
  return Rules(std::move(list));
}

// The definition, word for word.
std::vector<TokenId> slow(std::string_view text, const Rules& rules) {
  std::map<std::pair<TokenId, TokenId>, std::size_t> ranks;
  for (std::size_t i = 0; i < rules.list.size(); ++i) {
    ranks[{rules.list[i][0], rules.list[i][1]}] = i;
  }
  std::vector<TokenId> ids(text.begin(), text.end());
  while (true) {
    std::size_t best = SIZE_MAX;
    std::size_t place = 0;
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      const auto found = ranks.find({ids[i], ids[i + 1]});
      if (found != ranks.end() && found->second < best) {
        best = found->second;
        place = i;
      }
    }
    if (best == SIZE_MAX) {
      return ids;
    }
    ids[place] = rules.list[best][2];
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(place) + 1);
  }
}

std::vector<TokenId> fast(std::string_view text, const Rules& rules) {
  static BpeMerger merger;
  const std::span<const TokenId> ids = merger.encode(text, rules.table);
  return {ids.begin(), ids.end()};
}

}  // namespace

TEST_CASE("the lowest rank first, the leftmost of equals") {
  const Rules rules({{'b', 'c', 256}, {'a', 'b', 257}, {'a', 'a', 258}});
  CHECK(fast("abc", rules) == std::vector<TokenId>{'a', 256});
  CHECK(fast("aaa", rules) == std::vector<TokenId>{258, 'a'});
  CHECK(fast("aaab", rules) == std::vector<TokenId>{258, 257});
  CHECK(fast("", rules).empty());
  CHECK(fast("x", rules) == std::vector<TokenId>{'x'});
}

TEST_CASE("pairs without a merge have no rank") {
  const Rules rules({{'a', 'b', 256}});
  CHECK(rules.table.rank('a', 'b') == 0);
  CHECK(rules.table.rank('b', 'a') == MergeTable::none);
  CHECK(rules.table.rank(token_id_limit - 1, token_id_limit - 1) == MergeTable::none);
  CHECK(rules.table.byte_pair_rank('a', 'b') == 0);
  CHECK(rules.table.byte_pair_rank('b', 'b') == MergeTable::none);
  CHECK(Rules({}).table.rank('a', 'b') == MergeTable::none);
}

TEST_CASE("of equal pairs the last merge counts") {
  const Rules rules({{'a', 'b', 256}, {'b', 'c', 257}, {'a', 'b', 258}});
  CHECK(fast("abc", rules) == std::vector<TokenId>{'a', 257});
  CHECK(fast("ab", rules) == std::vector<TokenId>{258});
}

TEST_CASE("short and long pieces follow the definition under random merges") {
  std::mt19937 random(4);
  int wrong = 0;
  for (int round = 0; round < 60; ++round) {
    const Rules rules = random_rules(random, 2 + round);
    for (int i = 0; i < 30; ++i) {
      std::string text;
      for (std::size_t n = 1 + random() % (i % 3 == 0 ? 200 : 50); n > 0; --n) {
        text += static_cast<char>('a' + random() % 4);
      }
      wrong += fast(text, rules) != slow(text, rules);
    }
  }
  CHECK(wrong == 0);
}

// With a quadratic algorithm this takes hours.
TEST_CASE("a piece of a million bytes") {
  std::mt19937 random(5);
  const Rules rules = random_rules(random, 40);
  std::string text;
  for (int i = 0; i < 1000003; ++i) {
    text += static_cast<char>('a' + random() % 4);
  }
  std::map<TokenId, std::string> bytes;
  for (const char c : {'a', 'b', 'c', 'd'}) {
    bytes[c] = std::string(1, c);
  }
  for (TokenId made = 256; made < 296; ++made) {
    for (const auto& [left, right, merged] : rules.list) {
      if (merged == made) {
        bytes[made] = bytes[left] + bytes[right];
      }
    }
  }
  std::string back;
  const std::vector<TokenId> ids = fast(text, rules);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    back += bytes[ids[i]];
    if (i + 1 < ids.size()) {
      REQUIRE(rules.table.rank(ids[i], ids[i + 1]) == MergeTable::none);
    }
  }
  CHECK((back == text));
  CHECK(fast("abab", rules) == slow("abab", rules));
  CHECK(!fast(std::string(1 << 20, 'a'), rules).empty());
}
