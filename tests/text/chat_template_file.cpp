// SPDX-License-Identifier: Apache-2.0
#include <qwen35/text/chat_template_file.hpp>

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

using namespace qwen35;

namespace {

std::string published() {
  std::ifstream file(QWEN35_TEST_DATA "/chat_template/qwen3_5.chat_template.jinja", std::ios::binary);
  REQUIRE(file.good());
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string edited(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

const std::string history = "{%- if loop.index0 > ns.last_query_index %}";
const std::string kept_history =
    "{%- if (preserve_thinking is defined and preserve_thinking is true) or (loop.index0 > ns.last_query_index) %}";
const std::string argument =
    "args_value | tojson | safe if args_value is mapping or (args_value is sequence and args_value is not string) else "
    "args_value | string";
const std::string json_argument = "args_value | string if args_value is string else args_value | tojson | safe";
const std::string prompt_off =
    "    {%- if enable_thinking is defined and enable_thinking is true %}\n        {{- '<think>\\n' }}\n    {%- else "
    "%}\n"
    "        {{- '<think>\\n\\n</think>\\n\\n' }}\n    {%- endif %}\n{%- endif %}";

}  // namespace

TEST_CASE("the published file and its variants are known exactly") {
  const std::string base = published();
  CHECK(sha256_hex(base) == "a4aee8afcf2e0711942cf848899be66016f8d14a889ff9ede07bca099c28f715");
  RecognisedChatTemplate found = recognise_chat_template(base);
  CHECK(found.exact);
  CHECK(found.chat_template == chat_templates::qwen3_5);

  const std::string newer = edited(edited(base, history, kept_history), argument, json_argument);
  CHECK(newer.size() == 7764);
  found = recognise_chat_template(newer);
  CHECK(found.exact);
  CHECK(found.chat_template == chat_templates::qwen3_6);

  const std::string small = base.substr(0, base.find("    {%- if enable_thinking is defined")) + prompt_off;
  found = recognise_chat_template(small);
  CHECK(found.exact);
  CHECK(found.chat_template == chat_templates::qwen3_5_thinking_off);

  found = recognise_chat_template(edited(base, history, kept_history));
  CHECK(found.exact);
  CHECK(found.chat_template == ChatTemplate{true, true, false});
}

TEST_CASE("inert white space does not matter, output white space does") {
  const std::string base = published();
  std::string windows;
  for (const char c : base) {
    windows += c == '\n' ? std::string("\r\n") : std::string(1, c);
  }
  CHECK(recognise_chat_template(windows + "\r\n").exact);
  CHECK(recognise_chat_template(edited(base, "        {{- content }}", "\t{{- content }}  ")).exact);
  CHECK(recognise_chat_template(base + "\n\n").exact);
  CHECK_FALSE(recognise_chat_template(base + "\n\n\n").exact);
  CHECK_FALSE(recognise_chat_template(base + " ").exact);
}

TEST_CASE("a file of the family that is not published is recognised by its marks") {
  const std::string base = published();
  RecognisedChatTemplate found =
      recognise_chat_template(edited(base, "message.role == \"user\" ", "message.role in [\"user\", \"human\"] "));
  CHECK_FALSE(found.exact);
  CHECK(found.chat_template == chat_templates::qwen3_5);
  found = recognise_chat_template("{# mine #}" + edited(base, "enable_thinking is false", "enable_thinking is true"));
  CHECK_FALSE(found.exact);
  CHECK_FALSE(found.chat_template.thinking_by_default);
  found = recognise_chat_template(
      "{# mine #}" + edited(base, history, "{%- if preserve_thinking or loop.index0 > ns.last_query_index %}"));
  CHECK_FALSE(found.exact);
  CHECK(found.chat_template.reads_preserve_thinking);
}

TEST_CASE("another family's template is an error that names what is missing") {
  CHECK_THROWS_AS(recognise_chat_template(""), TextError);
  CHECK_THROWS_AS(recognise_chat_template("{% for m in messages %}<|im_start|>{{ m.role }}{% endfor %}"), TextError);
  const std::string base = published();
  try {
    recognise_chat_template(edited(base, "<function=example_function_name>", "{\"name\": ...}"));
    FAIL("expected an error");
  } catch (const TextError& error) {
    CHECK(std::string(error.what()).find("<function=example_function_name>") != std::string::npos);
  }
  CHECK_THROWS_AS(recognise_chat_template(edited(base, "enable_thinking is false", "not enable_thinking")), TextError);
}

TEST_CASE(
    "of a model's files, chat_template.jinja comes before tokenizer_config.json, and without either the published "
    "rules hold") {
  const std::string base = published(), newer = edited(base, history, kept_history);
  const std::string quoted = "{\"chat_template\": " + json::dump(json::Value(newer)) + "}";
  const auto of = [](std::initializer_list<std::pair<std::string_view, std::string_view>> texts) {
    std::vector<NamedBytes> files;
    for (const auto& [name, text] : texts) {
      files.push_back({name, std::as_bytes(std::span(text))});
    }
    return recognise_chat_template(ModelFolder::from_bytes(files));
  };
  CHECK_FALSE(
      of({{"chat_template.jinja", base}, {"tokenizer_config.json", quoted}}).chat_template.reads_preserve_thinking);
  CHECK(of({{"tokenizer_config.json", quoted}}).chat_template.reads_preserve_thinking);
  for (const RecognisedChatTemplate& found : {of({}), of({{"tokenizer_config.json", "{}"}}),
                                              of({{"tokenizer_config.json", R"({"chat_template": ["several"]})"}})}) {
    CHECK(found.exact);
    CHECK(found.chat_template.thinking_by_default);
  }
  CHECK_THROWS_WITH_AS(of({{"tokenizer_config.json", "{"}}), doctest::Contains("tokenizer_config.json"), TextError);
  CHECK_THROWS_AS(of({{"chat_template.jinja", "{{ messages }}"}}), TextError);
}
