// SPDX-License-Identifier: Apache-2.0
#include <qwen35/json/parse.hpp>
#include <qwen35/text/tool_schema.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace qwen35;

namespace {

// The conversion of `text` by a parameter schema: "kind of conversion: JSON value".
std::string convert(const std::string& schema, const std::string& text, const std::string& more = "") {
  const std::vector<json::Value> tools = {json::parse(
      R"({"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"p": )" +
      schema + "}" + more + "}}}")};
  const ConvertedArgument out = ToolSchema::find(tools, "f").convert("p", text);
  const char* names[] = {"text", "converted", "untyped", "failed"};
  const std::string recovery = out.recovery == Recovery::none ? "" : " (" + name(out.recovery) + ")";
  return names[static_cast<int>(out.conversion)] + recovery + ": " + json::dump(out.value);
}

}  // namespace

TEST_CASE("finds a tool, wrapped or bare") {
  const std::vector<json::Value> tools = {
      json::parse("3"), json::parse(R"({"name": "g"})"),
      json::parse(R"({"type": "function", "function": {"name": "f", "parameters": {"properties": {"a": {}}}}})"),
      json::parse(R"({"name": 3})"), json::parse(R"({"name": "h", "parameters": {"properties": [1]}})")};
  CHECK(ToolSchema::find(tools, "g").known());
  CHECK_FALSE(ToolSchema::find(tools, "g").has_parameter("a"));
  CHECK(ToolSchema::find(tools, "f").has_parameter("a"));
  CHECK_FALSE(ToolSchema::find(tools, "f").has_parameter("b"));
  CHECK_FALSE(ToolSchema::find(tools, "x").known());
  CHECK(ToolSchema::find(tools, "h").convert("a", "1").conversion == Conversion::untyped);
  CHECK(ToolSchema::find(tools, "x").convert("a", "1").value == json::Value("1"));
  CHECK(ToolSchema().convert("a", "1").conversion == Conversion::untyped);
}

