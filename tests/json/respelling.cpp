// SPDX-License-Identifier: Apache-2.0
#include <qwen35/json/dump.hpp>
#include <qwen35/json/respelling.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace qwen35;
using json::Respelling;

namespace {

// The text as JSON, whatever the pieces it comes in; "failed" or "open" when it has not ended.
std::string respelt(std::string_view text) {
  Respelling whole;
  const std::size_t taken = whole.push(text);
  Respelling pieces;
  std::size_t taken_singly = 0;
  for (const char c : text) {
    taken_singly += pieces.push({&c, 1});
  }
  CHECK(taken_singly == taken);
  CHECK(pieces.text() == whole.text());
  CHECK(pieces.state() == whole.state());
  CHECK(pieces.python() == whole.python());
  return whole.state() == Respelling::State::done   ? whole.text()
         : whole.state() == Respelling::State::open ? "open"
                                                    : "failed";
}

std::string value_of(std::string_view text) {
  const json::Respelt read = json::try_parse_respelt(text);
  return read.value.has_value()
             ? json::dump(*read.value) + (read.python ? " python" : "") + (read.controls ? " controls" : "")
             : "none";
}

}  // namespace

// Source of the right sides: Python 3, json.dumps(ast.literal_eval(text), ensure_ascii=False).
TEST_CASE("Python's literals") {
  CHECK(value_of("{'a': 1, 'b': [True, False, None]}") == R"({"a": 1, "b": [true, false, null]} python)");
  CHECK(value_of(R"({'it': "it's", "say": '"hi"'})") == R"({"it": "it's", "say": "\"hi\""} python)");
  CHECK(value_of(R"(['it\'s', "a\"b", 'tab\t', 'nl\n', '\\', '\x41\u00e9\U0001F600', '\a\v\0'])") ==
        "[\"it's\", \"a\\\"b\", \"tab\\t\", \"nl\\n\", \"\\\\\", \"A\xC3\xA9\xF0\x9F\x98\x80\", "
        "\"\\u0007\\u000b\\u0000\"] python");
  CHECK(value_of("[(1, 2), ('a', (3,)), ()]") == R"([[1, 2], ["a", [3]], []] python)");
  CHECK(value_of("[(1), ('a'), ((2)), ([3]), ((4,)), (5, (6)), (7,)]") ==
        R"([1, "a", 2, [3], [4], [5, 6], [7]] python)");
  CHECK(value_of("(1)") == "1 python");
  CHECK(value_of("(1, 'b')") == R"([1, "b"] python)");
  CHECK(value_of("()") == "[] python");
  CHECK(value_of("({'a': 1, 'b': ')(,'})") == R"({"a": 1, "b": ")(,"} python)");
  CHECK(value_of("{'a': (\"x,\\\"\"), 'b': (1, 2,)}") == R"({"a": "x,\"", "b": [1, 2]} python)");
  CHECK(value_of("{'a': {'b': ['c', {'d': None}]},}") == R"({"a": {"b": ["c", {"d": null}]}} python)");
  CHECK(value_of(R"(['\d+\.\w'])") == R"(["\\d+\\.\\w"] python)");
  CHECK(value_of("['a\\\nb']") == R"(["ab"] python)");
  CHECK(value_of("[-1.5, 1e5, 123456789012345678901234567890, 'x']") ==
        R"([-1.5, 100000.0, 123456789012345678901234567890, "x"] python)");
}

TEST_CASE("numbers that JSON does not have become strings of their names") {
  CHECK(value_of(R"({"a": NaN, "b": [Infinity, -Infinity]})") ==
        R"({"a": "NaN", "b": ["Infinity", "-Infinity"]} python)");
  CHECK(value_of("[NaN, (NaN)]") == R"(["NaN", "NaN"] python)");
  for (const char* text : {"[nan]", "[inf]", "[+Infinity]", R"({"a": 1, NaN: 2})", "{NaN: 2}", "[-NaN]"}) {
    CHECK_MESSAGE(value_of(text) == "none", text);
  }
}

