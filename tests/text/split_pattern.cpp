// SPDX-License-Identifier: Apache-2.0
#include <qwen35/json/parse.hpp>
#include <qwen35/text/split_pattern.hpp>

#include <doctest/doctest.h>

#include <fstream>

using namespace qwen35;

namespace {

std::vector<std::string> pieces(std::string_view text, SplitPattern pattern = SplitPattern::qwen35) {
  const Splitter splitter(pattern);
  std::vector<std::string> out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = splitter.piece_end(text, i);
    REQUIRE(end > i);
    REQUIRE(end <= text.size());
    out.emplace_back(text.substr(i, end - i));
    i = end;
  }
  return out;
}

json::Value ends(std::string_view text, SplitPattern pattern) {
  json::Value out = json::Value::array();
  std::size_t end = 0;
  for (const std::string& piece : pieces(text, pattern)) {
    out.push_back(end += piece.size());
  }
  return out;
}

using List = std::vector<std::string>;

}  // namespace

TEST_CASE("each alternative") {
  CHECK(pieces("I'll don't 'VE'") == List{"I", "'ll", " don", "'t", " '", "VE", "'"});
  CHECK(pieces("'sure'\xC5\xBF'x") == List{"'s", "ure", "'\xC5\xBF", "'x"});
  CHECK(pieces(".word\tword\xC2\xA0word (word") == List{".word", "\tword", "\xC2\xA0word", " (", "word"});
  CHECK(pieces("123\xC2\xBD") == List{"1", "2", "3", "\xC2\xBD"});
  CHECK(pieces(" ...\r\n\nx") == List{" ...\r\n\n", "x"});
  CHECK(pieces("\t...x") == List{"\t", "...", "x"});
  CHECK(pieces("  \n \r\n  x") == List{"  \n \r\n", " ", " x"});
  CHECK(pieces("   9") == List{"  ", " ", "9"});
  CHECK(pieces("x   ") == List{"x", "   "});
  CHECK(pieces("\n\nx") == List{"\n\n", "x"});
  CHECK(pieces("").empty());
}

TEST_CASE("marks belong to words in the newer pattern only") {
  const std::string text = "\xE0\xA4\x95\xE0\xA5\x8D\xE0\xA4\xB7";  // ka, virama, ssa
  CHECK(pieces(text) == List{text});
  CHECK(pieces(text, SplitPattern::qwen2) == List{"\xE0\xA4\x95", "\xE0\xA5\x8D\xE0\xA4\xB7"});
  CHECK(pieces("\xCC\x81") == List{"\xCC\x81"});
  CHECK(pieces(".\xCC\x81.") == List{".\xCC\x81", "."});
  CHECK(pieces(".\xCC\x81.", SplitPattern::qwen2) == List{".\xCC\x81."});
}

TEST_CASE("5,000 recorded texts are cut as the reference cuts them, by both patterns") {
  std::ifstream file(QWEN35_TEST_DATA "/tokenizer/splits.jsonl");
  std::string line;
  std::getline(file, line);
  int count = 0;
  int wrong = 0;
  while (std::getline(file, line)) {
    const json::Value entry = json::parse(line);
    const std::string& text = entry.items()[0].as_string();
    const json::Value& newer = entry.items()[1];
    const json::Value& older = entry.items().size() > 2 ? entry.items()[2] : newer;
    if (!(ends(text, SplitPattern::qwen35) == newer && ends(text, SplitPattern::qwen2) == older) && ++wrong <= 3) {
      CAPTURE(line);
      CHECK(json::dump(ends(text, SplitPattern::qwen35)) == json::dump(newer));
      CHECK(json::dump(ends(text, SplitPattern::qwen2)) == json::dump(older));
    }
    ++count;
  }
  CHECK(wrong == 0);
  CHECK(count == 5000);
}
