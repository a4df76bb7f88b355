// SPDX-License-Identifier: Apache-2.0
#include <qwen35/json/parse.hpp>
#include <qwen35/unicode/nfc.hpp>

#include <doctest/doctest.h>

#include <fstream>

using namespace qwen35;
using unicode::nfc;

namespace {

std::vector<json::Value> recorded() {
  std::ifstream file(QWEN35_TEST_DATA "/tokenizer/nfc.jsonl");
  std::vector<json::Value> lines;
  for (std::string line; std::getline(file, line);) {
    lines.push_back(json::parse(line));
  }
  REQUIRE(lines.size() == 1501);
  return lines;
}

}  // namespace

TEST_CASE("every code point alone is normalised as the reference does") {
  std::uint64_t digest = 0xCBF29CE484222325u;
  std::string text;
  for (std::uint32_t point = 0; point < unicode::code_points; ++point) {
    if (point < 0xD800 || point >= 0xE000) {
      text.clear();
      unicode::append_utf8(point, text);
      for (const char byte : nfc(text) + "\n") {
        digest = (digest ^ static_cast<unsigned char>(byte)) * 0x100000001B3u;
      }
    }
  }
  char hex[17];
  std::snprintf(hex, sizeof hex, "%016llx", static_cast<unsigned long long>(digest));
  CHECK(std::string(hex) == recorded()[0].at("every_code_point").as_string());
}

TEST_CASE("random texts are normalised as the reference does") {
  const std::vector<json::Value> lines = recorded();
  int wrong = 0;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::string& text = lines[i].items()[0].as_string();
    const std::string& expected = lines[i].items()[1].as_string();
    if (nfc(text) != expected && ++wrong <= 3) {
      CAPTURE(text);
      CHECK(nfc(text) == expected);
    }
    wrong += nfc("abc" + text + "x") != "abc" + expected + "x" && nfc("\n" + text) != "\n" + expected;
    wrong += nfc(expected) != expected;
  }
  CHECK(wrong == 0);
}

TEST_CASE("what later versions of Unicode changed") {
  CHECK(nfc("\xF0\x91\xA4\xB5\xF0\x91\xA4\xB0") ==
        "\xF0\x91\xA4\xB5\xF0\x91\xA4\xB0");                               // U+11935 U+11930 compose since 13.0
  CHECK(nfc("a\xF0\x9E\x82\x8F\xCC\xA7") == "a\xF0\x9E\x82\x8F\xCC\xA7");  // U+1E08F reorders since 15.0
  CHECK(nfc("e\xCC\x81") == "\xC3\xA9");
  CHECK(nfc("e\xCC\x81\xCC\xA7") == "\xC8\xA9\xCC\x81");
}

TEST_CASE("text in the form already is found so, and copied") {
  CHECK(unicode::find_nfc_active("") == std::string_view::npos);
  CHECK(unicode::find_nfc_active("plain \xC3\xA9\xE4\xB8\xAD\xE3\x81\x82\xEA\xB0\x80\xF0\x9F\x98\x80") ==
        std::string_view::npos);
  CHECK(unicode::find_nfc_active("ab\xE4\xB8\xAD e\xCC\x81") == 7);
  CHECK(unicode::find_nfc_active("\xE1\x86\xA8") == 0);
  CHECK(nfc("") == "");
}

// A run of marks in falling order: sorted by insertion this takes minutes.
TEST_CASE("long runs of marks") {
  std::string text = "a";
  std::string expected = "a";
  const int count = 200000;
  for (int i = 0; i < count; ++i) {
    text += i % 2 == 0 ? "\xCD\x85" : "\xCC\xB4";  // U+0345 (class 240), U+0334 (class 1)
  }
  for (int i = 0; i < count; ++i) {
    expected += i < count / 2 ? "\xCC\xB4" : "\xCD\x85";
  }
  CHECK((nfc(text) == expected));
}
