// SPDX-License-Identifier: Apache-2.0
// Matrix products of a few tokens, spread over the threads: bound by memory (compare B/s with
// bench_parallel_bandwidth). Those of many tokens are in bench/layers/projection.cpp.
#include "kernel_bench.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace {

using qwen35::DType;

void run(benchmark::State& state, const qwen35::Matrix& w, std::size_t tokens, int threads) {
  const std::size_t rows = w.rows, cols = w.cols;
  const auto x = kernel_bench::filled_floats(tokens * cols);
  auto y = kernel_bench::filled_floats(tokens * rows);
  const qwen35::ThreadCount scope(threads);
  constexpr std::size_t step = 64;
  for (auto _ : state) {
    qwen35::parallel_for((rows + step - 1) / step, [&](std::size_t i) {
      qwen35::kernels::matmul({w, i * step, std::min(rows, (i + 1) * step), x.data(), cols, tokens, y.data(), rows});
    });
    benchmark::ClobberMemory();
  }
  kernel_bench::report(state, 2.0 * static_cast<double>(rows * cols * tokens), static_cast<double>(w.bytes()));
}

// Weights larger than the caches, read once for each product.
void few_tokens(benchmark::State& state) {
  const auto dtype = static_cast<DType>(state.range(0));
  const auto cols = static_cast<std::size_t>(state.range(1));
  const std::size_t rows = (std::size_t{256} << 20) / qwen35::row_bytes(dtype, cols);
  const auto bytes = kernel_bench::filled(qwen35::row_bytes(dtype, rows * cols));
  run(state, {bytes.data(), dtype, rows, cols}, static_cast<std::size_t>(state.range(2)),
      static_cast<int>(state.range(3)));
}
BENCHMARK(few_tokens)
    ->ArgNames({"dtype", "cols", "tokens", "threads"})
    ->ArgsProduct(
        {{static_cast<int>(DType::f32), static_cast<int>(DType::bf16)}, {512, 2048, 4096}, {1, 4, 16}, {1, 2}})
    ->UseRealTime();

// Factors beside the values: of blocks of 128 x 128, as FP8 has them, or of columns in any order, as GPTQ's desc_act.
void factors_beside(benchmark::State& state) {
  const auto format = static_cast<qwen35::Format>(state.range(0));
  const auto cols = static_cast<std::size_t>(state.range(1));
  const std::size_t rows = (std::size_t{256} << 20) / qwen35::row_bytes(format, cols), groups = cols / 128;
  const bool by_column = format != qwen35::Format::f8_e4m3;
  const auto bytes = kernel_bench::filled(qwen35::row_bytes(format, rows * cols));
  const std::vector<float> factors(rows * groups, 0.5f), zeros(factors.size(), 8.0f);
  std::vector<std::uint32_t> columns(cols);
  for (std::size_t k = 0; k < cols; ++k) {
    columns[k] = static_cast<std::uint32_t>(k * 7 % groups);
  }
  qwen35::Matrix w{bytes.data(), format, rows, cols};
  w.scales.data = factors.data();
  w.scales.stride = groups;
  w.scales.rows = by_column ? 1 : 128;
  w.scales.cols = 128;
  w.scales.zeros = by_column ? zeros.data() : nullptr;
  w.scales.columns = by_column ? columns.data() : nullptr;
  run(state, w, static_cast<std::size_t>(state.range(2)), static_cast<int>(state.range(3)));
}
BENCHMARK(factors_beside)
    ->ArgNames({"dtype", "cols", "tokens", "threads"})
    ->ArgsProduct({{static_cast<int>(qwen35::Format::f8_e4m3), static_cast<int>(qwen35::Format::i4_16)},
                   {512, 2048, 4096},
                   {1, 16},
                   {1, 2}})
    ->UseRealTime();

// Blocks with activations in 8 bits: one token (of rows as short as an expert's are on the way down, too), the 16 that
// an expert has of a prompt of 512, and many.
void integers(benchmark::State& state) {
  const auto format = static_cast<qwen35::Format>(state.range(0));
  const auto tokens = static_cast<std::size_t>(state.range(1));
  const auto cols = static_cast<std::size_t>(state.range(2));
  const std::size_t rows = (std::size_t{64} << 20) / qwen35::row_bytes(format, cols) / (tokens > 16 ? 32 : 1);
  const auto bytes = kernel_bench::filled(qwen35::row_bytes(format, rows * cols));
  const auto x = kernel_bench::filled_floats(tokens * cols);
  std::vector<qwen35::kernels::QuantizedBlock> quantized(tokens * qwen35::kernels::quantized_blocks(cols));
  qwen35::kernels::quantize_rows({x.data(), cols, 0, quantized.size(), quantized.data()});
  auto y = kernel_bench::filled_floats(tokens * rows);
  const qwen35::Matrix w{bytes.data(), format, rows, cols};
  for (auto _ : state) {
    for (std::size_t row = 0; row < rows; row += 64) {
      qwen35::kernels::integer_matmul(
          {w, row, std::min(rows, row + 64), quantized.data(), nullptr, tokens, y.data(), rows});
    }
    benchmark::ClobberMemory();
  }
  kernel_bench::report(state, 2.0 * static_cast<double>(rows * cols * tokens), static_cast<double>(w.bytes()));
}
BENCHMARK(integers)
    ->ArgNames({"dtype", "tokens", "cols"})
    ->Apply([](benchmark::internal::Benchmark* bench) {
      for (const auto& [tokens, cols] : {std::pair{1, 512}, {1, 2048}, {4, 2048}, {16, 2048}, {512, 2048}}) {
#define QWEN35_BENCH_FORMAT(name, ...)                                   \
  if (qwen35::kernels::has_integer_products(qwen35::Format::name)) {     \
    bench->Args({static_cast<int>(qwen35::Format::name), tokens, cols}); \
  }
        QWEN35_BLOCK_FORMATS(QWEN35_BENCH_FORMAT)
#undef QWEN35_BENCH_FORMAT
      }
    })
    ->UseRealTime();

}  // namespace
