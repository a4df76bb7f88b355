// SPDX-License-Identifier: Apache-2.0
#include <qwen35/json/read.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace qwen35;

namespace {

// All events as one line.
struct Listing {
  std::string text;
  bool add(const std::string& event) {
    text += (text.empty() ? "" : " ") + event;
    return true;
  }
  bool null() { return add("null"); }
  bool boolean(bool value) { return add(value ? "true" : "false"); }
  bool integer(std::int64_t value) { return add("int:" + std::to_string(value)); }
  bool big_integer(std::string_view digits) { return add("big:" + std::string(digits)); }
  bool number(double value) { return add("num:" + std::to_string(value)); }
  bool string(std::string_view value) { return add("str:" + std::string(value)); }
  bool begin_array() { return add("["); }
  bool end_array() { return add("]"); }
  bool begin_object() { return add("{"); }
  bool key(std::string_view value) { return add("key:" + std::string(value)); }
  bool end_object() { return add("}"); }
};

}  // namespace

TEST_CASE("every event, in the text's order") {
  Listing all;
  json::read(
      R"({"a": [null, true, false, -7, 9223372036854775807, 9223372036854775808, -1e2, 0.5], "\u00e9": {}, "s": "x\ny"})",
      all);
  CHECK(all.text ==
        "{ key:a [ null true false int:-7 int:9223372036854775807 big:9223372036854775808 num:-100.000000 num:0.500000 "
        "] key:\xC3\xA9 { } key:s str:x\ny }");
}

TEST_CASE("a handler that returns false ends the reading, and the place is told") {
  struct Count : json::IgnoreEvents {
    int strings = 0;
    bool string(std::string_view) { return ++strings < 3; }
  };
  Count count;
  json::read("[\"a\", [\"b\"]]", count);
  CHECK(count.strings == 2);
  const json::ReadResult stopped = json::try_read("[1, \"c\", \"d\"]", count);
  CHECK(!stopped.ok);
  CHECK(stopped.offset == 7);
  CHECK(stopped.problem.find("byte 7") != std::string::npos);
  CHECK_THROWS_WITH_AS(json::read("[", count, "a.json"), doctest::Contains("a.json: not valid JSON at byte 1"),
                       TextError);
}
