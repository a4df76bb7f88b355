// SPDX-License-Identifier: Apache-2.0
// The text model on the recorded cases c00 to c05 of tests/data/text: the reference's results within the bars, equal
// bits where promised.
#include "model/oracle_check.hpp"

#include <qwen35_config/c00.hpp>
#include <qwen35_config/c01.hpp>
#include <qwen35_config/c02.hpp>
#include <qwen35_config/c03.hpp>
#include <qwen35_config/c04.hpp>
#include <qwen35_config/c05.hpp>

TEST_CASE("c00") {
  oracle::check_model<c00>("c00");
}
TEST_CASE("c01") {
  oracle::check_model<c01>("c01");
}
TEST_CASE("c02") {
  oracle::check_model<c02>("c02");
}
TEST_CASE("c03") {
  oracle::check_model<c03>("c03");
}
TEST_CASE("c04") {
  oracle::check_model<c04>("c04");
}
TEST_CASE("c05") {
  oracle::check_model<c05>("c05");
}
