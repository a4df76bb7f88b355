// SPDX-License-Identifier: Apache-2.0
// Attention on one thread: queries that share a key/value head of `keys` keys.
#include "kernel_bench.hpp"

#include <vector>

namespace {

using qwen35::DType;

void attention(benchmark::State& state) {
  const auto dtype = static_cast<DType>(state.range(0));
  const auto head_dim = static_cast<std::size_t>(state.range(1));
  const auto queries = static_cast<std::size_t>(state.range(2));
  const auto keys = static_cast<std::size_t>(state.range(3));
  const std::size_t row = qwen35::row_bytes(dtype, head_dim);
  const auto k = kernel_bench::filled(keys * row), v = kernel_bench::filled(keys * row);
  const auto q = kernel_bench::filled_floats(queries * head_dim);
  auto out = kernel_bench::filled_floats(queries * head_dim);
  std::vector<const float*> q_rows;
  std::vector<float*> out_rows;
  for (std::size_t i = 0; i < queries; ++i) {
    q_rows.push_back(q.data() + i * head_dim);
    out_rows.push_back(out.data() + i * head_dim);
  }
  const std::vector<std::size_t> begin(queries, 0), end(queries, keys);
  qwen35::AlignedBuffer<float> scratch(qwen35::kernels::attention_scratch(queries, head_dim));
  qwen35::kernels::AttentionTask task;
  task.q = q_rows.data();
  task.out = out_rows.data();
  task.key_begin = begin.data();
  task.key_end = end.data();
  task.queries = queries;
  task.head_dim = head_dim;
  task.k = k.data();
  task.v = v.data();
  task.format = dtype;
  task.k_stride_bytes = task.v_stride_bytes = row;
  task.scratch = scratch.data();
  for (auto _ : state) {
    qwen35::kernels::attention(task);
    benchmark::ClobberMemory();
  }
  kernel_bench::report(state, 4.0 * static_cast<double>(queries * keys * head_dim),
                       static_cast<double>(2 * keys * row));
}
constexpr auto f32 = static_cast<int>(DType::f32), f16 = static_cast<int>(DType::f16),
               bf16 = static_cast<int>(DType::bf16);
BENCHMARK(attention)
    ->ArgNames({"dtype", "head_dim", "queries", "keys"})
    ->ArgsProduct({{f32, f16, bf16}, {256}, {1, 8, 32}, {4096}})
    ->ArgsProduct({{f32}, {72}, {64, 256}, {2048}});

}  // namespace
