// SPDX-License-Identifier: Apache-2.0
// The usage example of the reference's Qwen3_5MoeForConditionalGeneration. Arguments: a model's folder, a picture.
#include <qwen35/model.hpp>
#include <qwen35/processor/processor.hpp>

#include <cstdio>

int main(int, char** argv) {
  using qwen35::ContentPart;
  const auto model = qwen35::Qwen3_5MoeForConditionalGeneration<qwen35::configs::Shapes>::from_pretrained(argv[1]);
  const auto processor = qwen35::Processor::from_pretrained(argv[1]);

  const std::vector<qwen35::Message> messages = {qwen35::Message::user(std::vector<ContentPart>{
      ContentPart::image(argv[2]),
      ContentPart::text("Describe this image in short."),
  })};

  // Preparation for inference
  const auto inputs = processor.apply_chat_template(messages, {.add_generation_prompt = true});

  // Generate
  const auto generated = model.generate(inputs, {.max_new_tokens = 128});
  const std::vector<std::span<const qwen35::TokenId>> generated_ids_trimmed = {generated.new_tokens(0)};
  std::puts(processor.batch_decode(generated_ids_trimmed, true, false)[0].c_str());
}
