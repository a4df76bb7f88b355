// SPDX-License-Identifier: Apache-2.0
#include <qwen35/text/message.hpp>

#include <doctest/doctest.h>

using namespace qwen35;

TEST_CASE("roles and their names") {
  for (const Role role : {Role::system, Role::user, Role::assistant, Role::tool}) {
    CHECK(role_from_name(role_name(role)) == role);
  }
  CHECK_FALSE(role_from_name("developer").has_value());
  CHECK_FALSE(role_from_name("").has_value());
}

TEST_CASE("content is a text or parts, and compares by value") {
  const Message text = Message::user("x");
  CHECK(text.role == Role::user);
  REQUIRE(text.content.is_text());
  CHECK(*text.content.text() == "x");
  CHECK(text.content.parts() == nullptr);
  const Message parts = Message::user(std::vector<ContentPart>{ContentPart::text("x"), ContentPart::image("y")});
  REQUIRE(parts.content.parts() != nullptr);
  CHECK(parts.content.parts()->size() == 2);
  CHECK(parts.content.text() == nullptr);
  CHECK_FALSE(text == parts);
  Message copy = text;
  CHECK(copy == text);
  copy.reasoning_content = "";
  CHECK_FALSE(copy == text);
}
