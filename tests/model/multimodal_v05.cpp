// SPDX-License-Identifier: Apache-2.0
// The multimodal model on the recorded cases v05 to v09 of tests/data/vision: positions, results, conversations,
// generation, errors.
#include "model/multimodal_check.hpp"

#include <qwen35_config/v05.hpp>
#include <qwen35_config/v06.hpp>
#include <qwen35_config/v07.hpp>
#include <qwen35_config/v08.hpp>
#include <qwen35_config/v09.hpp>

TEST_CASE("v05: a tower of 5 blocks of 4 heads, patches of 4 merged by 2, then layers LF") {
  oracle::check_multimodal<v05>("v05");
}
TEST_CASE("v06: a tower of 2 blocks of 2 heads, patches of 4 merged by 2, then layers LF") {
  oracle::check_multimodal<v06>("v06");
}
TEST_CASE("v07: a tower of 1 block of 4 heads, patches of 8 merged by 2, then layers LLLF") {
  oracle::check_multimodal<v07>("v07");
}
TEST_CASE("v08: a tower of 3 blocks of 5 heads, patches of 2 merged by 4, then layers LFF") {
  oracle::check_multimodal<v08>("v08");
}
TEST_CASE("v09: a tower of 2 blocks of 1 head, patches of 2 merged by 1, then layers FLL") {
  oracle::check_multimodal<v09>("v09");
}
