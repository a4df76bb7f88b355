// SPDX-License-Identifier: Apache-2.0
// Eight questions of different lengths, which three places of a batch answer side by side: when one has ended, the next
// takes its place. What a question gets does not depend on its neighbours. No file is read.
//
// Expected output:
//   There is a red circle and a blue star. What is right of the red circle?
//     A blue star.  [5 tokens, step 5]
//   ...
//   There is a green star, a red triangle and an orange circle. What color is the star?
//     The star is green.  [7 tokens, step 19]
//   ...
#include <qwen35/generate/batch.hpp>
#include <qwen35/model.hpp>
#include <qwen35_embed/shapes.hpp>

#include <cstdio>
#include <map>
#include <string>
#include <vector>

namespace {

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

const std::vector<std::string> questions = {
    "There is a red circle and a blue star. What is right of the red circle?",
    "There is a green triangle, a yellow square and a purple circle. How many shapes are there?",
    "There is an orange square and a blue triangle. What color is the triangle?",
    "There is a blue star. What color is the star?",
    "There is a red square, a green circle, a blue star and a yellow triangle. How many shapes are there?",
    "There is a purple triangle and a green square. What is left of the green square?",
    "There is a yellow circle. How many shapes are there?",
    "There is a green star, a red triangle and an orange circle. What color is the star?"};

}  // namespace

int main() {
  try {
    const auto model = qwen35::CausalLM<qwen35::configs::Shapes>(qwen35::Checkpoint::from_bytes(
        {{"config.json", shapes::config_json()}, {"model.safetensors", shapes::model_safetensors()}}));
    const auto tokenizer = qwen35::Tokenizer::from_bytes(text_of(shapes::tokenizer_json()));
    const qwen35::TokenId end = tokenizer.convert_tokens_to_ids("<|im_end|>");

    qwen35::Batch batch(model, {.max_sequences = 3});
    std::map<decltype(batch)::Handle, std::string> asked;
    std::size_t next = 0;
    std::size_t steps = 0;
    while (next < questions.size() || batch.size() > 0) {
      while (next < questions.size() && batch.size() < 3) {
        const std::string prompt = qwen35::apply_chat_template(
            {{qwen35::Role::user, questions[next]}}, {}, {.add_generation_prompt = true, .enable_thinking = false});
        const auto handle =
            batch.add({.input_ids = tokenizer.encode(prompt), .config = {.max_new_tokens = 64, .eos_token_id = end}});
        asked[handle] = questions[next++];
      }
      batch.step();
      ++steps;
      for (const auto& event : batch.events()) {
        if (event.reason != qwen35::FinishReason::none) {
          const auto [sequence, cache] = batch.remove(event.handle);
          std::printf("%s\n  %s  [%zu tokens, step %zu]\n", asked[event.handle].c_str(),
                      tokenizer.decode(sequence.generated(), true).c_str(), sequence.usage.completion_tokens, steps);
        }
      }
    }
    return 0;
  } catch (const qwen35::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
