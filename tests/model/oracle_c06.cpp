// SPDX-License-Identifier: Apache-2.0
// The text model on the recorded cases c06 to c11 of tests/data/text: the reference's results within the bars, equal
// bits where promised.
#include "model/oracle_check.hpp"

#include <qwen35_config/c06.hpp>
#include <qwen35_config/c07.hpp>
#include <qwen35_config/c08.hpp>
#include <qwen35_config/c09.hpp>
#include <qwen35_config/c10.hpp>
#include <qwen35_config/c11.hpp>

TEST_CASE("c06") {
  oracle::check_model<c06>("c06");
}
TEST_CASE("c07") {
  oracle::check_model<c07>("c07");
}
TEST_CASE("c08") {
  oracle::check_model<c08>("c08");
}
TEST_CASE("c09") {
  oracle::check_model<c09>("c09");
}
TEST_CASE("c10") {
  oracle::check_model<c10>("c10");
}
TEST_CASE("c11") {
  oracle::check_model<c11>("c11");
}
