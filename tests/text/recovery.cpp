// SPDX-License-Identifier: Apache-2.0
#include <qwen35/text/recovery.hpp>

#include <doctest/doctest.h>

using namespace qwen35;

TEST_CASE("a set of recoveries") {
  Recovery set = Recovery::none;
  CHECK(name(set).empty());
  set |= Recovery::letter_case;
  CHECK(name(set) == "letter_case");
  set |= Recovery::missing_open | Recovery::json_call;
  CHECK(name(set) == "missing_open, json_call, letter_case");
  CHECK(has(set, Recovery::json_call));
  CHECK(name(Recovery::missing_argument | Recovery::stray_text | Recovery::extra_open | Recovery::parameter_tag |
             Recovery::behind_open_value) ==
        "stray_text, extra_open, parameter_tag, behind_open_value, missing_argument");
  CHECK(has(set, Recovery::none));
  CHECK(literal_recovery(false, false) == Recovery::none);
  CHECK(literal_recovery(true, true) == (Recovery::python_literal | Recovery::control_characters));
  CHECK_FALSE(has(set, Recovery::json_call | Recovery::withdrawn));
}
