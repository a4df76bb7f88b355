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

TEST_CASE("c00: layers LLLF, 3 of 6 experts, 3 heads on 1, rope llama3, gelu_pytorch_tanh, tied, bf16") {
  oracle::check_model<c00>("c00");
}
TEST_CASE("c01: layers LFF, 7 of 7 experts, 1 head on 1, rope linear, bf16") {
  oracle::check_model<c01>("c01");
}
TEST_CASE("c02: layers LFLF, dense, 1 head on 1, rope default, tied, f32") {
  oracle::check_model<c02>("c02");
}
TEST_CASE("c03: layers LLLF, 1 of 7 experts, 6 heads on 2, rope dynamic, f16") {
  oracle::check_model<c03>("c03");
}
TEST_CASE("c04: layers LLLF, 4 of 4 experts, 1 head on 1, rope yarn, tied, f16") {
  oracle::check_model<c04>("c04");
}
TEST_CASE("c05: layers LLLF, 2 of 3 experts, 2 heads on 2, rope longrope, f32") {
  oracle::check_model<c05>("c05");
}
