// SPDX-License-Identifier: Apache-2.0
#include <qwen35/core/name_list.hpp>

#include <doctest/doctest.h>

using namespace qwen35;

TEST_CASE("the first names of a list are shown, and the others counted") {
  NameList list;
  CHECK(list.text().empty());
  list.add("a");
  list.add("b");
  list.add("c");
  CHECK(list.text() == "a, b, c");
  CHECK(list.text("; ", 3) == "a; b; c");
  CHECK(list.text(", ", 2) == "a, b and 1 more");
  CHECK(list.text("\n  ", 2) == "a\n  b\n  and 1 more");
  for (std::size_t i = 0; i < 100; ++i) {
    list.add(std::string(1000, 'n'));
  }
  CHECK(list.count == 103);
  CHECK(list.names.size() == NameList::shown);
  CHECK(list.names.back() == std::string(300, 'n') + "... (1000 bytes)");
  CHECK(list.text().ends_with(" and 53 more"));
}
