// SPDX-License-Identifier: Apache-2.0
#include <qwen35/json/builder.hpp>
#include <qwen35/json/number.hpp>
#include <qwen35/json/parse.hpp>
#include <qwen35/json/read.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>

using namespace qwen35;
using json::dump;
using json::parse;
using json::Value;

namespace {

// Parses a copy of exactly the text's size, so that a read past its end is seen by the address sanitizer.
Value parse_exact(std::string_view text) {
  const std::unique_ptr<char[]> copy(new char[text.size()]);
  std::memcpy(copy.get(), text.data(), text.size());
  return parse(std::string_view(copy.get(), text.size()));
}

std::string error_of(std::string_view text) {
  try {
    parse_exact(text);
  } catch (const TextError& error) {
    return error.what();
  }
  return "no error";
}

bool says(std::string_view text, std::string_view part) {
  const std::string error = error_of(text);
  CAPTURE(error);
  return error.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("values of every kind") {
  const Value v = parse(
      R"( {"n": null, "t": true, "f": false, "i": -12, "big": 9223372036854775807, "d": 1.5e3, "s": "a\u00e9\n\ud83d\ude00\/", "e": {}, "l": [1, [2], []]} )");
  CHECK(v.size() == 9);
  CHECK(v.at("n").is_null());
  CHECK(v.at("t").as_bool());
  CHECK(!v.at("f").as_bool());
  CHECK(v.at("i").as_integer() == -12);
  CHECK(v.at("big").as_integer() == INT64_MAX);
  CHECK(v.at("d").kind() == json::Kind::number);
  CHECK(v.at("d").as_number() == 1500.0);
  CHECK(v.at("s").as_string() == "a\xC3\xA9\n\xF0\x9F\x98\x80/");
  CHECK(v.at("e").is_object());
  CHECK(v.at("l").items()[1].items()[0].as_integer() == 2);
  CHECK(parse("3").as_integer() == 3);
  CHECK(parse("\"\\u0000\"").as_string() == std::string(1, '\0'));
  CHECK(parse("-9223372036854775808").as_integer() == INT64_MIN);
}

TEST_CASE("integers of any size keep their digits") {
  const char* digits[] = {"9223372036854775808", "18446744073709551615", "18446744073709551616", "-9223372036854775809",
                          "123456789012345678901234567890"};
  for (const char* text : digits) {
    CAPTURE(text);
    const Value value = parse(text);
    CHECK(value.kind() == json::Kind::integer);
    CHECK_FALSE(value.is_integer());
    CHECK(value.as_number() == std::strtod(text, nullptr));
    CHECK(dump(value) == text);
    CHECK(parse(std::string("[") + text + ", {\"a\": " + text + "}]").items()[1].at("a") == value);
  }
  const std::string long_one = "-1" + std::string(306, '7');
  CHECK(dump(parse(long_one)) == long_one);
  CHECK(says("1" + std::string(400, '0'), "Number too big"));  // the library's own limit
  CHECK(parse("-0").as_integer() == 0);
  CHECK(dump(parse("-0")) == "0");
  CHECK(dump(parse("[-1e-400, -0.0]")) == "[-0.0, -0.0]");
}

TEST_CASE("text that is no JSON, without an error") {
  CHECK(json::try_parse("[1]").value() == parse("[1]"));
  CHECK_FALSE(json::try_parse("[1").has_value());
}

TEST_CASE("keys that stand more than once are told with those of the objects around them") {
  const auto repeated = [](std::string_view text) {
    json::Builder builder;
    CHECK(json::try_read(text, builder).ok);
    return builder.repeated().text();
  };
  CHECK(repeated(R"({"a": 1, "b": {"a": 1, "c": [{"d": 1}, {"d": 1}]}})").empty());
  CHECK(repeated(R"({"a": 1, "a": 2, "b": {"c": [{"d": 1, "e": 1, "d": 1, "d": 1}]}, "a": 3})") == "b.c.d, a");
}

TEST_CASE("of equal keys the last counts, at the first one's place") {
  const Value v = parse(R"({"a": 1, "b": 2, "a": 3, "c": 4, "b": [5], "a": 6})");
  CHECK(dump(v) == R"({"a": 6, "b": [5], "c": 4})");
  std::string many = "{";
  for (int i = 0; i < 30000; ++i) {
    many += (i ? ",\"" : "\"") + std::to_string(i % 3) + "\":" + std::to_string(i);
  }
  CHECK(dump(parse(many + "}")) == R"({"0": 29997, "1": 29998, "2": 29999})");
}

TEST_CASE("what is not JSON is an error with the place and the reason") {
  CHECK(says("", "byte 0"));
  CHECK(says("   ", "byte 3"));
  CHECK(says("{\"a\": tru}", "byte 9: Invalid value"));
  CHECK(says("[1, 2", "byte 5"));
  CHECK(says("[1, 2]]", "byte 6"));
  CHECK(says("{} x", "byte 3"));
  CHECK(says(std::string_view("{}\0{", 4), "byte 2: text after the value"));
  CHECK(says(std::string_view("[1,\0 2]", 7), "byte 3"));
  CHECK(says("{\"a\" 1}", "byte 5"));
  CHECK(says("{1: 2}", "byte 1"));
  CHECK(says("[1,]", "byte 3"));
  CHECK(says("{\"a\": 1,}", "byte 8"));
  CHECK(says("\"abc", "byte 4"));
  CHECK(says("\"a\nb\"", "byte 2"));
  CHECK(says("\"\\x\"", "byte 1"));
  CHECK(says("\"\\u12g4\"", "byte 1"));
  CHECK(says("01", "byte 1"));
  CHECK(says("1.", "byte 2"));
  CHECK(says("+1", "byte 0"));
  CHECK(says("NaN", "byte 0"));
  CHECK(says("Infinity", "byte 0"));
  CHECK(says("-Infinity", "byte 1"));
  CHECK(says("1e999", "Number too big"));
  CHECK(says("[1.9e308]", "Number too big"));
  CHECK(says("-0.0002e313", "Number too big"));
  CHECK(says("nul", "byte"));
  CHECK(says("// c\n1", "byte 0"));
  CHECK_THROWS_WITH_AS(parse("[", "config.json"), doctest::Contains("config.json: not valid JSON at byte 1"),
                       TextError);
}

TEST_CASE("ill-formed UTF-8 and half surrogates are errors") {
  for (const char* bad : {"\"\x80\"", "\"\xC0\x80\"", "\"\xE4\xB8\"", "\"\xED\xA0\x80\"", "\"\xF4\x90\x80\x80\"",
                          "\"\xFF\"", "\"\xF0\x9F", "\"\xE4", "\xEF\xBB\xBF{}", "{\"\xE4\": 1}"}) {
    CHECK(says(bad, "byte"));
  }
  CHECK(says("\"\\ud800\"", "surrogate"));
  CHECK(says("\"\\ud800\\u0041\"", "surrogate"));
  CHECK(says("\"x\\udc00\"", "half of a surrogate pair"));
  CHECK(says("{\"\\udfff\": 1}", "half of a surrogate pair"));
  CHECK(parse("\"\\ud7ff\\ue000\"").as_string() == "\xED\x9F\xBF\xEE\x80\x80");
}

TEST_CASE("nesting above 512 levels is refused") {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK_NOTHROW(parse(nested(512)));
  CHECK(says(nested(513), "nested too deeply"));
  CHECK(says(std::string(1000000, '['), "nested too deeply"));
  std::string objects;
  for (int i = 0; i < 100000; ++i) {
    objects += "{\"a\":";
  }
  CHECK(says(objects, "nested too deeply"));
}

TEST_CASE("dump is Python's json.dumps") {
  CHECK(dump(parse(R"({"b":[1,2.0,-3e0,null,true,false],"a":{"x":[],"y":{}}})")) ==
        R"({"b": [1, 2.0, -3.0, null, true, false], "a": {"x": [], "y": {}}})");
  CHECK(dump(Value("\"\\/\b\f\n\r\t\x01\x1F\x7F\xC3\xA9\xE2\x80\xA8")) ==
        "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7F\xC3\xA9\xE2\x80\xA8\"");
  CHECK(dump(Value(std::string("\0", 1))) == "\"\\u0000\"");
}

TEST_CASE("floats are read exactly") {
  std::mt19937_64 random(7);
  int wrong = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::uint64_t bits = random();
    double value = 0.0;
    std::memcpy(&value, &bits, sizeof value);
    if (!std::isfinite(value)) {
      continue;
    }
    wrong += parse(json::python_repr_number(value)).as_number() != value;
    std::string digits = std::to_string(random()) + std::to_string(random()) + "e" +
                         std::to_string(static_cast<int>(random() % 500) - 250);
    digits.insert(1 + random() % 18, ".");
    wrong += parse(digits).as_number() != std::strtod(digits.c_str(), nullptr);
  }
  CHECK(wrong == 0);
  CHECK(parse("127.0906447015091468314076049119752806179e-244").as_number() ==
        127.0906447015091468314076049119752806179e-244);
  CHECK(parse("[207911933907466265.46266478282871835470e-120]").items()[0].as_number() ==
        207911933907466265.46266478282871835470e-120);
  CHECK(parse("1e-400").as_number() == 0.0);
  CHECK(parse("4.9e-324").as_number() == 5e-324);
}

TEST_CASE("damaged text gives a value or a TextError, never anything else") {
  std::mt19937 random(11);
  const std::string sound =
      R"({"a": [1, -2.5e-3, "x\u00e9\ud83d\ude00\n", null, true, {"b": {}, "c": [[], [false]]}], "中文": "\\\"", "n": 12345678901234567890})";
  const std::string_view alphabet = "{}[]:,\"\\u0dDe+-.19truefalsn \n\xE4\xB8\xF0\xFF\x80";
  int sound_count = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string text = sound;
    for (std::size_t k = 0; k <= random() % 4; ++k) {
      const std::size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = alphabet[random() % alphabet.size()];
          break;
        case 1:
          text.erase(at, 1 + random() % 5);
          break;
        case 2:
          text.insert(at, 1, alphabet[random() % alphabet.size()]);
          break;
        default:
          text.resize(at + 1);
      }
      if (text.empty()) {
        text = "[";
      }
    }
    try {
      const Value value = parse_exact(text);
      CHECK(parse(dump(value)) == value);
      ++sound_count;
    } catch (const TextError&) {
    }
  }
  CHECK(sound_count > 100);
}
