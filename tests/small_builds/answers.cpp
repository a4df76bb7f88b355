// SPDX-License-Identifier: Apache-2.0
// The embedded shapes model answers, and a token that is none is refused, however this is compiled. Built several times
// with unusual flags. Prints the instruction set, the threads' backend and the answers.
#include <qwen35/model.hpp>
#include <qwen35_embed/shapes.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

struct Question {
  const char* text;
  std::string_view answer;
};
constexpr Question questions[] = {
    {"There is a red circle and a blue star. What is right of the red circle?", "A blue star."},
    {"There is a green triangle, a yellow square and a purple circle. How many shapes are there?", "Three shapes."},
    {"There is a blue star. What color is the star?", "The star is blue."}};

}  // namespace

#if !defined(__cpp_exceptions)
extern "C" void qwen35_error_handler(qwen35::ErrorKind kind, const char* message, const char* file, int line) {
  const std::string_view place = file;
  const bool right = kind == qwen35::ErrorKind::input && place.ends_with(".hpp") && line > 0;
  std::printf("%s: %s\n", right ? "handled" : "WRONG", message);
  std::exit(right ? 0 : 1);
}
#endif

int main() {
#if defined(__AVX2__)
  if (!__builtin_cpu_supports("avx2")) {
    return 77;
  }
#endif
  const std::string_view isa = qwen35::isa_name(), threads = qwen35::thread_backend();
  std::printf("%.*s, %.*s\n", static_cast<int>(isa.size()), isa.data(), static_cast<int>(threads.size()),
              threads.data());
  const qwen35::CausalLM<qwen35::configs::Shapes> model(qwen35::Checkpoint::from_bytes(
      {{"config.json", shapes::config_json()}, {"model.safetensors", shapes::model_safetensors()}}));
  const std::span<const std::byte> file = shapes::tokenizer_json();
  const auto tokenizer = qwen35::Tokenizer::from_bytes({reinterpret_cast<const char*>(file.data()), file.size()});
  const qwen35::TokenId end = tokenizer.convert_tokens_to_ids("<|im_end|>");
  for (const Question& question : questions) {
    const std::string prompt = qwen35::apply_chat_template({{qwen35::Role::user, question.text}}, {},
                                                           {.add_generation_prompt = true, .enable_thinking = false});
    const auto ids = tokenizer.encode(prompt);
    const auto output = model.generate({.input_ids = ids}, {.max_new_tokens = 16, .eos_token_id = end});
    const std::string answer = tokenizer.decode(output.new_tokens(0), true);
    std::printf("%s\n", answer.c_str());
    if (answer != question.answer) {
      return 1;
    }
  }

  // What is wrong comes back, whether the build has exceptions or not.
  const std::vector<qwen35::TokenId> wrong = {9999};
  const auto refused = qwen35::attempt([&] { return model.forward({.input_ids = wrong}); });
  std::printf("%s\n", refused ? "WRONG" : ("refused: " + refused.failure().message).c_str());
#if !defined(__cpp_exceptions)
  static_cast<void>(model.forward({.input_ids = wrong}));  // where nobody asked for a result: to the handler
  return 1;
#else
  return refused ? 1 : 0;
#endif
}
