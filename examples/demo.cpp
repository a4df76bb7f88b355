// SPDX-License-Identifier: Apache-2.0
// A language model inside a binary: asks the embedded shapes checkpoint a few questions and streams its answers. No file is read.
#include <qwen35/model.hpp>
#include <qwen35_embed/shapes.hpp>

#include <chrono>
#include <cstdio>

namespace {

using Model = qwen35::CausalLM<qwen35::configs::Shapes>;

struct Question {
  const char* text;
  bool thinking;
};

constexpr Question questions[] = {
    {"There is a red circle and a blue star. What is right of the red circle?", false},
    {"There is a green triangle, a yellow square and a purple circle. How many shapes are there?", false},
    {"There is an orange square and a blue triangle. What color is the triangle?", false},
    {"There is a yellow star and a green circle. What is left of the green circle?", true},
};

std::string_view text_of(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

void ask(const Model& model, const qwen35::Tokenizer& tokenizer, const qwen35::GenerationConfig& config, const Question& question) {
  const std::string prompt = qwen35::apply_chat_template({{qwen35::Role::user, question.text}}, {},
                                                         {.add_generation_prompt = true, .enable_thinking = question.thinking});
  const std::vector<qwen35::TokenId> ids = tokenizer.encode(prompt);
  std::printf("\n> %s\n", question.text);

  qwen35::HybridCache<qwen35::configs::Shapes> cache;
  qwen35::StreamDecoder decoder(tokenizer, true);
  const auto start = std::chrono::steady_clock::now();
  const auto answer = model.generate({.input_ids = ids,
                                      .past_key_values = &cache,
                                      .streamer =
                                          [&](std::span<const qwen35::TokenId> tokens) {
                                            std::fputs(decoder.push(tokens[0]).c_str(), stdout);
                                            std::fflush(stdout);
                                            return true;
                                          }},
                                     config);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("%s\n  [%zu prompt tokens, %zu answered in %.1f ms: %.0f tokens/s; cache %zu KiB]\n", decoder.finish().c_str(), ids.size(),
              answer.generated[0], seconds * 1e3, static_cast<double>(ids.size() + answer.generated[0]) / seconds, cache.bytes() / 1024);
}

}  // namespace

int main() {
  try {
    const Model model(qwen35::Checkpoint::from_bytes({{"config.json", shapes::config_json()},
                                                      {"generation_config.json", shapes::generation_config_json()},
                                                      {"model.safetensors", shapes::model_safetensors()}}));
    const qwen35::Tokenizer tokenizer = qwen35::Tokenizer::from_bytes(text_of(shapes::tokenizer_json()));
    const qwen35::GenerationConfig config = qwen35::GenerationConfig::from_json(model.generation_config());
    const std::string_view isa = qwen35::isa_name();
    std::printf("A Qwen3.5-MoE of 2 M parameters, %zu layers, %zu experts; kernels %.*s, %d threads (%s)\n",
                qwen35::configs::Shapes::text_config::num_hidden_layers, qwen35::configs::Shapes::text_config::num_experts,
                static_cast<int>(isa.size()), isa.data(), qwen35::num_threads(), std::string(qwen35::thread_backend()).c_str());
    for (const Question& question : questions) {
      ask(model, tokenizer, config, question);
    }
    return 0;
  } catch (const qwen35::Error& error) {
    std::fprintf(stderr, "demo: %s\n", error.what());
    return 1;
  }
}
