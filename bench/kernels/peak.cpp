// SPDX-License-Identifier: Apache-2.0
// The most multiply-adds the processor does: the measure for products of many tokens.
#include "../../examples/tools/machine_peak.hpp"
#include "kernel_bench.hpp"

namespace {

void multiply_add_peak(benchmark::State& state) {
  const auto threads = static_cast<std::size_t>(state.range(0));
  const qwen35::ThreadCount scope(static_cast<int>(threads));
  for (auto _ : state) {
    benchmark::DoNotOptimize(machine::multiply_add(threads));
  }
  kernel_bench::report(state, 2.0 * machine::multiply_adds(threads), 0.0);
}
BENCHMARK(multiply_add_peak)->ArgName("threads")->Arg(1)->Arg(2)->UseRealTime();

}  // namespace
