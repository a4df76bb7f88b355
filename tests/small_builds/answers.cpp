// SPDX-License-Identifier: Apache-2.0
// The embedded shapes model answers, and a token that is none is refused, however this is compiled. Built several times
// with unusual flags. Prints the instruction set, the threads' backend and the answers.
#include <qwen35/core/result.hpp>
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

// What is said of a token outside the vocabulary, and where it was found.
void tell(qwen35::ErrorKind kind, std::string_view message, std::string_view file, int line) {
  const bool right =
      kind == qwen35::ErrorKind::input && message.find("9999") != message.npos && file.ends_with(".hpp") && line > 0;
  std::printf("%s: %.*s\n", right ? "refused" : "WRONG", static_cast<int>(message.size()), message.data());
  std::exit(right ? 0 : 1);
}

}  // namespace

#if !defined(__cpp_exceptions)
extern "C" void qwen35_error_handler(qwen35::ErrorKind kind, const char* message, const char* file, int line) {
  tell(kind, message, file, line);
  std::abort();
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
  const std::vector<qwen35::TokenId> wrong = {9999};
  const auto refused = qwen35::attempt([&] { return model.forward({.input_ids = wrong}); });
  if (!refused) {
    tell(refused.failure().kind, refused.failure().message, __FILE__ ".hpp", __LINE__);
  }
  return 1;
}
