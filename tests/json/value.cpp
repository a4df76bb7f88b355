// SPDX-License-Identifier: Apache-2.0
#include <qwen35/json/value.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <string>

using namespace qwen35;
using json::Kind;
using json::Value;

TEST_CASE("a value knows its kind") {
  CHECK(Value().kind() == Kind::null);
  CHECK(Value(nullptr).is_null());
  CHECK(Value(true).kind() == Kind::boolean);
  CHECK(Value(7).kind() == Kind::integer);
  CHECK(Value(std::size_t{7}).kind() == Kind::integer);
  CHECK(Value(7.0).kind() == Kind::number);
  CHECK(Value("a").kind() == Kind::string);
  CHECK(Value(std::string("a\0b", 3)).as_string().size() == 3);
  CHECK(Value(std::string_view("ab").substr(1)).as_string() == "b");
  CHECK(Value::array().kind() == Kind::array);
  CHECK(Value::object().kind() == Kind::object);
  CHECK(Value(7).is_number());
  CHECK(!Value(7.0).is_integer());
  CHECK(Value(7).as_number() == 7.0);
}

TEST_CASE("what was found in another's place, with a word for a text that was not parsed") {
  CHECK(found(Value::array()) == "an array");
  CHECK(found(Value()) == "null");
  CHECK(found(Value("[]")) == "a string (json::parse() reads a text)");
}

TEST_CASE("a wrong kind is an error that names both") {
  CHECK_THROWS_WITH_AS(Value("x").as_integer(), "JSON: found a string, expected an integer", TextError);
  CHECK_THROWS_WITH_AS(Value(1.5).as_integer(), "JSON: found a number, expected an integer", TextError);
  CHECK_THROWS_WITH_AS(Value().as_string(), "JSON: found null, expected a string", TextError);
  CHECK_THROWS_WITH_AS(Value(1).as_bool(), "JSON: found an integer, expected a boolean", TextError);
  CHECK_THROWS_WITH_AS(Value("1").as_number(), "JSON: found a string, expected a number", TextError);
  CHECK_THROWS_WITH_AS(Value::object().items(), "JSON: found an object, expected an array", TextError);
  CHECK_THROWS_WITH_AS(Value::array().members(), "JSON: found an array, expected an object", TextError);
  CHECK_THROWS_WITH_AS(Value::object().at("k"), "JSON: no member \"k\"", TextError);
  Value number(3);
  CHECK_THROWS_AS(number["k"], TextError);
  CHECK_THROWS_AS(number.push_back(1), TextError);
}

TEST_CASE("integers beyond 64 bits") {
  const Value big = Value::integer("18446744073709551615");
  CHECK(big == Value(UINT64_MAX));
  CHECK(big.digits() == "18446744073709551615");
  CHECK(big.kind() == Kind::integer);
  CHECK(big.is_number());
  CHECK_FALSE(big.is_integer());
  CHECK(big.as_number() == 18446744073709551615.0);
  CHECK_FALSE(big == Value::integer("18446744073709551616"));
  CHECK_THROWS_WITH_AS(big.as_integer(), "JSON: found the integer 18446744073709551615, expected one of 64 bits",
                       TextError);
  CHECK(Value::integer("-9223372036854775808") == Value(INT64_MIN));
  CHECK(Value::integer("-0") == Value(0));
  CHECK(Value(-3).digits() == "-3");
  CHECK_THROWS_AS(Value(1.0).digits(), TextError);
  const Value huge = Value::integer("-1" + std::string(5000, '0'));
  CHECK(huge.digits().size() == 5002);
  CHECK(huge.as_number() == -std::numeric_limits<double>::infinity());
  for (const char* bad : {"", "-", "+1", "01", "1.0", "1e3", "--1", " 1", "0x1"}) {
    CHECK_THROWS_AS(Value::integer(bad), TextError);
  }
}

TEST_CASE("objects keep the order of their keys") {
  Value object;
  object["z"] = 1;
  object["a"] = "two";
  object["m"].push_back(Value::array());
  object["a"] = 2;
  REQUIRE(object.size() == 3);
  CHECK(object.members()[0].first == "z");
  CHECK(object.members()[1].first == "a");
  CHECK(object.members()[1].second.as_integer() == 2);
  CHECK(object.at("m").items().size() == 1);
  CHECK(object.find("q") == nullptr);
  CHECK(Value(3).find("q") == nullptr);
}

TEST_CASE("values are equal when all their parts are") {
  Value a;
  a["x"] = 1;
  a["y"].push_back("s");
  Value b = a;
  CHECK(a == b);
  b["y"].items()[0] = "t";
  CHECK(!(a == b));
  CHECK(Value(1) == Value(1.0));
  CHECK(!(Value(1) == Value("1")));
  CHECK(!(Value(0) == Value()));
  CHECK(!(Value(0) == Value(false)));
}
