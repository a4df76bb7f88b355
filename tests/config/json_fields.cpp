// SPDX-License-Identifier: Apache-2.0
#include <qwen35/config/json_fields.hpp>
#include <qwen35/json/dump.hpp>

#include "config_test.hpp"

#include <doctest/doctest.h>

using namespace qwen35;
using config_test::message_of;

namespace {

json::Value object(const std::string& value) {
  return json::parse("{\"key\": " + value + "}");
}

// How an error says what stands there.
std::string found(const std::string& value) {
  return ", found " + shortened(json::dump(json::parse(value)));
}

template <class Read>
std::string problem(const std::string& value, const Read& read) {
  const json::Value json = object(value);
  return message_of<ConfigError>([&] { read(JsonFields(&json, "file")); });
}

}  // namespace

TEST_CASE("absent and null fields have the given default") {
  const json::Value null = object("null");
  for (const JsonFields& fields : {JsonFields(nullptr, "file"), JsonFields(&null, "file")}) {
    CHECK(fields.size("key", 7) == 7);
    CHECK(fields.number("key", 0.5) == 0.5);
    CHECK_FALSE(fields.optional_number("key").has_value());
    CHECK(fields.boolean("key", true));
    CHECK(fields.text("key", "word") == "word");
    CHECK(fields.token_ids("key").empty());
    CHECK(fields.token_id("key", 9) == 9);
    CHECK(fields.factors("key").empty());
    CHECK(fields.object("key") == nullptr);
    CHECK(fields.list("key") == nullptr);
    CHECK(fields.find("key") == nullptr);
  }
  CHECK(JsonFields(&null, "file").mentions("key"));
  CHECK_FALSE(JsonFields(&null, "file").mentions("other"));
  CHECK_FALSE(JsonFields(nullptr, "file").mentions("key"));
}

TEST_CASE("sizes are whole numbers below 2^31") {
  const json::Value good = object("2147483647");
  CHECK(JsonFields(&good, "file").size("key", 0) == 2147483647);
  for (const char* bad : {"-1", "2147483648", "1.5", "2048.5", "1e30", "\"2048x\"", "true", "[1]", "{}",
                          "18446744073709551615", "1e300"}) {
    CAPTURE(bad);
    CHECK(problem(bad, [](const JsonFields& f) { f.size("key", 0); }) ==
          "file.key: expected a whole number from 0 to 2147483647" + found(bad));
  }
}

TEST_CASE("numbers, flags and words") {
  const json::Value good = json::parse(R"({"n": 1e-06, "i": 3, "b": false, "s": "silu"})");
  const JsonFields fields(&good, "file");
  CHECK(fields.number("n", 0.0) == 1e-6);
  CHECK(fields.number("i", 0.0) == 3.0);
  CHECK_FALSE(fields.boolean("b", true));
  CHECK(fields.text("s", "") == "silu");
  CHECK(problem("\"1x\"", [](const JsonFields& f) { f.number("key", 0.0); }) ==
        "file.key: expected a number, found \"1x\"");
  CHECK(problem("2", [](const JsonFields& f) { f.boolean("key", false); }) ==
        "file.key: expected true or false, found 2");
  CHECK(problem("[]", [](const JsonFields& f) { f.text("key", ""); }) == "file.key: expected a string, found []");
  CHECK(problem("[]", [](const JsonFields& f) { f.object("key"); }) == "file.key: expected an object, found []");
  CHECK(problem("{}", [](const JsonFields& f) { f.list("key"); }) == "file.key: expected a list, found {}");
  CHECK(message_of<ConfigError>([] {
          const json::Value word("x");
          JsonFields(&word, "vision_config");
        }) == "vision_config: expected an object, found a string (json::parse() reads a text)");
}

TEST_CASE("token ids") {
  const json::Value one = object("248044");
  CHECK(JsonFields(&one, "file").token_ids("key") == TokenIds{248044});
  CHECK(JsonFields(&one, "file").token_id("key", 0) == 248044);
  const json::Value two = object("[0, 2147483647]");
  CHECK(JsonFields(&two, "file").token_ids("key") == TokenIds{0, 2147483647});
  std::string text = "[0";
  for (int i = 1; i < 300; ++i) {
    text += ", " + std::to_string(i);
  }
  const json::Value many = object((text + "]").c_str());
  CHECK(JsonFields(&many, "file").token_ids("key").size() == 300);
  CHECK(JsonFields(&many, "file").token_ids("key")[299] == 299);
  const std::string expected = "file.key: expected a token id or a list of token ids";
  for (const char* bad : {"2147483648", "1.5", "\"a\"", "[1, null]", "[[1]]", "{}"}) {
    CAPTURE(bad);
    CHECK(problem(bad, [](const JsonFields& f) { f.token_ids("key"); }) == expected + found(bad));
  }
  CHECK(problem("[1]", [](const JsonFields& f) { f.token_id("key", 0); }) ==
        "file.key: expected one token id, found [1]");
}

TEST_CASE("values as files in the wild have them") {
  const auto of = [](const char* text) { return object(text); };
  const json::Value size = of("\"2048\""), whole = of("2048.0"), number = of("\"1e-6\""), yes = of("1"),
                    no = of("\"False\""), none = of("-1"), some = of("[-1, \"5\", 7.0]"),
                    seventeen = of("[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]");
  CHECK(JsonFields(&size, "file").size("key", 0) == 2048);
  CHECK(JsonFields(&whole, "file").size("key", 0) == 2048);
  CHECK(JsonFields(&number, "file").number("key", 0.0) == 1e-6);
  CHECK(JsonFields(&yes, "file").boolean("key", false));
  CHECK_FALSE(JsonFields(&no, "file").boolean("key", true));
  CHECK(JsonFields(&none, "file").token_ids("key").empty());
  CHECK(JsonFields(&none, "file").token_id("key", 3) == 3);
  CHECK(JsonFields(&some, "file").token_ids("key") == TokenIds{5, 7});
  CHECK(JsonFields(&seventeen, "file").token_ids("key").size() == 17);
  for (const char* bad : {"\"\"", "\" 8\"", "\"8 \"", "\"0x8\"", "\"inf\"", "\"nan\"", "1.5", "-1", "true", "1e300"}) {
    CAPTURE(bad);
    CHECK_FALSE(problem(bad, [](const JsonFields& f) { f.size("key", 0); }).empty());
  }
}

TEST_CASE("lists of factors") {
  const json::Value good = object("[1, 2.5]");
  CHECK(JsonFields(&good, "file").factors("key") == FactorList{1.0, 2.5});
  std::string many = "[0";
  for (int i = 0; i < 256; ++i) {
    many += ",1";
  }
  for (const std::string& bad : {std::string("3"), std::string("[\"a\"]"), many + "]"}) {
    CHECK(problem(bad, [](const JsonFields& f) { f.factors("key"); }) ==
          "file.key: expected a list of at most 256 numbers" + found(bad));
  }
}

TEST_CASE("numbers in messages keep their digits") {
  CHECK(number_text(1e-6) == "1e-06");
  CHECK(number_text(0.25) == "0.25");
  CHECK(number_text(0.1) == "0.1");
  CHECK(number_text(1e7) == "1e+07");
}
