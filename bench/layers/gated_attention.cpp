// SPDX-License-Identifier: Apache-2.0
// A gated attention layer of the 35B-A3B: tokens that follow a context of a given length.
#include "layer_bench.hpp"

#include <qwen35/layers/gated_attention.hpp>

namespace {

using namespace qwen35;
using Layer = GatedAttention<16, 2, 256>;
using layer_bench::hidden_size;

void gated_attention(benchmark::State& state) {
  const auto tokens = static_cast<std::size_t>(state.range(0));
  const auto past = static_cast<std::size_t>(state.range(1));
  constexpr DType dtype = DType::bf16;
  layer_bench::Random random;
  constexpr GatedAttentionSizes sizes = Layer::sizes(hidden_size, false);
  layer_bench::Fresh<GatedAttentionWeights> fresh(sizes);
  const std::vector<float> x = random.values(tokens * hidden_size, 0.0f, 1.0f);
  std::vector<float> y(x.size());
  const std::vector<float> cos = random.values(tokens * 32, 0.0f, 1.0f);
  // Pages of keys, then values, as a cache has them.
  constexpr std::size_t page_slots = kernels::attention_split;
  const std::size_t half = page_slots * 2 * row_bytes(dtype, 256);
  const std::size_t count = (past + tokens + page_slots - 1) / page_slots;
  const Matrix kv = random.matrix(count * page_slots * 4, 256);
  AlignedBuffer<std::byte> memory(kv.bytes());
  std::copy(kv.data, kv.data + kv.bytes(), memory.data());
  std::vector<std::byte*> pages;
  for (std::size_t page = 0; page < count; ++page) {
    pages.push_back(memory.data() + page * 2 * half);
  }
  const GatedAttentionState own{pages.data(), 0, half, dtype};
  const TokenSpan span{0, 0, tokens, past};
  Pass pass;
  pass.tokens = tokens;
  pass.spans = {&span, 1};
  pass.rotary = {cos.data(), cos.data(), 32};
  Arena arena(Layer::workspace_bytes(tokens, hidden_size));
  for (auto _ : state) {
    Layer::forward(fresh.weights, x.data(), y.data(), pass, {&own, 1}, arena);
    benchmark::DoNotOptimize(y.data());
  }
  layer_bench::report(state, tokens, fresh.bytes(sizes) + kv.bytes());
}
BENCHMARK(gated_attention)
    ->ArgNames({"tokens", "past"})
    ->Args({1, 0})
    ->Args({1, 4096})
    ->Args({1, 32768})
    ->Args({128, 0})
    ->Args({512, 4096})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

}  // namespace
