// SPDX-License-Identifier: Apache-2.0
#include <qwen35/core/edit_distance.hpp>

#include <doctest/doctest.h>

using namespace qwen35;

TEST_CASE("characters that are put in, taken out and replaced are counted") {
  CHECK(edit_distance("", "", 2) == 0);
  CHECK(edit_distance("", "ab", 2) == 2);
  CHECK(edit_distance("depth", "depth", 2) == 0);
  CHECK(edit_distance("dpth", "depth", 2) == 1);
  CHECK(edit_distance("depthh", "depth", 2) == 1);
  CHECK(edit_distance("dapth", "depth", 2) == 1);
  CHECK(edit_distance("detph", "depth", 2) == 2);
  CHECK(edit_distance("kitten", "sitting", 9) == 3);
  CHECK(edit_distance("sitting", "kitten", 9) == 3);
}

TEST_CASE("of what is too far away it says no more than that") {
  CHECK(edit_distance("a", "abcd", 2) > 2);
  CHECK(edit_distance("abcd", "wxyz", 2) > 2);
}
