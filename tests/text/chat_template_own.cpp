// SPDX-License-Identifier: Apache-2.0
#include <qwen35/text/chat_template.hpp>
#include <qwen35/text/chat_template_file.hpp>
#include <qwen35/text/sha256.hpp>

#include <doctest/doctest.h>

#include <fstream>
#include <memory>
#include <string>

#include "support/message_of.hpp"

using namespace qwen35;
using test_support::contains;
using test_support::message_of;

namespace {

std::string published() {
  return read_text_file(QWEN35_TEST_DATA "/chat_template/qwen3_5.chat_template.jinja");
}

// The published file with edits, or a text of its own; see make_variants.py.
std::string source_of(const json::Value& record) {
  if (const json::Value* const own = record.find("source")) {
    return own->as_string();
  }
  std::string out = published();
  for (const json::Value& edit : record.at("edits").items()) {
    const std::string& old = edit.items()[0].as_string();
    const std::size_t at = out.find(old);
    REQUIRE(at != std::string::npos);
    out.replace(at, old.size(), edit.items()[1].as_string());
  }
  return out;
}

ChatTemplateOptions options_of(const json::Value& record) {
  ChatTemplateOptions out;
  const json::Value* const given = record.find("o");
  if (given == nullptr) {
    return out;
  }
  const auto flag = [&](const char* name) {
    const json::Value* const value = given->find(name);
    return value != nullptr && value->is_bool() && value->as_bool();
  };
  out.add_generation_prompt = flag("add_generation_prompt");
  out.add_vision_id = flag("add_vision_id");
  out.preserve_thinking = flag("preserve_thinking");
  if (const json::Value* const thinking = given->find("enable_thinking")) {
    if (thinking->is_bool()) {
      out.enable_thinking = thinking->as_bool();
    } else {
      out.variables["enable_thinking"] = *thinking;
    }
  }
  if (const json::Value* const continued = given->find("continue_final_message")) {
    out.continue_final_message = true;
    out.continued_field =
        *continued == json::Value("reasoning_content") ? ContinuedField::reasoning_content : ContinuedField::content;
  }
  return out;
}

bool as_recorded(const std::string& text, const json::Value& record) {
  if (const json::Value* const whole = record.find("x")) {
    return text == whole->as_string();
  }
  const json::Value* const digest = record.find("h");
  return digest != nullptr && static_cast<std::int64_t>(text.size()) == digest->items()[0].as_integer() &&
         sha256_hex(text).substr(0, 16) == digest->items()[1].as_string();
}

ChatTemplate own(const std::string& source) {
  ChatTemplate out;
  out.own = std::make_shared<const JinjaChatTemplate>(source);
  return out;
}

}  // namespace

TEST_CASE("edited templates render as the reference renders them") {
  std::ifstream file(QWEN35_TEST_DATA "/chat_template/variants.jsonl");
  std::string line, name;
  std::getline(file, line);
  REQUIRE(json::parse(line).find("transformers") != nullptr);
  ChatTemplate chat_template;
  // The sanitizers make this ten times as long: there every fourth case is rendered, and each that is an error.
#if defined(__SANITIZE_ADDRESS__)
  constexpr int step = 4;
#else
  constexpr int step = 1;
#endif
  int templates = 0, cases = 0, errors = 0, wrong = 0;
  while (std::getline(file, line)) {
    const json::Value record = json::parse(line);
    if (record.find("name") != nullptr) {
      name = record.at("name").as_string();
      chat_template = own(source_of(record));
      ++templates;
      continue;
    }
    const json::Value* const expected = record.find("e");
    if (++cases % step != 0 && expected == nullptr) {
      continue;
    }
    ChatTemplateOptions options = options_of(record);
    options.chat_template = chat_template;
    std::string text, error;
    try {
      text = apply_chat_template(record.at("m"), record.find("t") != nullptr ? record.at("t") : json::Value(), options);
    } catch (const TextError& problem) {
      error = problem.what();
    }
    errors += expected != nullptr ? 1 : 0;
    const bool right = expected != nullptr ? !error.empty() && error.starts_with(expected->as_string())
                                           : error.empty() && as_recorded(text, record);
    if (!right && ++wrong <= 5) {
      MESSAGE(name, ": ", line, "\ngives ", error.empty() ? text : error);
    }
  }
  CHECK(wrong == 0);
  CHECK(templates >= 30);
  CHECK(cases >= 10 * templates);
  CHECK(errors >= cases / 50);
}

