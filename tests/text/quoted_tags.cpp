// SPDX-License-Identifier: Apache-2.0
#include <qwen35/text/quoted_tags.hpp>

#include <doctest/doctest.h>

using namespace qwen35;

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
