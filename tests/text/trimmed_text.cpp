// SPDX-License-Identifier: Apache-2.0
#include <qwen35/text/trimmed_text.hpp>

#include <doctest/doctest.h>

using namespace qwen35;

TEST_CASE("white space is held back until something follows") {
  TrimmedText text;
  CHECK(text.add(" \n").empty());
  CHECK(text.blank());
  CHECK(text.add("a ") == " \na");
  CHECK(text.held() == 1);
  CHECK(text.add("\n").empty());
  CHECK(text.at_line_start());
  CHECK(text.add("b\t") == " \nb");
  CHECK_FALSE(text.at_line_start());
  text.drop_held(0);
  CHECK(text.add("c") == "c");
}

TEST_CASE("white space at the beginning can be dropped") {
  TrimmedText text;
  CHECK(text.add("\n\n").empty());
  text.drop_leading();
  CHECK(text.add(" \t").empty());
  CHECK(text.held() == 0);
  CHECK(text.add(" a") == "a");
  text.drop_leading();
  CHECK(text.add(" b") == " b");
}

TEST_CASE("a line of its own") {
  TrimmedText text;
  text.break_line();
  CHECK(text.add("a") == "a");
  text.break_line();
  CHECK(text.add("b") == "\nb");
  CHECK(text.add("\n").empty());
  text.break_line();
  CHECK(text.add("c") == "\nc");
}
