// SPDX-License-Identifier: Apache-2.0
#include <qwen35/text/trim.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

using namespace qwen35;

namespace {

std::string utf8(unsigned c) {
  const auto tail = [c](int shift) { return static_cast<char>(0x80 | (c >> shift & 0x3F)); };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xC0 | c >> 6), tail(0)};
  if (c < 0x10000) return {static_cast<char>(0xE0 | c >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xF0 | c >> 18), tail(12), tail(6), tail(0)};
}

}  // namespace

// The list is [c for c in range(0x110000) if chr(c).isspace()] in Python 3.
TEST_CASE("strips exactly Python's white space, from either end") {
  const unsigned spaces[] = {0x9,    0xA,    0xB,    0xC,    0xD,    0x1C,   0x1D,   0x1E,   0x1F,   0x20,
                             0x85,   0xA0,   0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006,
                             0x2007, 0x2008, 0x2009, 0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000};
  int wrong = 0;
  for (unsigned c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) {
      continue;
    }
    const bool space = std::find(std::begin(spaces), std::end(spaces), c) != std::end(spaces);
    const std::string text = utf8(c) + "é" + utf8(c);
    wrong += python_strip(text) != (space ? "é" : text);
    wrong += python_rstrip(text) != (space ? utf8(c) + "é" : text);
  }
  CHECK(wrong == 0);
}

TEST_CASE("odd lengths and cut characters") {
  CHECK(python_strip("") == "");
  CHECK(python_strip(" \n\t") == "");
  CHECK(python_strip("\xE2\x80") == "\xE2\x80");
  CHECK(python_strip("\x80\xC2") == "\x80\xC2");
  CHECK(strip_leading_newlines("\n\n \nx\n") == " \nx\n");
  CHECK(strip_leading_newlines("\n") == "");
}

TEST_CASE("ASCII's blanks") {
  CHECK(trim_blanks(" \t\n\v\f\ra b\n ") == "a b");
  CHECK(trim_blanks(" \n").empty());
  CHECK(trim_blanks("\x1F\xC2\xA0") == "\x1F\xC2\xA0");
  CHECK_FALSE(is_blank('\0'));
}
