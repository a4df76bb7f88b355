// SPDX-License-Identifier: Apache-2.0
// Parsing and writing JSON of the kind that weight files have for headers.
#include <qwen35/json/events.hpp>
#include <qwen35/json/parse.hpp>
#include <qwen35/json/read.hpp>

#include <benchmark/benchmark.h>

namespace {

std::string header() {
  std::string text = "{";
  for (int i = 0; i < 10000; ++i) {
    const std::string n = std::to_string(i);
    text += (i == 0 ? "\"model.layers." : ",\"model.layers.") + n +
            ".mlp.experts.gate_up_proj\":{\"dtype\":\"BF16\",\"shape\":[256," + n + ",2048],\"data_offsets\":[1" + n +
            "0000,1" + n + "9999]}";
  }
  return text + "}";
}

void parse(benchmark::State& state) {
  const std::string text = header();
  for (auto _ : state) {
    benchmark::DoNotOptimize(qwen35::json::parse(text));
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(text.size()) * state.iterations());
}

// Events only, no tree.
void read(benchmark::State& state) {
  const std::string text = header();
  for (auto _ : state) {
    qwen35::json::IgnoreEvents handler;
    qwen35::json::read(text, handler);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(text.size()) * state.iterations());
}

void dump(benchmark::State& state) {
  const qwen35::json::Value value = qwen35::json::parse(header());
  std::size_t size = 0;
  for (auto _ : state) {
    size = qwen35::json::dump(value).size();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(size) * state.iterations());
}

BENCHMARK(parse)->Unit(benchmark::kMillisecond);
BENCHMARK(read)->Unit(benchmark::kMillisecond);
BENCHMARK(dump)->Unit(benchmark::kMillisecond);

}  // namespace
