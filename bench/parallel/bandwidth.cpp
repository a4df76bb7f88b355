// SPDX-License-Identifier: Apache-2.0
// What the machine can read from memory with 1, 2, ... threads: the measure that the streaming kernels are held
// against.
#include <qwen35/core/aligned_buffer.hpp>
#include <qwen35/parallel/parallel_for.hpp>

#include <benchmark/benchmark.h>

#include <cstdint>

namespace {

// 64-bit loads into eight chains: a core executes two a cycle, more than its share of any memory.
std::uint64_t read(const std::uint64_t* p, std::size_t count) {
  std::uint64_t chain[8] = {};
  for (std::size_t i = 0; i + 8 <= count; i += 8) {
    for (std::size_t c = 0; c < 8; ++c) {
      chain[c] |= p[i + c];
    }
  }
  return chain[0] | chain[1] | chain[2] | chain[3] | chain[4] | chain[5] | chain[6] | chain[7];
}

void read_bandwidth(benchmark::State& state) {
  constexpr std::size_t bytes = std::size_t{512} << 20;  // larger than any cache
  constexpr std::size_t piece = std::size_t{1} << 20;
  static const qwen35::AlignedBuffer<std::uint64_t> memory(bytes / sizeof(std::uint64_t));
  const qwen35::ThreadCount threads(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    qwen35::parallel_for(bytes / piece, [&](std::size_t i) {
      const std::uint64_t value =
          read(memory.data() + i * (piece / sizeof(std::uint64_t)), piece / sizeof(std::uint64_t));
      benchmark::DoNotOptimize(value);
    });
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK(read_bandwidth)
    ->ArgName("threads")
    ->Apply([](auto* bench) {
      for (int threads = 1; threads <= qwen35::num_threads(); ++threads) {
        bench->Arg(threads);
      }
    }) -> UseRealTime() -> Unit(benchmark::kMillisecond);

}  // namespace
