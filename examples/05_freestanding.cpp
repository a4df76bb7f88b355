// SPDX-License-Identifier: Apache-2.0
// As on a board: weights in read-only memory, caches and workspace in static storage whose sizes the compiler knows, no
// file, no thread, no exception; and once it has started, no heap, which is counted.
//
// Compiled for one instruction set, without exceptions, RTTI and OpenMP: see CMakeLists.txt.
//
// Expected output:
//   512 tokens: 185 KiB of cache, 294 KiB of workspace, in static storage
//   > There is a red circle and a blue star. What is right of the red circle?
//   A blue star.
//   > There is a blue star. What color is the star?
//   The star is blue.
//   allocations since the start: 0
#include <qwen35/config/presets.hpp>
#include <qwen35/model/causal_lm.hpp>
#include <qwen35/text/chat_template.hpp>
#include <qwen35/text/tokenizer.hpp>
#include <qwen35_embed/shapes.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <new>

static std::size_t allocations = 0;

// (Not inline: the compiler would see one half of a pair and warn of the other.)
[[gnu::noinline]] void* operator new(std::size_t bytes, std::align_val_t alignment) {
  ++allocations;
  const auto step = static_cast<std::size_t>(alignment);
  void* const memory = std::aligned_alloc(step, (std::max<std::size_t>(bytes, 1) + step - 1) / step * step);
  if (memory == nullptr) {
    std::abort();
  }
  return memory;
}
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  return operator new (bytes, std::align_val_t{alignof(std::max_align_t)});
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}

// A board would log it and start again.
extern "C" void qwen35_error_handler(qwen35::ErrorKind, const char* message, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, message);
  std::abort();
}

namespace {

using Config = qwen35::configs::Shapes;
using Model = qwen35::CausalLM<Config>;

constexpr std::size_t most_tokens = 512;  // of a question with its answer
constexpr std::size_t piece = 32;         // tokens read at once
constexpr qwen35::CacheLayout layout = Model::cache_layout(qwen35::DType::bf16);

alignas(64) constinit std::byte pages[qwen35::KvPool::bytes(layout, qwen35::pages_for(most_tokens))];
alignas(64) constinit float states[layout.state_floats()];
alignas(64) constinit std::byte scratch[qwen35::Workspace<Config>::bytes(piece)];

constexpr const char* questions[] = {"There is a red circle and a blue star. What is right of the red circle?",
                                     "There is a blue star. What color is the star?"};

}  // namespace

int main() {
  // The start: the heap holds the tokenizer, the lists of tensors, and vectors that are stored in another format.
  const Model model(qwen35::Checkpoint::from_bytes(
      {{"config.json", shapes::config_json()}, {"model.safetensors", shapes::model_safetensors()}}));
  const auto file = shapes::tokenizer_json();
  const auto tokenizer = qwen35::Tokenizer::from_bytes({reinterpret_cast<const char*>(file.data()), file.size()});
  std::vector<std::string> words;
  for (std::size_t id = 0; id < Config::text_config::vocab_size; ++id) {
    words.push_back(tokenizer.decode({{static_cast<qwen35::TokenId>(id)}}, true));
  }
  const qwen35::TokenId end = tokenizer.convert_tokens_to_ids("<|im_end|>");
  std::vector<std::vector<qwen35::TokenId>> prompts;
  for (const char* question : questions) {
    prompts.push_back(tokenizer.encode(qwen35::apply_chat_template(
        {{qwen35::Role::user, question}}, {}, {.add_generation_prompt = true, .enable_thinking = false})));
  }
  const auto pool = std::make_shared<qwen35::KvPool>(layout, std::span(pages));
  qwen35::SequenceCache cache(pool, states);
  cache.reserve(most_tokens);
  qwen35::Workspace<Config> workspace(scratch, piece);
  std::printf("%zu tokens: %zu KiB of cache, %zu KiB of workspace, in static storage\n", most_tokens,
              (sizeof(pages) + sizeof(states)) / 1024, sizeof(scratch) / 1024);

  const std::size_t at_start = allocations;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    std::printf("> %s\n", questions[i]);
    cache.reset();
    std::span<const qwen35::TokenId> next = prompts[i];
    qwen35::TokenId token = 0;
    while (token != end && cache.tokens() + next.size() <= most_tokens) {
      const qwen35::SequenceSlice slice{.cache = &cache, .ids = next};
      const std::span<const float> logits = model.forward({&slice, 1}, workspace).logits_row(0);
      token = static_cast<qwen35::TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
      std::fputs(words[static_cast<std::size_t>(token)].c_str(), stdout);
      next = {&token, 1};
    }
    std::puts("");
  }
  std::printf("allocations since the start: %zu\n", allocations - at_start);
  return allocations == at_start ? 0 : 1;
}
