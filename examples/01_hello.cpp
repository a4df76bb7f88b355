// SPDX-License-Identifier: Apache-2.0
// A question to the embedded model, and its answer.
//
// Expected output:
//   A blue star.
#include <qwen35/model.hpp>
#include <qwen35_embed/shapes.hpp>

#include <cstdio>

int main() {
  try {
    const auto checkpoint = qwen35::Checkpoint::from_bytes({{"config.json", shapes::config_json()},
                                                            {"model.safetensors", shapes::model_safetensors()},
                                                            {"tokenizer.json", shapes::tokenizer_json()}});
    const qwen35::CausalLM<qwen35::configs::Shapes> model(checkpoint);
    const auto tokenizer = qwen35::Tokenizer::from_bytes(checkpoint.text("tokenizer.json"));
    const auto ids = tokenizer.encode(qwen35::apply_chat_template(
        {{qwen35::Role::user, "There is a red circle and a blue star. What is right of the red circle?"}}, {},
        {.add_generation_prompt = true, .enable_thinking = false}));
    const auto answer = model.generate(
        {.input_ids = ids}, {.max_new_tokens = 16, .eos_token_id = tokenizer.convert_tokens_to_ids("<|im_end|>")});
    std::puts(tokenizer.decode(answer.new_tokens(0), true).c_str());
    return 0;
  } catch (const qwen35::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
