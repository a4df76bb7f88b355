// SPDX-License-Identifier: Apache-2.0
#include <qwen35/json/parse.hpp>
#include <qwen35/text/json_tool_calls.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace qwen35;

namespace {

// "name arguments [recovery]" of each call, or "none".
std::string read(const char* text) {
  const std::vector<json::Value> tools = {json::parse(R"({"name": "f"})"), json::parse(R"({"name": "g"})")};
  const auto calls = json_tool_calls(json::parse(text), tools);
  std::string out = calls.has_value() ? "" : "none";
  for (const JsonToolCall& call : calls.value_or(std::vector<JsonToolCall>{})) {
    out += (out.empty() ? "" : "; ") + call.name + " " + json::dump(call.arguments) + " [" + name(call.recovery) + "]";
  }
  return out;
}

}  // namespace

TEST_CASE("a call, or a list of calls, of offered tools") {
  CHECK(read(R"({"name": "f", "arguments": {"a": 1}})") == R"(f {"a": 1} [])");
  CHECK(read(R"({"arguments": {"a": 1}, "name": "f"})") == R"(f {"a": 1} [])");
  CHECK(read(R"({"name": "f", "parameters": {"a": 1}})") == R"(f {"a": 1} [])");
  CHECK(read(R"({"type": "function", "id": "1", "function": {"name": "f", "arguments": {}}})") == "f {} []");
  CHECK(read(R"({"name": "f", "arguments": "{\"a\": 1}"})") == R"(f {"a": 1} [arguments_as_text])");
  CHECK(read(R"({"name": "f", "arguments": "{'a': 1}"})") == R"(f {"a": 1} [arguments_as_text, python_literal])");
  CHECK(read(R"({"name": "f", "arguments": ""})") == "f {} [arguments_as_text]");
  CHECK(read(R"({"name": "f", "arguments": null})") == "f {} []");
  CHECK(read(R"({"name": "f", "arguments": []})") == "f {} []");
  CHECK(read(R"({"name": "f"})") == "f {} []");
  CHECK(read(R"({"type": "function", "id": "1", "name": "f"})") == "f {} []");
  CHECK(read(R"({"function": "f", "arguments": {"a": 1}})") == R"(f {"a": 1} [])");
  CHECK(read(R"([{"name": "f", "arguments": {}}, {"name": "g", "arguments": {"b": []}}])") ==
        R"(f {} []; g {"b": []} [])");
}

TEST_CASE("anything else is none") {
  for (const char* text :
       {"3", "[]", "{}", "null", R"({"name": "h", "arguments": {}})", R"({"name": 3, "arguments": {}})",
        R"({"name": "f", "arguments": [3]})", R"({"name": "f", "arguments": "x"})", R"({"name": "f", "arguments": 3})",
        R"({"name": "f", "colour": "red"})", R"([{"name": "f", "arguments": {}}, {"name": "h", "arguments": {}}])",
        R"([{"name": "f", "arguments": {}}, 3])", R"({"function": 3})", R"({"id": "f", "arguments": {}})",
        R"({"name": "f", "id": 3, "colour": 4})"}) {
    CAPTURE(text);
    CHECK(read(text) == "none");
  }
}
