// SPDX-License-Identifier: Apache-2.0
#include <qwen35/core/concat.hpp>

#include <doctest/doctest.h>

using namespace qwen35;

TEST_CASE("pieces of a message are put together as they are written") {
  const std::string text = "text";
  CHECK(concat() == "");
  CHECK(concat("a", text, std::string_view("view"), 'c', true, false, -3, 7u, std::size_t{1} << 40) ==
        "atextviewctruefalse-371099511627776");
  CHECK(concat("[", 0.5f, "]") == "[0.500000]");
}
