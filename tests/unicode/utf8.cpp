// SPDX-License-Identifier: Apache-2.0
#include <qwen35/unicode/utf8.hpp>

#include <doctest/doctest.h>

#include <random>

using namespace qwen35;
using unicode::find_ill_formed;
using unicode::repair_utf8;

namespace {

constexpr auto npos = std::string_view::npos;

// U+FFFD
const std::string r = "\xEF\xBF\xBD";

}  // namespace

TEST_CASE("every code point is written, read and accepted; surrogates are not") {
  std::uint32_t wrong = 0;
  for (std::uint32_t point = 0; point < 0x110000; ++point) {
    std::string text = "ab";
    unicode::append_utf8(point, text);
    if (point >= 0xD800 && point < 0xE000) {
      wrong += find_ill_formed(text) != 2;
      continue;
    }
    const unicode::CodePoint c = unicode::decode_utf8(text, 2);
    const unicode::Utf8Step step = unicode::utf8_step(std::string_view(text).substr(2));
    wrong += c.point != point || c.size != text.size() - 2 || !step.valid || step.point != point ||
             step.size != c.size || find_ill_formed(text) != npos;
  }
  CHECK(wrong == 0);
}

TEST_CASE("the offset of the first ill-formed byte") {
  CHECK(find_ill_formed("") == npos);
  CHECK(find_ill_formed("plain text of more than eight bytes") == npos);
  CHECK(find_ill_formed("abc\xFFxyz") == 3);
  CHECK(find_ill_formed("0123456789abcdef\x80") == 16);
  CHECK(find_ill_formed("\xC3\xA9\xC3") == 2);
  CHECK(find_ill_formed("\xE4\xB8\xAD\xE4\xB8") == 3);
  CHECK(find_ill_formed("\xC0\x80") == 0);
  CHECK(find_ill_formed("\xC1\xBF") == 0);
  CHECK(find_ill_formed("\xE0\x9F\xBF") == 0);
  CHECK(find_ill_formed("x\xED\xA0\x80") == 1);
  CHECK(find_ill_formed("\xF0\x8F\xBF\xBF") == 0);
  CHECK(find_ill_formed("\xF4\x90\x80\x80") == 0);
  CHECK(find_ill_formed("\xF5\x80\x80\x80") == 0);
}

// Source of the right sides: Python 3, bytes.decode("utf-8", "replace").
TEST_CASE("each maximal ill-formed subpart becomes one replacement character") {
  CHECK(repair_utf8("a\x80z") == "a" + r + "z");
  CHECK(repair_utf8("\xE4\xB8") == r);
  CHECK(repair_utf8("\xE4\xB8z") == r + "z");
  CHECK(repair_utf8("\xF0\x9F\x98") == r);
  CHECK(repair_utf8("\xF0\x9F\xF0\x9F\x98\x80") == r + "\xF0\x9F\x98\x80");
  CHECK(repair_utf8("\xED\xA0\x80") == r + r + r);
  CHECK(repair_utf8("\xC0\xAF") == r + r);
  CHECK(repair_utf8("\xE0\x80\xAF") == r + r + r);
  CHECK(repair_utf8("\xF4\x90\x80\x80") == r + r + r + r);
  CHECK(repair_utf8("\xF1\x80\x80\xE1\x80\xC2") == r + r + r);
  CHECK(repair_utf8("\xFF\xFE") == r + r);
  CHECK(repair_utf8("\xC3\xA9t\xC3\xA9") == "\xC3\xA9t\xC3\xA9");
}

TEST_CASE("a cut sequence at the end can wait for more") {
  std::size_t used = 0;
  CHECK(repair_utf8("ab\xE4\xB8", true, &used) == "ab");
  CHECK(used == 2);
  CHECK(repair_utf8("ab\xE4\xB8\xAD\xF0", true, &used) == "ab\xE4\xB8\xAD");
  CHECK(used == 5);
  CHECK(repair_utf8("\xED\xA0", true, &used) == r + r);  // no surrogate can follow from ED A0
  CHECK(used == 2);
  CHECK(repair_utf8("\xED", true, &used) == "");
  CHECK(used == 0);
  CHECK(repair_utf8("ab\xE4\xB8", false, &used) == "ab" + r);
  CHECK(used == 4);
}

TEST_CASE("repair gives well-formed text, and leaves such text alone") {
  std::mt19937 random(3);
  const std::string_view bytes = "a\x7F\x80\xBF\xC2\xC3\xE0\xA0\xED\x9F\xE4\xB8\xF0\x90\xF4\x8F\xF5";
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    for (std::size_t k = random() % 20; k > 0; --k) {
      text += bytes[random() % bytes.size()];
    }
    const std::string once = repair_utf8(text);
    REQUIRE(find_ill_formed(once) == npos);
    REQUIRE(repair_utf8(once) == once);
    REQUIRE((find_ill_formed(text) == npos) == (once == text));
  }
}

TEST_CASE("skip_ascii stops at the first other byte") {
  for (std::size_t n = 0; n < 40; ++n) {
    const std::string text = std::string(n, 'x') + "\xC3\xA9" + "yyyyyyyyyyyy";
    for (std::size_t from = 0; from <= n; ++from) {
      REQUIRE(unicode::skip_ascii(text, from) == n);
    }
  }
  CHECK(unicode::skip_ascii("abc", 0) == 3);
  CHECK(unicode::skip_ascii("", 0) == 0);
}
