// SPDX-License-Identifier: Apache-2.0
// A first program: it opens a model and generates.
// budget: generate lines 79000 bytes 320000
#include <qwen35/model.hpp>

int main(int, char** arguments) {
  const auto model = qwen35::CausalLM<qwen35::configs::Shapes>::from_pretrained(arguments[1]);
  const auto tokenizer = qwen35::Tokenizer::from_pretrained(arguments[1]);
  const auto out = model.generate(tokenizer("Hello"), {.max_new_tokens = 8});
  return static_cast<int>(out.sequences.size());
}
