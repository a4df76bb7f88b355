// SPDX-License-Identifier: Apache-2.0
// The text model on the recorded cases c12 to c17 of tests/data/text: the reference's results within the bars, equal
// bits where promised.
#include "model/oracle_check.hpp"

#include <qwen35_config/c12.hpp>
#include <qwen35_config/c13.hpp>
#include <qwen35_config/c14.hpp>
#include <qwen35_config/c15.hpp>
#include <qwen35_config/c16.hpp>
#include <qwen35_config/c17.hpp>

TEST_CASE("c12: layers LL, 5 of 6 experts, f16") {
  oracle::check_model<c12>("c12");
}
TEST_CASE("c13: layers LLLF, dense, 6 heads on 2, rope linear, tied, f16") {
  oracle::check_model<c13>("c13");
}
TEST_CASE("c14: layers LL, 1 of 7 experts, tied, bf16") {
  oracle::check_model<c14>("c14");
}
TEST_CASE("c15: layers FFF, 3 of 5 experts, 6 heads on 2, rope default, f16") {
  oracle::check_model<c15>("c15");
}
TEST_CASE("c16: layers FF, 7 of 7 experts, 2 heads on 2, rope llama3, f32") {
  oracle::check_model<c16>("c16");
}
TEST_CASE("c17: layers FFL, 5 of 6 experts, 6 heads on 2, rope yarn, gelu, f32") {
  oracle::check_model<c17>("c17");
}
