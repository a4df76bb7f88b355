// SPDX-License-Identifier: Apache-2.0
// A file that uses a model that another one compiles.
// budget: generate lines 79000 bytes 62000
#include <qwen35/generate/instantiate.hpp>
#include <qwen35/model.hpp>

QWEN35_EXTERN(qwen35::configs::Shapes)
QWEN35_EXTERN_GENERATE(qwen35::CausalLM<qwen35::configs::Shapes>)

using Model = qwen35::CausalLM<qwen35::configs::Shapes>;

std::size_t answer(const Model& model, const qwen35::Tokenizer& tokenizer);
std::size_t answer(const Model& model, const qwen35::Tokenizer& tokenizer) {
  return model.generate(tokenizer("Hello"), {.max_new_tokens = 8}).sequences.size();
}
