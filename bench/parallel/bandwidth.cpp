// SPDX-License-Identifier: Apache-2.0
// What the machine can read from memory with 1, 2, ... threads, in huge pages and in others: the measure that the
// streaming kernels are held against.
#include "../../examples/tools/machine_peak.hpp"

#include <benchmark/benchmark.h>

namespace {

void read_bandwidth(benchmark::State& state) {
  const qwen35::ThreadCount threads(static_cast<int>(state.range(0)));
  const auto memory = machine::bandwidth_memory(state.range(1) != 0);
  for (auto _ : state) {
    benchmark::DoNotOptimize(machine::read_all(memory));
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(memory.size()) * static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK(read_bandwidth)
    ->ArgNames({"threads", "huge_pages"})
    ->Apply([](auto* bench) {
      for (int threads = 1; threads <= qwen35::num_threads(); ++threads) {
        bench->Args({threads, 0})->Args({threads, 1});
      }
    }) -> UseRealTime() -> Unit(benchmark::kMillisecond);

}  // namespace
