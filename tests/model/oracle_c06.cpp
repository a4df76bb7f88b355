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

TEST_CASE("c06: layers FF, dense, 2 heads on 1, rope yarn, bf16") {
  oracle::check_model<c06>("c06");
}
TEST_CASE("c07: layers LFF, 1 of 6 experts, 2 heads on 1, rope longrope, tied, f16") {
  oracle::check_model<c07>("c07");
}
TEST_CASE("c08: layers FF, 1 of 4 experts, 2 heads on 2, rope linear, tied, f32") {
  oracle::check_model<c08>("c08");
}
TEST_CASE("c09: layers LLLF, 4 of 4 experts, 2 heads on 1, rope default, f32") {
  oracle::check_model<c09>("c09");
}
TEST_CASE("c10: layers LLF, 3 of 6 experts, 1 head on 1, rope dynamic, tied, bf16") {
  oracle::check_model<c10>("c10");
}
TEST_CASE("c11: layers FFL, dense, 2 heads on 2, rope llama3, tied, f16") {
  oracle::check_model<c11>("c11");
}