// As Python's json.loads, which gives infinity and half a pair for these: a value that holds them is not lost.
TEST_CASE("numbers beyond a double and half surrogate pairs are respelt") {
  CHECK(value_of(R"({"a": 1e400, "b": [-1.5E+999]})") == R"({"a": "1e400", "b": ["-1.5E+999"]} python)");
  CHECK(value_of("[1e-400, 1e308, 123456789012345678901234567890]") == "[0.0, 1e+308, 123456789012345678901234567890]");
  CHECK(value_of(R"({"a": 1, 1e400: 2})") == "none");
  CHECK(value_of(R"(["\ud83d\ude00", "\uD83D\uDE00", '\U0001F600'])") ==
        "[\"\xF0\x9F\x98\x80\", \"\xF0\x9F\x98\x80\", \"\xF0\x9F\x98\x80\"] python");
  CHECK(value_of(R"(["\ud83d\ude00"])") == "[\"\xF0\x9F\x98\x80\"]");
  for (const char* half : {R"(["\ud83d"])", R"(["\ude00"])", R"(["\uDBFF"])", "['\\ud800']"}) {
    CHECK(value_of(half) == "[\"\xEF\xBF\xBD\"] python");
  }
  CHECK(value_of(R"(["a\ud83d\nb", "\ud83dx", "\ud83d\ud83d\ude00", "\ude00\ud83d"])") ==
        "[\"a\xEF\xBF\xBD\\nb\", \"\xEF\xBF\xBDx\", \"\xEF\xBF\xBD\xF0\x9F\x98\x80\", "
        "\"\xEF\xBF\xBD\xEF\xBF\xBD\"] python");
  CHECK(value_of(R"(['\ud83d\x41', '\ud83d\U0001F600', "\\ud83d"])") ==
        "[\"\xEF\xBF\xBD\x41\", \"\xEF\xBF\xBD\xF0\x9F\x98\x80\", \"\\\\ud83d\"] python");
  CHECK(value_of(R"(["\ud8"])") == "none");
}

TEST_CASE("JSON stays what it is, with control characters or not") {
  CHECK(value_of(R"({"a": [1, -2.5e3, "\u00e9\"\\\/", true, null]})") ==
        R"({"a": [1, -2500.0, "é\"\\/", true, null]})");
  CHECK(value_of("{\"a\": \"x\ny\t\x01\"}") == R"({"a": "x\ny\t\u0001"} controls)");
  CHECK(value_of("3") == "3");
  CHECK(value_of("[TRUE, NULL, FALSE]") == "[true, null, false] python");
}

TEST_CASE("where a value ends, and what is none") {
  Respelling reader;
  CHECK(reader.push("  {\"a\": \"}\"} and more") == 12);
  CHECK(reader.state() == Respelling::State::done);
  CHECK(respelt("[1, [2]") == "open");
  CHECK(respelt("[1, 'a") == "open");
  CHECK(respelt("['\\") == "open");
  for (const char* text : {"x", "<", "(,)", "(1]", "[(1}", "1)", "[1}", "{1: 2}", "{x}", "[x]", "[1 <", "[1,,", "[,",
                           "{,", "[:,", "['\\xg1']", "['\\U00110000']", "[tRUE]", "[+1]"}) {
    CAPTURE(text);
    CHECK(respelt(text) == "failed");
  }
  CHECK(respelt(std::string(64, '[') + std::string(64, ']')).size() == 128);
  CHECK(respelt(std::string(65, '[')) == "failed");
  for (const char* text : {"['a' 'b']", "{'a'}", "{'a': 1, 'b'}", "[1]]", "[\"\xFF\"]", "{'a' 1}"}) {
    CAPTURE(text);
    CHECK(value_of(text) == "none");
  }
}

TEST_CASE("values that were cut off") {
  const auto closed = [](std::string_view text) {
    Respelling reader;
    reader.push(text);
    return reader.closed();
  };
  CHECK(closed(R"({"a": 1, "b": {"c": [1, 2, "x)") == R"({"a":1,"b":{"c":[1,2]}})");
  CHECK(closed(R"({"a": 1, "b)") == R"({"a":1})");
  CHECK(closed(R"({"a": 1)").empty());
  CHECK(closed("[(1, 2") == "[[1 ]]");
  CHECK(closed("[([1, 2") == "[ [1] ]");
  CHECK(closed("[(1), ((2), 3") == "[ 1 ,[ 2  ]]");
  CHECK(closed("((1,), 2") == "[[1 ] ]");
  Respelling reader;
  reader.push(R"([{"a": {"b": 1}<)");
  CHECK(reader.state() == Respelling::State::failed);
  CHECK(reader.completed() == R"([{"a":{"b":1}}])");
}
