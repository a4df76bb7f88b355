// SPDX-License-Identifier: Apache-2.0
// Products of many tokens with bf16 weights, on all threads: compare FLOP/s with multiply_add_peak of
// bench_kernels_peak. The shapes are those of the vision tower's (1152, 4304) and the decoder's (2048).
#include "layer_bench.hpp"

#include <qwen35/layers/rows.hpp>

namespace {

using namespace qwen35;

void projection(benchmark::State& state) {
  const auto in = static_cast<std::size_t>(state.range(0)), out = static_cast<std::size_t>(state.range(1));
  const auto tokens = static_cast<std::size_t>(state.range(2));
  layer_bench::Random random;
  const Matrix weight = random.matrix(out, in);
  const std::vector<float> x = random.values(tokens * in, 0.0f, 1.0f);
  std::vector<float> y(tokens * out);
  Arena arena(scratch_bytes<RowsScratch<ArenaMeter>>(tokens, in));
  const RowsScratch<Arena> scratch(arena, tokens, in);
  for (auto _ : state) {
    project(Rows(x.data(), tokens, in, scratch), {{weight, y.data(), out}});
    benchmark::DoNotOptimize(y.data());
  }
  const double flops = 2.0 * static_cast<double>(in * out * tokens);
  state.counters["FLOP/s"] =
      benchmark::Counter(flops * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}
BENCHMARK(projection)
    ->ArgNames({"in", "out", "tokens"})
    ->ArgsProduct({{1152, 4304}, {1152}, {16, 64, 65, 128, 512, 768}})
    ->ArgsProduct({{2048}, {2048}, {16, 64, 65, 128, 512}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
