// SPDX-License-Identifier: Apache-2.0
// A mixture-of-experts block of the 35B-A3B, with 64 of its 256 experts' weights shared among all so that the bench
// fits into small machines.
#include "layer_bench.hpp"

#include <qwen35/layers/moe_block.hpp>

namespace {

using namespace qwen35;
using Block = MoeBlock<256, 8, 512>;
using layer_bench::hidden_size;

void moe_block(benchmark::State& state) {
  const auto tokens = static_cast<std::size_t>(state.range(0));
  layer_bench::Random random;
  MoeSizes few = Block::sizes(hidden_size);
  few.experts = 64;
  layer_bench::Fresh<MoeWeights> fresh(few);
  MoeWeights& weights = fresh.weights;
  weights.gate = random.matrix(256, hidden_size);
  for (std::size_t e = 64; e < 256; ++e) {
    weights.experts.push_back(weights.experts[e % 64]);
  }
  const std::vector<float> x =
      random.values(16 * tokens * hidden_size, 0.0f, 1.0f);  // 16 batches in turn: other experts each time
  std::vector<float> y(tokens * hidden_size);
  Arena arena(Block::workspace_bytes(tokens, hidden_size));
  Pass pass;
  pass.tokens = tokens;
  std::size_t turn = 0;
  for (auto _ : state) {
    Block::forward(weights, x.data() + turn++ % 16 * tokens * hidden_size, y.data(), pass, arena);
    benchmark::DoNotOptimize(y.data());
  }
  const std::size_t expert = 3 * weights.shared_expert.gate_proj.bytes();
  layer_bench::report(state, tokens, weights.gate.bytes() + (1 + std::min<std::size_t>(8 * tokens, 256)) * expert);
}
BENCHMARK(moe_block)->Arg(1)->Arg(16)->Arg(128)->Arg(512)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
