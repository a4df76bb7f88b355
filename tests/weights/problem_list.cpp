// SPDX-License-Identifier: Apache-2.0
#include <qwen35/weights/problem_list.hpp>

#include <doctest/doctest.h>

#include <algorithm>

using namespace qwen35;

TEST_CASE("problems are listed a line each, and beyond the first fifty counted") {
  ProblemList list;
  CHECK(list.count() == 0);
  CHECK(list.text().empty());
  list.add("a.weight", "missing");
  list.add("b.weight", concat("shape ", 3));
  CHECK(list.text() == "\n  a.weight: missing\n  b.weight: shape 3");
  for (std::size_t i = list.count(); i < 50; ++i) {
    list.add("c", "wrong");
  }
  const std::string fifty = list.text();
  CHECK(std::count(fifty.begin(), fifty.end(), '\n') == 50);
  list.add("d", "wrong");
  list.add("e", "wrong");
  CHECK(list.count() == 52);
  CHECK(list.text() == fifty + "\n  and 2 more");
}
