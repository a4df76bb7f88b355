// SPDX-License-Identifier: Apache-2.0
#include <qwen35/text/quoted_tags.hpp>

#include <doctest/doctest.h>

#include <string_view>

using namespace qwen35;

TEST_CASE("a fence stands at the beginning of a line, in whatever pieces it comes") {
  const auto open = [](std::string_view text) {
    QuotedFence whole, pieces;
    whole.add(text);
    for (const char c : text) {
      pieces.add({&c, 1});
    }
    CHECK(whole.open() == pieces.open());
    return whole.open();
  };
  for (const char* text : {"```", "```xml\n", "So:\n  ```json\nx", "```\na\n```\n````\n", "```a```"}) {
    CHECK_MESSAGE(open(text), text);
  }
  for (const char* text : {"", "``", "a ```", "```\na\n```", "` ``", "``\n`", "`` `", "a\n```\n\n ```\n"}) {
    CHECK_MESSAGE(!open(text), text);
  }
}

TEST_CASE("what follows a backtick is code") {
  QuotedFence fence;
  CHECK_FALSE(fence.in_code());
  fence.add("Write `");
  CHECK(fence.in_code());
  CHECK_FALSE(fence.open());
  fence.add("");
  CHECK(fence.in_code());
  fence.add("x");
  CHECK_FALSE(fence.in_code());
  fence.add("\n```\n");
  CHECK(fence.in_code());
}

TEST_CASE("closing a tag closes what was left open inside it") {
  QuotedTags tags;
  for (const CallTag tag : {CallTag::call, CallTag::function, CallTag::parameter, CallTag::parameter}) {
    tags.push(tag);
  }
  tags.close(CallTag::parameter);
  CHECK(tags.open(CallTag::parameter));
  tags.close(CallTag::function);
  CHECK_FALSE(tags.open(CallTag::parameter));
  CHECK_FALSE(tags.open(CallTag::function));
  CHECK(tags.open(CallTag::call));
  tags.clear();
  CHECK_FALSE(tags.open(CallTag::call));
}
