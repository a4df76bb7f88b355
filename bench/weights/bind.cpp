// SPDX-License-Identifier: Apache-2.0
// From the bytes of the shapes checkpoint to bound weights, and the one-time conversions: what opening a model costs
// beside reading it.
#include <qwen35/config/presets.hpp>
#include <qwen35/weights/bind.hpp>

#include <benchmark/benchmark.h>

namespace {

void open_checkpoint(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(qwen35::Checkpoint::open(QWEN35_SOURCE_DIR "/examples/shapes"));
  }
}
BENCHMARK(open_checkpoint)->Unit(benchmark::kMicrosecond);

void bind_shapes(benchmark::State& state) {
  const qwen35::Checkpoint checkpoint = qwen35::Checkpoint::open(QWEN35_SOURCE_DIR "/examples/shapes");
  for (auto _ : state) {
    benchmark::DoNotOptimize(qwen35::bind_text<qwen35::configs::Shapes>(checkpoint));
  }
}
BENCHMARK(bind_shapes)->Unit(benchmark::kMicrosecond);

}  // namespace
