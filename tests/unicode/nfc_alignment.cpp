// SPDX-License-Identifier: Apache-2.0
#include <qwen35/json/parse.hpp>
#include <qwen35/unicode/nfc_alignment.hpp>

#include <doctest/doctest.h>

#include <fstream>

using namespace qwen35;
using Places = std::vector<std::size_t>;

TEST_CASE("random texts are aligned as the reference does") {
  std::ifstream file(QWEN35_TEST_DATA "/tokenizer/nfc.jsonl");
  std::string line;
  std::getline(file, line);
  std::size_t count = 0, wrong = 0;
  for (; std::getline(file, line); ++count) {
    const json::Value entry = json::parse(line);
    const std::string& text = entry.items()[0].as_string();
    Places expected;
    for (const json::Value& place : entry.items()[2].items()) {
      expected.push_back(static_cast<std::size_t>(place.as_integer()));
    }
    if (unicode::nfc_alignment(text) != expected && ++wrong <= 3) {
      CAPTURE(text);
      CHECK(unicode::nfc_alignment(text) == expected);
    }
  }
  CHECK(count >= 1500);
  CHECK(wrong == 0);
}

TEST_CASE("text that is in the form already, composed and decomposed characters") {
  CHECK(unicode::nfc_alignment("").empty());
  CHECK(unicode::nfc_alignment("a\xC3\xA9\xE4\xB8\xAD") == Places{0, 1, 2});
  CHECK(unicode::nfc_alignment("ae\xCC\x81z") == Places{0, 1, 3});        // e U+0301: the place of e
  CHECK(unicode::nfc_alignment("x\xE0\xA5\x98y") == Places{0, 1, 1, 2});  // U+0958 becomes two
}
