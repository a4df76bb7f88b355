// SPDX-License-Identifier: Apache-2.0
// Conversion between stored formats and f32: rows of a head.
#include "kernel_bench.hpp"

namespace {

constexpr std::size_t width = 256;

void decode_row(benchmark::State& state) {
  const auto dtype = static_cast<qwen35::DType>(state.range(0));
  const auto stored = kernel_bench::filled(qwen35::row_bytes(dtype, width));
  auto values = kernel_bench::filled_floats(width);
  for (auto _ : state) {
    qwen35::kernels::decode_row({dtype, stored.data(), width, values.data()});
    benchmark::ClobberMemory();
  }
  kernel_bench::report(state, static_cast<double>(width), 4.0 * static_cast<double>(width));
}

void encode_row(benchmark::State& state) {
  const auto dtype = static_cast<qwen35::DType>(state.range(0));
  auto stored = kernel_bench::filled(qwen35::row_bytes(dtype, width));
  const auto values = kernel_bench::filled_floats(width);
  for (auto _ : state) {
    qwen35::kernels::encode_row({dtype, values.data(), width, stored.data()});
    benchmark::ClobberMemory();
  }
  kernel_bench::report(state, static_cast<double>(width), 4.0 * static_cast<double>(width));
}
BENCHMARK(decode_row)->ArgName("dtype")->DenseRange(0, 2);
BENCHMARK(encode_row)->ArgName("dtype")->DenseRange(0, 2);

}  // namespace
