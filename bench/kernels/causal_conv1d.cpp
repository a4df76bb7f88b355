// SPDX-License-Identifier: Apache-2.0
// The short convolution with SiLU over the 8192 channels of a layer.
#include "kernel_bench.hpp"

namespace {

void causal_conv1d_silu(benchmark::State& state) {
  const auto tokens = static_cast<std::size_t>(state.range(0));
  constexpr std::size_t channels = 8192, kernel = 4;
  const auto history = kernel_bench::filled_floats((kernel - 1) * channels),
             weight = kernel_bench::filled_floats(kernel * channels);
  const auto x = kernel_bench::filled_floats(tokens * channels);
  auto out = kernel_bench::filled_floats(tokens * channels);
  for (auto _ : state) {
    qwen35::kernels::causal_conv1d_silu(
        {history.data(), x.data(), channels, weight.data(), kernel, channels, tokens, out.data(), channels});
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(tokens) * static_cast<std::int64_t>(state.iterations()));
  kernel_bench::report(state, 2.0 * static_cast<double>(tokens * channels * kernel),
                       8.0 * static_cast<double>(tokens * channels));
}
BENCHMARK(causal_conv1d_silu)->ArgName("tokens")->Arg(1)->Arg(64);

}  // namespace
