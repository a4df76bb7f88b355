// SPDX-License-Identifier: Apache-2.0
// The text model on the recorded cases c18 to c23 of tests/data/text: the reference's results within the bars, equal
// bits where promised.
#include "model/oracle_check.hpp"

#include <qwen35_config/c18.hpp>
#include <qwen35_config/c19.hpp>
#include <qwen35_config/c20.hpp>
#include <qwen35_config/c21.hpp>
#include <qwen35_config/c22.hpp>
#include <qwen35_config/c23.hpp>

TEST_CASE("c18: layers LL, 7 of 7 experts, gelu, f32") {
  oracle::check_model<c18>("c18");
}
TEST_CASE("c19: layers LLLF, 4 of 4 experts, 2 heads on 2, rope longrope, tied, bf16") {
  oracle::check_model<c19>("c19");
}
TEST_CASE("c20: layers LFLF, dense, 3 heads on 1, rope dynamic, tied, f32") {
  oracle::check_model<c20>("c20");
}
TEST_CASE("c21: layers LLLF, 1 of 3 experts, 3 heads on 1, rope default, bf16") {
  oracle::check_model<c21>("c21");
}
TEST_CASE("c22: layers FF, 6 of 6 experts, 6 heads on 2, rope dynamic, f32") {
  oracle::check_model<c22>("c22");
}
TEST_CASE("c23: layers LLLF, 1 of 6 experts, 6 heads on 2, rope longrope, bf16") {
  oracle::check_model<c23>("c23");
}
