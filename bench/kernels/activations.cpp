// SPDX-License-Identifier: Apache-2.0
// Activations of a row of 4096 values.
#include "kernel_bench.hpp"

namespace {

constexpr std::size_t width = 4096;

void gelu_tanh(benchmark::State& state) {
  const auto x = kernel_bench::filled_floats(width, 1.3f);
  auto out = kernel_bench::filled_floats(width);
  for (auto _ : state) {
    qwen35::kernels::gelu_tanh({.x = x.data(), .n = width, .out = out.data()});
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(width) * static_cast<std::int64_t>(state.iterations()));
}

void silu_multiply(benchmark::State& state) {
  const auto x = kernel_bench::filled_floats(width, 1.3f);
  auto out = kernel_bench::filled_floats(width);
  for (auto _ : state) {
    qwen35::kernels::silu_multiply({x.data(), x.data(), width, out.data()});
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(width) * static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK(gelu_tanh);
BENCHMARK(silu_multiply);

}  // namespace
