// SPDX-License-Identifier: Apache-2.0
// The text model on the recorded cases c24 to c29 of tests/data/text: the reference's results within the bars, equal
// bits where promised.
#include "model/oracle_check.hpp"

#include <qwen35_config/c24.hpp>
#include <qwen35_config/c25.hpp>
#include <qwen35_config/c26.hpp>
#include <qwen35_config/c27.hpp>
#include <qwen35_config/c28.hpp>
#include <qwen35_config/c29.hpp>

TEST_CASE("c24: layers FF, dense, 6 heads on 2, rope longrope, tied, f32") {
  oracle::check_model<c24>("c24");
}
TEST_CASE("c25: layers LFF, 1 of 7 experts, 1 head on 1, rope yarn, f32") {
  oracle::check_model<c25>("c25");
}
TEST_CASE("c26: layers LLLF, 1 of 6 experts, 2 heads on 2, rope llama3, tied, bf16") {
  oracle::check_model<c26>("c26");
}
TEST_CASE("c27: layers LLLF, 4 of 5 experts, 2 heads on 1, rope linear, f16") {
  oracle::check_model<c27>("c27");
}
TEST_CASE("c28: layers LL, dense, bf16") {
  oracle::check_model<c28>("c28");
}
TEST_CASE("c29: layers LLLF, 5 of 6 experts, 3 heads on 1, rope dynamic, bf16") {
  oracle::check_model<c29>("c29");
}