TEST_CASE("plain types") {
  CHECK(convert(R"({"type": "string"})", "5") == "text: \"5\"");
  CHECK(convert(R"({"type": "string"})", " a\n") == "text: \" a\\n\"");
  CHECK(convert(R"({"type": "string"})", "null") == "text: \"null\"");
  CHECK(convert(R"({"type": "integer"})", "5") == "converted: 5");
  CHECK(convert(R"({"type": "integer"})", " -5\n") == "converted: -5");
  CHECK(convert(R"({"type": "integer"})", "5.0") == "converted: 5");
  CHECK(convert(R"({"type": "integer"})", "5.5") == "failed: \"5.5\"");
  CHECK(convert(R"({"type": "integer"})", "1e300") == "failed: \"1e300\"");
  CHECK(convert(R"({"type": "integer"})", "99999999999999999999") == "converted: 99999999999999999999");
  CHECK(convert(R"({"type": "integer"})", "five") == "failed: \"five\"");
  // As Python's int() and float() and the reference's reading of a response take them.
  CHECK(convert(R"({"type": "integer"})", "007") == "converted (loose_scalar): 7");
  CHECK(convert(R"({"type": "integer"})", "-05\n") == "converted (loose_scalar): -5");
  CHECK(convert(R"({"type": "integer"})", "+5") == "converted (loose_scalar): 5");
  CHECK(convert(R"({"type": "integer"})", "000") == "converted (loose_scalar): 0");
  CHECK(convert(R"({"type": "integer"})", "1_000") == "converted (loose_scalar): 1000");
  CHECK(convert(R"({"type": "integer"})", "00018446744073709551616") ==
        "converted (loose_scalar): 18446744073709551616");
  for (const char* text : {"1__0", "_1", "1_", "+", "-", ".", "0x1F", "+-1", "1 2", "0-0", "inf"}) {
    CHECK(convert(R"({"type": ["integer", "number"]})", text) == "failed: \"" + std::string(text) + "\"");
  }
  CHECK(convert(R"({"type": "number"})", "-.5") == "converted (loose_scalar): -0.5");
  CHECK(convert(R"({"type": "number"})", "5.") == "converted (loose_scalar): 5.0");
  CHECK(convert(R"({"type": "number"})", "+05.e-1") == "converted (loose_scalar): 0.5");
  CHECK(convert(R"({"type": "number"})", "00.25") == "converted (loose_scalar): 0.25");
  CHECK(convert(R"({"type": ["string", "integer"]})", "007") == "text: \"007\"");
  CHECK(convert(R"({"type": "integer"})", "(1)") == "converted (python_literal): 1");
  CHECK(convert(R"({"type": "integer"})", "") == "failed: \"\"");
  CHECK(convert(R"({"type": "integer"})", "\"5\"") == "failed: \"\\\"5\\\"\"");
  CHECK(convert(R"({"type": "integer"})", "true") == "failed: \"true\"");
  CHECK(convert(R"({"type": "number"})", "5") == "converted: 5");
  CHECK(convert(R"({"type": "number"})", "-1.5e3") == "converted: -1500.0");
  CHECK(convert(R"({"type": "number"})", "NaN") == "failed: \"NaN\"");
  CHECK(convert(R"({"type": "boolean"})", "true") == "converted: true");
  CHECK(convert(R"({"type": "boolean"})", "False") == "converted: false");
  CHECK(convert(R"({"type": "boolean"})", "yes") == "failed: \"yes\"");
  CHECK(convert(R"({"type": "boolean"})", "1") == "converted (loose_scalar): true");
  CHECK(convert(R"({"type": "boolean"})", "0") == "converted (loose_scalar): false");
  CHECK(convert(R"({"type": "boolean"})", "2") == "failed: \"2\"");
  CHECK(convert(R"({"type": "boolean"})", "tRuE") == "converted (letter_case): true");
  CHECK(convert(R"({"type": "null"})", "None") == "converted: null");
  CHECK(convert(R"({"type": "null"})", "null") == "converted: null");
  CHECK(convert(R"({"type": "array"})", "[1, \"a\"]") == "converted: [1, \"a\"]");
  CHECK(convert(R"({"type": "array"})", "{}") == "failed: \"{}\"");
  CHECK(convert(R"({"type": "array"})", "[1,") == "failed: \"[1,\"");
  CHECK(convert(R"({"type": "object"})", "{\"a\": {}}") == "converted: {\"a\": {}}");
  CHECK(convert(R"({"type": "object"})", "{'a': 1}") == "converted (python_literal): {\"a\": 1}");
  CHECK(convert(R"({"type": "object"})", "{a: 1}") == "failed: \"{a: 1}\"");
  CHECK(convert(R"({"type": "array"})", "(1, 2)") == "converted (python_literal): [1, 2]");
  CHECK(convert(R"({"type": "array"})", "(1,)") == "converted (python_literal): [1]");
  CHECK(convert(R"({"type": "array"})", "(1)") == "failed: \"(1)\"");
  CHECK(convert(R"({"type": "array"})", "[('a', None), True,]") == "converted (python_literal): [[\"a\", null], true]");
  CHECK(convert(R"({"type": "array"})", "[\"a\n\tb\"]") == "converted (control_characters): [\"a\\n\\tb\"]");
  CHECK(convert(R"({"type": "boolean"})", "TRUE") == "converted (letter_case): true");
  CHECK(convert(R"({"type": "null"})", "NULL") == "converted (letter_case): null");
  CHECK(convert(R"({"type": ["boolean", "string"]})", "tRuE") == "text: \"tRuE\"");
  CHECK(convert(R"({"type": "object"})", std::string(5000, '[')) == "failed: \"" + std::string(5000, '[') + "\"");
}

