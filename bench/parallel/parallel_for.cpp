// SPDX-License-Identifier: Apache-2.0
// What it costs to start a parallel loop and to hand out its iterations.
#include <qwen35/parallel/parallel_for.hpp>

#include <benchmark/benchmark.h>

namespace {

void empty_loop(benchmark::State& state) {
  const qwen35::ThreadCount threads(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    qwen35::parallel_for(static_cast<std::size_t>(state.range(1)), [](std::size_t i) { benchmark::DoNotOptimize(i); });
  }
}
BENCHMARK(empty_loop)->ArgNames({"threads", "count"})->ArgsProduct({{1, 2}, {2, 64, 4096}})->UseRealTime();

}  // namespace
