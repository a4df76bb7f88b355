// SPDX-License-Identifier: Apache-2.0
// The multimodal model on the recorded cases v05 to v09 of tests/data/vision: positions, results, conversations,
// generation, errors.
#include "model/multimodal_check.hpp"

#include <qwen35_config/v05.hpp>
#include <qwen35_config/v06.hpp>
#include <qwen35_config/v07.hpp>
#include <qwen35_config/v08.hpp>
#include <qwen35_config/v09.hpp>

TEST_CASE("v05") {
  oracle::check_multimodal<v05>("v05");
}
TEST_CASE("v06") {
  oracle::check_multimodal<v06>("v06");
}
TEST_CASE("v07") {
  oracle::check_multimodal<v07>("v07");
}
TEST_CASE("v08") {
  oracle::check_multimodal<v08>("v08");
}
TEST_CASE("v09") {
  oracle::check_multimodal<v09>("v09");
}