TEST_CASE("several types, alternatives, enums, references") {
  CHECK(convert(R"({"type": ["string", "null"]})", "None") == "converted: null");
  CHECK(convert(R"({"type": ["string", "null"]})", "x") == "text: \"x\"");
  CHECK(convert(R"({"type": ["string", "integer"]})", "12") == "converted: 12");
  CHECK(convert(R"({"type": ["integer", "null"]})", "x") == "failed: \"x\"");
  CHECK(convert(R"({"anyOf": [{"type": "boolean"}, {"type": "array"}]})", "[true]") == "converted: [true]");
  CHECK(convert(R"({"oneOf": [{"type": "boolean"}, {"type": "string"}]})", "maybe") == "text: \"maybe\"");
  CHECK(convert(R"({"enum": ["a", "b"]})", "a") == "text: \"a\"");
  CHECK(convert(R"({"enum": [1, 2]})", "2") == "converted: 2");
  CHECK(convert(R"({"const": 1.5})", "1.5") == "converted: 1.5");
  CHECK(convert(R"({"enum": [1, "auto"]})", "auto") == "text: \"auto\"");
  CHECK(convert(R"({"$ref": "#/$defs/n"})", "7", R"(, "$defs": {"n": {"type": "integer"}})") == "converted: 7");
  CHECK(convert(R"({"$ref": "#/$defs/n"})", "7", R"(, "$defs": {"n": {"$ref": "#/$defs/n"}})") == "untyped: \"7\"");
  CHECK(convert(R"({"$ref": "#/$defs/x"})", "7") == "untyped: \"7\"");
  CHECK(convert(R"({"$ref": "other.json"})", "7") == "untyped: \"7\"");
  CHECK(convert("{}", "7") == "untyped: \"7\"");
  CHECK(convert("3", "7") == "untyped: \"7\"");
  CHECK(convert(R"({"type": "strange"})", "7") == "untyped: \"7\"");
  CHECK(convert(R"({"type": 3, "anyOf": 3, "enum": {}})", "7") == "untyped: \"7\"");
}

TEST_CASE("which arguments may be all of a call's") {
  const std::vector<json::Value> tools = {json::parse(R"({"name": "bare"})"),
                                          json::parse(R"({"name": "empty", "parameters": {"properties": {}}})"),
                                          json::parse(R"({"name": "free", "parameters": {"properties": {"a": {}}}})"),
                                          json::parse(
                                              R"({"name": "f", "parameters": {"properties": {"a": {}, "b": {}},
                                                  "required": ["a", 3]}})")};
  const auto whole = [&](const char* tool, const char* arguments) {
    return ToolSchema::find(tools, tool).may_be_whole(json::parse(arguments));
  };
  CHECK(whole("bare", "{}"));
  CHECK(whole("empty", "{}"));
  CHECK_FALSE(whole("free", "{}"));
  CHECK(whole("free", R"({"z": 1})"));
  CHECK_FALSE(whole("f", R"({"b": 1})"));
  CHECK(whole("f", R"({"a": null})"));
  CHECK_FALSE(whole("unknown", "{}"));
  CHECK(ToolSchema::find(tools, "free").has_required(json::parse("{}")));
  CHECK(ToolSchema::find(tools, "unknown").has_required(json::parse("{}")));
  CHECK_FALSE(ToolSchema::find(tools, "f").has_required(json::parse(R"({"b": 1})")));
  CHECK(whole("unknown", R"({"a": 1})"));
}

TEST_CASE("arguments that are JSON values already") {
  const std::vector<json::Value> tools = {json::parse(
      R"({"name": "f", "parameters": {"properties": {"s": {"type": "string"}, "i": {"type": "integer"}, "o": {"type": "object"}}}})")};
  const ToolSchema schema = ToolSchema::find(tools, "f");
  const auto shown = [&](std::string_view name, const char* value) {
    const ConvertedArgument out = schema.convert_json(name, json::parse(value));
    return std::to_string(static_cast<int>(out.conversion)) + " " + json::dump(out.value);
  };
  CHECK(shown("s", R"("x")") == "0 \"x\"");
  CHECK(shown("s", "7") == "0 \"7\"");
  CHECK(shown("s", R"({"a": [1]})") == R"(0 "{\"a\": [1]}")");
  CHECK(shown("i", "7") == "1 7");
  CHECK(shown("i", "7.0") == "1 7");
  CHECK(shown("i", R"("7")") == "1 7");
  CHECK(shown("i", R"("x")") == "3 \"x\"");
  CHECK(shown("o", R"({"a": 1})") == R"(1 {"a": 1})");
  CHECK(shown("o", R"("{'a': 1}")") == R"(1 {"a": 1})");
  CHECK(shown("other", "7") == "2 7");
}
