// SPDX-License-Identifier: Apache-2.0
// The multimodal model on the recorded cases v00 to v04 of tests/data/vision: positions, results, conversations,
// generation, errors.
#include "model/multimodal_check.hpp"

#include <qwen35_config/v00.hpp>
#include <qwen35_config/v01.hpp>
#include <qwen35_config/v02.hpp>
#include <qwen35_config/v03.hpp>
#include <qwen35_config/v04.hpp>

TEST_CASE("v00: a tower of 1 block of 1 head, patches of 4 merged by 2, then layers LLLF") {
  oracle::check_multimodal<v00>("v00");
}
TEST_CASE("v01: a tower of 4 blocks of 3 heads, patches of 2 merged by 1, then layers LF") {
  oracle::check_multimodal<v01>("v01");
}
TEST_CASE("v02: a tower of 2 blocks of 2 heads, patches of 4 merged by 2, then layers FL") {
  oracle::check_multimodal<v02>("v02");
}
TEST_CASE("v03: a tower of 3 blocks of 2 heads, patches of 3 merged by 2, then layers LFLF") {
  oracle::check_multimodal<v03>("v03");
}
TEST_CASE("v04: a tower of 2 blocks of 1 head, patches of 5 merged by 3, then layers LLF") {
  oracle::check_multimodal<v04>("v04");
}
