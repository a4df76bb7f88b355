// SPDX-License-Identifier: Apache-2.0
// What a forward of one token does outside the layers, behind contexts of different lengths: its time must not grow.
#include <qwen35/model/ragged_pass.hpp>
#include <qwen35/model/rectangle.hpp>

#include <benchmark/benchmark.h>

namespace {

using namespace qwen35;

void decoded_token(benchmark::State& state) {
  const auto past = static_cast<std::size_t>(state.range(0));
  const auto batch = static_cast<std::size_t>(state.range(1));
  constexpr CacheLayout layout{.full_layers = 1, .kv_heads = 1, .head_dim = 4, .kv_dtype = DType::f16};
  constexpr std::size_t hidden_size = 16;
  constexpr std::uint64_t model = 1;
  const PassSizes sizes{batch, batch, 2, hidden_size, 0};
  Arena arena(scratch_bytes<PassScratch<ArenaMeter>>(sizes));
  const RotaryEmbedding rotary({.partial_rotary_factor = 1.0, .mrope_section = {2, 0, 0}}, 4, 262144);
  RectangleCache cache;
  cache.begin(batch, past, layout, model);
  for (std::size_t b = 0; b < batch; ++b) {
    cache.sequence(b).begin(past, model);
    cache.sequence(b).commit(past, nullptr);
  }
  cache.commit(past, nullptr, nullptr);
  const Tensor<TokenId> ids({batch, 1});
  for (auto _ : state) {
    const ForwardInput input{.input_ids = ids, .past_key_values = &cache};
    Rectangle rectangle(input, {hidden_size, 10, 1}, true);
    cache.begin(batch, 1, layout, model);
    const auto slices = rectangle.slices(cache);
    const SliceForward forward(slices, hidden_size, model);
    const PassScratch<Arena> scratch(arena, sizes);
    SliceCursor cursor;
    const auto parts = next_parts(slices, cursor, batch, batch, hidden_size, scratch.parts);
    benchmark::DoNotOptimize(make_pass(slices, parts, hidden_size, rotary, scratch));
    for (const SequenceSlice& slice : slices) {
      slice.cache->cancel();  // the next one stands at the same place
    }
  }
}
BENCHMARK(decoded_token)->ArgNames({"context", "batch"})->ArgsProduct({{64, 4096, 32768}, {1, 8}});

}  // namespace
