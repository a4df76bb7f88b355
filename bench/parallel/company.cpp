// SPDX-License-Identifier: Apache-2.0
// Callers in company: several threads at once, each with loops of two threads as a small model's token has them,
// against the same work one caller after another. The ratio of the two times is what company costs; 1 is a fair share.
#include <qwen35/parallel/parallel_for.hpp>

#include <benchmark/benchmark.h>

#include <cstdint>
#include <thread>
#include <vector>

namespace {

// Some work that no compiler removes: about a nanosecond for each step.
std::uint64_t spend(std::uint64_t steps) {
  std::uint64_t value = steps | 1;
  for (std::uint64_t i = 0; i < steps; ++i) {
    benchmark::DoNotOptimize(value = value * 6364136223846793005u + 1442695040888963407u);
  }
  return value;
}

// 200 loops of 16 iterations, about 40 us each, with 5 us in between.
void token() {
  for (int loop = 0; loop < 200; ++loop) {
    qwen35::parallel_for(16, [](std::size_t) { benchmark::DoNotOptimize(spend(2500)); });
    benchmark::DoNotOptimize(spend(5000));
  }
}

void callers_in_turn(benchmark::State& state) {
  const qwen35::ThreadCount threads(2);
  for (auto _ : state) {
    for (std::int64_t caller = 0; caller < state.range(0); ++caller) {
      token();
    }
  }
}
BENCHMARK(callers_in_turn)->ArgName("callers")->Arg(1)->Arg(4)->UseRealTime()->Unit(benchmark::kMillisecond);

void callers_at_once(benchmark::State& state) {
  for (auto _ : state) {
    std::vector<std::thread> callers;
    for (std::int64_t caller = 0; caller < state.range(0); ++caller) {
      callers.emplace_back([] {
        const qwen35::ThreadCount threads(2);
        token();
      });
    }
    for (std::thread& caller : callers) {
      caller.join();
    }
  }
}
BENCHMARK(callers_at_once)->ArgName("callers")->Arg(1)->Arg(4)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
