// SPDX-License-Identifier: Apache-2.0
// The multimodal model on the recorded cases v00 to v04 of tests/data/vision: positions, results, conversations,
// generation, errors.
#include "model/multimodal_check.hpp"

#include <qwen35_config/v00.hpp>
#include <qwen35_config/v01.hpp>
#include <qwen35_config/v02.hpp>
#include <qwen35_config/v03.hpp>
#include <qwen35_config/v04.hpp>

TEST_CASE("v00") {
  oracle::check_multimodal<v00>("v00");
}
TEST_CASE("v01") {
  oracle::check_multimodal<v01>("v01");
}
TEST_CASE("v02") {
  oracle::check_multimodal<v02>("v02");
}
TEST_CASE("v03") {
  oracle::check_multimodal<v03>("v03");
}
TEST_CASE("v04") {
  oracle::check_multimodal<v04>("v04");
}
