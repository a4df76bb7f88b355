// SPDX-License-Identifier: Apache-2.0
#include <qwen35/text/added_vocabulary.hpp>

#include <doctest/doctest.h>

#include <random>

using namespace qwen35;

namespace {

std::vector<std::array<std::size_t, 3>> matches(const AddedVocabulary& added, std::string_view text) {
  std::vector<std::array<std::size_t, 3>> out;
  for (auto match = added.find(text, 0); match.start != std::string_view::npos;
       match = added.find(text, match.start + match.size)) {
    out.push_back({match.start, match.size, static_cast<std::size_t>(match.id)});
  }
  return out;
}

using List = std::vector<std::array<std::size_t, 3>>;

}  // namespace

TEST_CASE("the leftmost, of those the longest") {
  AddedVocabulary added;
  CHECK(added.empty());
  CHECK(matches(added, "<a>").empty());
  added.add("<a>", {1});
  added.add("<a><b>", {2});
  added.add("<b>", {3});
  added.add("<", {4});
  CHECK(matches(added, "x<a><b><b><a") == List{{1, 6, 2}, {7, 3, 3}, {10, 1, 4}});
  CHECK(matches(added, "<<a>") == List{{0, 1, 4}, {1, 3, 1}});
  CHECK(matches(added, "").empty());
  CHECK(matches(added, "a>b").empty());
}

TEST_CASE("tokens with different first bytes, and one byte at the end of the text") {
  AddedVocabulary added;
  added.add("x", {1});
  added.add("\xE4\xB8\xAD", {2});
  added.add("<|", {3});
  CHECK(matches(added, "a\xE4\xB8\xAD<|<x") == List{{1, 3, 2}, {4, 2, 3}, {7, 1, 1}});
  CHECK(matches(added, "\xE4\xB8") == List{});
  CHECK(matches(added, "<") == List{});
}

TEST_CASE("of equal contents the last one counts") {
  AddedVocabulary added;
  added.add("<t>", {1});
  added.add("<t>", {5});
  CHECK(matches(added, "<t>") == List{{0, 3, 5}});
}

TEST_CASE("random tokens in random text") {
  std::mt19937 random(2);
  const auto word = [&](std::size_t longest) {
    std::string out;
    for (std::size_t n = 1 + random() % longest; n > 0; --n) {
      out += "ab<"[random() % 3];
    }
    return out;
  };
  int wrong = 0;
  for (int round = 0; round < 500; ++round) {
    AddedVocabulary added;
    std::vector<std::string> contents;
    for (std::size_t i = 0; i <= random() % 6; ++i) {
      contents.push_back((round % 2 == 0 ? "<" : "") + word(4));
      added.add(contents.back(), {static_cast<TokenId>(i)});
    }
    const std::string text = word(60);
    List expected;
    for (std::size_t i = 0; i < text.size();) {
      std::size_t longest = 0;
      std::size_t id = 0;
      for (std::size_t k = 0; k < contents.size(); ++k) {
        if (contents[k].size() >= longest && text.compare(i, contents[k].size(), contents[k]) == 0) {
          longest = contents[k].size();
          id = k;
        }
      }
      if (longest > 0) {
        expected.push_back({i, longest, id});
      }
      i += std::max<std::size_t>(longest, 1);
    }
    wrong += matches(added, text) != expected;
  }
  CHECK(wrong == 0);
}