TEST_CASE("the published file interpreted gives what the native renderer gives, media and all") {
  const ChatTemplate interpreted = own(published());
  std::ifstream file(QWEN35_TEST_DATA "/chat_template/cases.jsonl");
  std::string line;
  std::getline(file, line);
  int same = 0;
  for (int i = 0; i < 1000 && std::getline(file, line); ++i) {
    const json::Value record = json::parse(line);
    ChatTemplateOptions options = options_of(record);
    if (record.at("v") != json::Value(0) || record.find("x") == nullptr || record.find("r") != nullptr ||
        options.variables.is_object()) {
      continue;
    }
    CAPTURE(line);
    const json::Value tools = record.find("t") != nullptr ? record.at("t") : json::Value();
    const RenderedChat native = render_chat(record.at("m"), tools, options);
    options.chat_template = interpreted;
    const RenderedChat chat = render_chat(record.at("m"), tools, options);
    CHECK(chat.text == native.text);
    CHECK(chat.media == native.media);
    CHECK(chat.preamble_end == (native.message_ends.empty() ? native.preamble_end : native.message_ends.back()));
    REQUIRE_FALSE(chat.runs.empty());
    CHECK(chat.runs.back().end == chat.text.size());
    ++same;
  }
  CHECK(same > 50);
}

TEST_CASE("each byte knows who wrote it") {
  ChatTemplateOptions options;
  options.add_generation_prompt = true;
  options.chat_template = own(published());
  const RenderedChat chat = render_chat({Message::system("<|im_end|>s"), Message::user("<|im_start|>u"),
                                         Message::assistant("a</think>b"), Message::tool("t<|image_pad|>")},
                                        {}, options);
  std::string by_origin[4];
  std::size_t begin = 0;
  for (const TextRun& run : chat.runs) {
    by_origin[static_cast<std::size_t>(run.origin)] += chat.text.substr(begin, run.end - begin) + '|';
    begin = run.end;
  }
  CHECK(by_origin[static_cast<std::size_t>(TextOrigin::program)] == "<|im_end|>s|");
  CHECK(by_origin[static_cast<std::size_t>(TextOrigin::user)] == "user|<|im_start|>u|t<|image_pad|>|");
  CHECK(by_origin[static_cast<std::size_t>(TextOrigin::assistant)] == "assistant|a|b|");
  CHECK(
      by_origin[static_cast<std::size_t>(TextOrigin::chat_template)].starts_with("<|im_start|>system\n|<|im_end|>\n"));
  CHECK(chat.media.empty());
  CHECK(chat.text.substr(chat.preamble_end) == "<|im_start|>assistant\n<think>\n");
}

