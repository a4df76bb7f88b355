// SPDX-License-Identifier: Apache-2.0
#include <qwen35/json/dump.hpp>
#include <qwen35/json/number.hpp>

#include <qwen35/json/parse.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <string>

using namespace qwen35;
using json::dump;
using json::Value;

// Source of the right sides: Python 3, repr(float).
TEST_CASE("floats as Python writes them") {
  const std::pair<double, const char*> cases[] = {{0.0, "0.0"},
                                                  {-0.0, "-0.0"},
                                                  {1.0, "1.0"},
                                                  {0.1, "0.1"},
                                                  {1e15, "1000000000000000.0"},
                                                  {1e16, "1e+16"},
                                                  {1.5e16, "1.5e+16"},
                                                  {9999999999999998.0, "9999999999999998.0"},
                                                  {1e-4, "0.0001"},
                                                  {1e-5, "1e-05"},
                                                  {1.25e-7, "1.25e-07"},
                                                  {1e22, "1e+22"},
                                                  {1e100, "1e+100"},
                                                  {5e-324, "5e-324"},
                                                  {1.7976931348623157e308, "1.7976931348623157e+308"},
                                                  {123456.789, "123456.789"},
                                                  {1.0 / 3.0, "0.3333333333333333"},
                                                  {-2.5, "-2.5"},
                                                  {2.0 / 3.0 * 1e-4, "6.666666666666667e-05"}};
  for (const auto& [value, text] : cases) {
    CHECK(json::python_repr_number(value) == text);
    CHECK(dump(Value(value)) == text);
  }
  CHECK(json::python_number(Value(1e300 * 1e300)) == "inf");
  CHECK(json::python_number(Value(-1e300 * 1e300)) == "-inf");
  CHECK(json::python_number(Value(std::nan(""))) == "nan");
  CHECK(dump(Value(std::nan(""))) == "NaN");
  CHECK(dump(Value(1e300 * 1e300)) == "Infinity");
  CHECK(dump(Value(-1e300 * 1e300)) == "-Infinity");
}

// numbers.jsonl: [as JSON text, as the chat template's tojson writes it in a tool's schema, as its str writes it in a
// call's argument].
TEST_CASE("numbers as the reference writes them into a prompt") {
  std::ifstream file(std::string(QWEN35_TEST_DATA) + "/json/numbers.jsonl");
  std::string line;
  int count = 0;
  int wrong = 0;
  while (std::getline(file, line)) {
    const Value record = json::parse(line, "numbers.jsonl");
    const Value value = json::parse(record.items()[0].as_string());
    const bool right =
        dump(value) == record.items()[1].as_string() && json::python_number(value) == record.items()[2].as_string();
    CHECK_MESSAGE(right, line);
    wrong += right ? 0 : 1;
    ++count;
  }
  CHECK(wrong == 0);
  CHECK(count >= 1000);
}
