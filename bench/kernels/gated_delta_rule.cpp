// SPDX-License-Identifier: Apache-2.0
// The gated delta rule of a layer of 32 value heads of 128 x 128: tokens a second, and the traffic of the state.
#include "kernel_bench.hpp"

namespace {

void gated_delta_rule(benchmark::State& state) {
  const auto tokens = static_cast<std::size_t>(state.range(0));
  constexpr std::size_t heads = 32, dim = 128, size = qwen35::kernels::delta_state_size(dim, dim);
  const qwen35::ThreadCount scope(static_cast<int>(state.range(1)));
  qwen35::AlignedBuffer<float> states(heads * size);
  const auto rows = kernel_bench::filled_floats(tokens * heads * dim, 0.05f);
  const auto gates = kernel_bench::filled_floats(tokens * heads, 0.9f);
  auto out = kernel_bench::filled_floats(tokens * heads * dim);
  for (auto _ : state) {
    qwen35::parallel_for(heads, [&](std::size_t head) {
      qwen35::kernels::DeltaRuleTask task;
      task.state = states.data() + head * size;
      task.q = task.k = task.v = rows.data() + head * dim;
      task.qk_stride = task.v_stride = task.out_stride = heads * dim;
      task.decay = task.beta = gates.data() + head;
      task.gate_stride = heads;
      task.out = out.data() + head * dim;
      task.tokens = tokens;
      task.key_dim = task.value_dim = dim;
      qwen35::kernels::gated_delta_rule(task);
    });
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(tokens) * static_cast<std::int64_t>(state.iterations()));
  kernel_bench::report(state, 7.0 * static_cast<double>(tokens * heads * dim * dim),
                       8.0 * static_cast<double>(states.size()));
}
BENCHMARK(gated_delta_rule)->ArgNames({"tokens", "threads"})->ArgsProduct({{1, 256}, {1, 2}})->UseRealTime();

}  // namespace