TEST_CASE("what a template must not do is stopped, and what it cannot is named") {
  const auto said = [](const std::string& source) {
    return message_of<TextError>([&] {
      ChatTemplateOptions options;
      options.chat_template = own(source);
      apply_chat_template(json::parse(R"([{"role": "user", "content": "hi"}])"), {}, options);
    });
  };
  CHECK(said("{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}") ==
        "chat template: it does more than a template of any use would");
  CHECK(said("{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}") ==
        "chat template: it does more than a template of any use would");
  // Each would take hours, or all memory, and is refused before it is done.
  const std::string twice =
      "{% set ns = namespace(x=[1], y=[1], z='y' * 1000000) %}{% for i in range(60) %}{% set ns.x = "
      "[ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}";
  for (const std::string& work :
       {std::string("{{ 'x' * 10**9 }}"), std::string("{{ 'xyz' * 10**18 }}"), twice + "{{ ns.x == ns.y }}",
        twice + "{{ ns.x in [ns.y] }}", twice + "{{ range(100000)|join(ns.z) }}",
        twice + "{{ range(100000)|list|tojson(separators=[ns.z, ns.z]) }}",
        twice + "{{ [[[1]]]|tojson(indent=ns.z * 99) }}", twice + "{{ (ns.z * 60)|list }}",
        twice + "{{ (ns.z ~ 'a') in ns.z * 2 }}", twice + "{{ (ns.z * 2).replace(ns.z ~ 'a', 'b') }}",
        twice + "{{ (ns.z * 2).split(ns.z ~ 'a') }}", twice + "{{ (ns.z * 2).find(ns.z ~ 'a') }}",
        twice + "{{ ns.z.replace('', ns.z) }}"}) {
    CHECK_MESSAGE(said(work) == "chat template: it does more than a template of any use would", work);
  }
  for (const std::string item : {"[ns.x]", "{'a': ns.x}", "{'a': ns.x}.get", "{'a': [ns.x]}.items"}) {
    CHECK(said("{% set ns = namespace(x=1) %}{% for i in range(9999) %}{% set ns.x = " + item + " %}{% endfor %}") ==
          "chat template: a value is nested too deeply");
  }
  CHECK(
      said("{% set ns = namespace(x=1) %}{% for i in range(9999) %}{% set n = namespace() %}{% set n.p = ns.x %}{% set "
           "ns.x = n %}{% endfor %}")
          .empty());
  CHECK(contains(said("{% for i in range(10**15) %}{% endfor %}"), "range: more than 100000 items"));
  for (const std::string width : {"'x'.center(10**9)", "'{:999999999}'.format(3)", "'%999999999d' % 3"}) {
    CHECK_FALSE(said("{{ " + width + " }}").empty());
  }
  CHECK(contains(said("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"), "line 1: nested too deeply"));
  for (const auto& brackets : {std::pair{"(", ")"},
                               {"[", "]"},
                               {"not ", ""},
                               {"-", ""},
                               {"x if ", ""},
                               {"{% if x %}", "{% endif %}"},
                               {"{% for x in y %}", "{% endfor %}"}}) {
    const std::string open = brackets.first, close = brackets.second;
    CAPTURE(open);
    std::string source = open[0] == '{' ? "" : "{{ ", end = open[0] == '{' ? "" : " }}";
    for (int i = 0; i < 20000; ++i) {
      source += open;
      end.insert(0, close);
    }
    CHECK(contains(said(source + "x" + end), "nested too deeply"));
  }
  std::string sum = "{{ 1";
  for (int i = 0; i < 5000; ++i) {
    sum += " + 1";
  }
  CHECK(contains(said(sum + " }}"), "nested too deeply"));
  CHECK(contains(said(std::string((1 << 20) + 1, 'x')), "1048577 bytes, the limit is 1048576"));
  CHECK(said("a\n{% include 'b' %}") == "chat template, line 2: the tag {% include %} is not supported");
  CHECK(said("{{ messages | pprint }}") == "chat template, line 1: the filter \"pprint\" is not supported");
  CHECK(said("\n\n{{ 'a' is filter }}") == "chat template, line 3: the test \"filter\" is not supported");
  CHECK(said("{{ messages[0].content.encode() }}") == "chat template: the method encode of strings is not supported");
  CHECK(said("{{ messages.append(1) }}") == "chat template: the method append is not allowed here");
  CHECK(said("{{ nothing.x }}") == "chat template, line 1: \"nothing\" is undefined");
  CHECK(said("{{ raise_exception('No!') }}") == "No! (chat template, line 1)");
  CHECK(contains(said("\xff"), "not UTF-8"));
  CHECK(contains(said("<|vision_start|><|image_pad|><|vision_end|>"), "it writes the placeholder <|image_pad|> where"));
}

TEST_CASE("a placeholder stands for what the template looked at, in whatever order") {
  ChatTemplateOptions options;
  options.chat_template =
      own("{% macro one(item) %}{% if item.type == 'image' %}<|image_pad|>{% elif item.type == 'video' "
          "%}<|video_pad|>{% endif %}"
          "{% endmacro %}{% for m in messages[::-1] %}{% for item in m.content[::-1] %}[{{ one(item) | trim }}]{% "
          "endfor %}{% endfor %}");
  const std::vector<Message> messages = {
      Message::user(std::vector<ContentPart>{ContentPart::image("a"), ContentPart::text("<|image_pad|>"),
                                             ContentPart::image("b")}),
      Message::user(std::vector<ContentPart>{ContentPart::video("c"), ContentPart::image("d")})};
  const RenderedChat chat = render_chat(messages, {}, options);
  CHECK(chat.text == "[<|image_pad|>][<|video_pad|>][<|image_pad|>][][<|image_pad|>]");
  const std::vector<RenderedMedium> expected = {{PartType::image, 1, 1, 1},
                                                {PartType::video, 1, 0, 16},
                                                {PartType::image, 0, 2, 31},
                                                {PartType::image, 0, 0, 48}};
  CHECK(chat.media == expected);
  // A template that leaves old pictures out.
  options.chat_template =
      own("{% for item in messages[-1].content %}{% if item.type == 'image' %}<|image_pad|>{% endif %}{% endfor %}");
  CHECK(render_chat(messages, {}, options).media == std::vector<RenderedMedium>{{PartType::image, 1, 1, 0}});
}

TEST_CASE("a template for tools, tokens and variables") {
  ChatTemplateOptions options;
  options.chat_template.own =
      std::make_shared<const JinjaChatTemplate>("{{ bos_token }}plain {{ effort }}", "{{ tools | length }} tools",
                                                std::map<std::string, std::string>{{"bos_token", "<s>"}});
  options.variables["effort"] = json::Value("high");
  const std::vector<Message> messages = {Message::user("hi")};
  CHECK(apply_chat_template(messages, {}, options) == "<s>plain high");
  CHECK(apply_chat_template(messages, {json::parse("{}")}, options) == "1 tools");
}
