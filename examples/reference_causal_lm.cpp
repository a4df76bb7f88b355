// SPDX-License-Identifier: Apache-2.0
// The usage example of the reference's Qwen3_5MoeForCausalLM. Arguments: a model's folder.
#include <qwen35/model.hpp>

#include <cstdio>

int main(int, char** argv) {
  const auto model = qwen35::Qwen3_5MoeForCausalLM<qwen35::configs::Shapes>::from_pretrained(argv[1]);
  const auto tokenizer = qwen35::Tokenizer::from_pretrained(argv[1]);

  const std::string prompt = "Hey, are you conscious? Can you talk to me?";
  const auto inputs = tokenizer(prompt);

  // Generate
  const auto generated = model.generate(inputs, {.max_length = 30});
  std::puts(tokenizer.batch_decode(generated.sequences, true, false)[0].c_str());
}
