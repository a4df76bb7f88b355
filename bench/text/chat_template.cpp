// SPDX-License-Identifier: Apache-2.0
#include <qwen35/text/chat_template.hpp>

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

namespace {

// `turns` of a question, a call, a tool's response and an answer, each of `size` characters.
std::vector<qwen35::Message> conversation(int turns, std::size_t size) {
  using qwen35::Message;
  std::vector<Message> out = {Message::system("Be brief.")};
  for (int i = 0; i < turns; ++i) {
    out.push_back(Message::user(std::string(size, 'q')));
    out.push_back(Message::assistant(std::string(size, 'c')));
    out.back().tool_calls.push_back(
        {"search", qwen35::json::parse(R"({"query": "red", "limit": 3, "filter": {"a": [1.5, null]}})")});
    out.push_back(Message::tool(std::string(size, 't')));
    out.push_back(Message::assistant(std::string(size, 'a')));
  }
  return out;
}

void render(benchmark::State& state) {
  const auto messages = conversation(static_cast<int>(state.range(0)), static_cast<std::size_t>(state.range(1)));
  std::size_t bytes = 0;
  for (auto _ : state) {
    const std::string text = qwen35::apply_chat_template(messages, {}, {.add_generation_prompt = true});
    benchmark::DoNotOptimize(text.data());
    bytes += text.size();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}
BENCHMARK(render)->Args({1, 100})->Args({25, 100})->Args({25, 10000});

}  // namespace
