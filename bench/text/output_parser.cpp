// SPDX-License-Identifier: Apache-2.0
#include <qwen35/text/output_parser.hpp>

#include <benchmark/benchmark.h>

#include <string>

namespace {

// An output with reasoning, an answer and a call with a long value, given in pieces of `range(0)` characters (a token
// has about 4).
void parse(benchmark::State& state) {
  std::string text;
  for (int i = 0; i < 200; ++i) {
    text += "So the list has i < n items, and we need one more.\n";
  }
  text += "</think>\n\nI will write the file.\n\n<tool_call>\n<function=write>\n<parameter=content>\n";
  for (int i = 0; i < 400; ++i) {
    text += "for (int i = 0; i < n; ++i) { out << list<int>(i); }\n";
  }
  text += "</parameter>\n</function>\n</tool_call>";
  const auto piece = static_cast<std::size_t>(state.range(0));
  std::size_t bytes = 0;
  for (auto _ : state) {
    qwen35::OutputParser parser({.starts_in_thinking = true});
    std::size_t events = 0;
    for (std::size_t at = 0; at < text.size(); at += piece) {
      events += parser.push(std::string_view(text).substr(at, piece)).size();
    }
    events += parser.finish().size();
    benchmark::DoNotOptimize(events);
    bytes += text.size();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}
BENCHMARK(parse)->Arg(4)->Arg(64)->Arg(100000);

}  // namespace
