// SPDX-License-Identifier: Apache-2.0
#include <qwen35/text/chat_template.hpp>
#include <qwen35/text/chat_template_file.hpp>

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "support/message_of.hpp"

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
  CHECK(found.chat_template == ChatTemplateRules{true, true, false});
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

TEST_CASE("any other file is rendered as it is") {
  const std::string base = published();
  const RecognisedChatTemplate found =
      recognise_chat_template(edited(base, "message.role == \"user\" ", "message.role in [\"user\", \"human\"] "));
  CHECK_FALSE(found.exact);
  REQUIRE(found.chat_template.own != nullptr);
  ChatTemplateOptions options;
  options.chat_template = recognise_chat_template("{% for m in messages %}<{{ m.role }}>{% endfor %}").chat_template;
  CHECK(apply_chat_template({Message::user("a"), Message::assistant("b")}, {}, options) == "<user><assistant>");
  CHECK_FALSE(recognise_chat_template("").exact);
  CHECK_THROWS_WITH_AS(recognise_chat_template(base + "{% block a %}"),
                       doctest::Contains("line 154: the tag {% block %}"), TextError);
}

namespace {

using Texts = std::initializer_list<std::pair<std::string_view, std::string_view>>;

RecognisedChatTemplate of(Texts texts, std::string_view name = {}) {
  std::vector<NamedBytes> files;
  for (const auto& [file, text] : texts) {
    files.push_back({file, std::as_bytes(std::span(text))});
  }
  return recognise_chat_template(ModelFolder::from_bytes(files), name);
}

// What a template that only says its name makes of no matter what.
std::string says(Texts texts, std::string_view name = {}, const std::vector<json::Value>& tools = {}) {
  ChatTemplateOptions options;
  options.chat_template = of(texts, name).chat_template;
  return apply_chat_template({Message::user("hi")}, tools, options);
}

std::string problem(Texts texts, std::string_view name = {}) {
  return test_support::message_of<TextError>([&] { of(texts, name); });
}

constexpr std::pair<std::string_view, std::string_view> processor{"processor_config.json", R"({"chat_template": "P"})"},
    json_file{"chat_template.json", R"({"chat_template": "J"})"}, jinja_file{"chat_template.jinja", "F"},
    tool_file{"additional_chat_templates/tool_use.jinja", "T"}, other_file{"additional_chat_templates/rag.jinja", "R"},
    config{"tokenizer_config.json", R"({"chat_template": "C {{ eos_token }}{{ pad_token }}", "eos_token": "<e>",
                                        "pad_token": {"content": "<p>"}, "bos_token": null})"},
    list{"tokenizer_config.json",
         R"({"chat_template": [{"name": "default", "template": "D"}, {"name": "tool_use", "template": "U"}]})"};

}  // namespace

TEST_CASE("the first of a model's templates in the reference's order") {
  CHECK(says({processor, json_file, jinja_file, tool_file, config}) == "P");
  CHECK(says({{"processor_config.json", R"({"chat_template": null})"}, json_file, jinja_file, config}) == "J");
  CHECK(says({jinja_file, config}) == "F");
  CHECK(says({config}) == "C <e><p>");
  CHECK(says({list}) == "D");
  CHECK(says({{"tokenizer_config.json", R"({"chat_template": {"default": "M"}})"}}) == "M");
  for (const RecognisedChatTemplate& found :
       {of({}), of({{"tokenizer_config.json", "{}"}}), of({{"processor_config.json", "{}"}})}) {
    CHECK(found.exact);
    CHECK(found.chat_template == chat_templates::qwen3_5);
  }
}

TEST_CASE("templates with names") {
  CHECK(says({list}, {}, {json::parse("{}")}) == "U");
  CHECK(says({list}, "tool_use") == "U");
  CHECK(says({list}, "default", {json::parse("{}")}) == "D");
  CHECK(says({jinja_file, tool_file, other_file}, {}, {json::parse("{}")}) == "T");
  CHECK(says({jinja_file, tool_file, other_file}, "rag") == "R");
  CHECK(problem({jinja_file, other_file}, "cat") ==
        "chat_template.jinja: no chat template called \"cat\", there are: default, rag");
  CHECK(problem({other_file}) == "additional_chat_templates: no chat template called \"default\", there are: rag");
  CHECK_THROWS_AS(of({}, "cat"), TextError);
}

TEST_CASE("a published template is known wherever it stands") {
  const std::string small =
      published().substr(0, published().find("    {%- if enable_thinking is defined")) + prompt_off;
  const std::string quoted = json::dump(json::Value(small));
  const std::string as_json = "{\"chat_template\": " + quoted + "}";
  const std::string as_list = "{\"chat_template\": [{\"name\": \"default\", \"template\": " + quoted +
                              "}, {\"name\": \"other\", \"template\": \"{{ 'x' }}\"}]}";
  for (const RecognisedChatTemplate& found :
       {of({{"chat_template.json", as_json}}), of({{"tokenizer_config.json", as_list}})}) {
    CHECK(found.exact);
    CHECK(found.chat_template == chat_templates::qwen3_5_thinking_off);
  }
}

TEST_CASE("a file that has no template where it should is an error with its name") {
  CHECK(problem({{"chat_template.json", "{}"}}) == "chat_template.json: no chat_template");
  CHECK(problem({json_file, other_file}) ==
        "chat_template.json: contradicts the files in additional_chat_templates: only chat_template.jinja can stand "
        "beside them");
  for (const char* wrong : {"3", "[\"several\"]", "[{\"name\": \"a\"}]", "{\"default\": 3}", "true"}) {
    CAPTURE(wrong);
    const std::string text = concat("{\"chat_template\": ", wrong, "}");
    CHECK(problem({{"tokenizer_config.json", text}}) ==
          "tokenizer_config.json: chat_template: expected a text, or several with names");
  }
  CHECK(problem({{"tokenizer_config.json", "{"}}).starts_with("tokenizer_config.json: "));
  CHECK(problem({{"chat_template.jinja", "{% include 'x' %}"}}).starts_with("chat template, line 1: "));
}
