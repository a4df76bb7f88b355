// SPDX-License-Identifier: Apache-2.0
#include <qwen35/text/jinja_template.hpp>

#include "support/message_of.hpp"

#include <doctest/doctest.h>

#include <fstream>

using namespace qwen35;

TEST_CASE("templates give what they give in the reference, or fail where it fails") {
  std::ifstream file(QWEN35_TEST_DATA "/chat_template/jinja.jsonl");
  std::string line;
  std::getline(file, line);
  std::map<std::string, jinja::Value, std::less<>> variables;
  const json::Value head = json::parse(line);
  for (const auto& [name, value] : head.at("variables").members()) {
    variables[name] = jinja::Value::from_json(value, TextOrigin::user);
  }
  int count = 0, errors = 0;
  while (std::getline(file, line)) {
    const json::Value record = json::parse(line);
    const std::string& source = record.at("s").as_string();
    CAPTURE(source);
    ++count;
    std::string text;
    const std::string error =
        test_support::message_of<TextError>([&] { text = JinjaTemplate(source).render(variables).bytes; });
    CAPTURE(error);
    if (record.find("e") != nullptr) {
      ++errors;
      CHECK_FALSE(error.empty());
    } else {
      CHECK(error.empty());
      CHECK(text == record.at("x").as_string());
    }
  }
  CHECK(count > 130);
  CHECK(errors > 20);
}

TEST_CASE("a character that begins no token is told as a whole") {
  CHECK(test_support::message_of<TextError>([] { JinjaTemplate("{{ \xC3\xA9 }}"); }) ==
        "chat template, line 1: unexpected character '\xC3\xA9'");
}
