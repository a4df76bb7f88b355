// SPDX-License-Identifier: Apache-2.0
// expect: GenerateInput
// lines: 12
#include <qwen35/model.hpp>

void call(const qwen35::CausalLM<qwen35::configs::Shapes>& model, const std::vector<qwen35::TokenId>& ids) {
#if defined(QWEN35_POSITIVE_CONTROL)
  model.generate({.input_ids = ids});
#else
  model.generate({.input_idz = ids});
#endif
}
