// SPDX-License-Identifier: Apache-2.0
// A Gated DeltaNet layer of the 35B-A3B, one token and many.
#include "layer_bench.hpp"

#include <qwen35/layers/gated_delta_net.hpp>

namespace {

using namespace qwen35;
using Layer = GatedDeltaNet<32, 128, 16>;
using layer_bench::hidden_size;

void gated_delta_net(benchmark::State& state) {
  const auto tokens = static_cast<std::size_t>(state.range(0));
  layer_bench::Random random;
  layer_bench::Fresh<GatedDeltaNetWeights> fresh(Layer::sizes(hidden_size));
  std::vector<float> x = random.values(tokens * hidden_size, 0.0f, 1.0f);
  std::vector<float> y(x.size());
  std::vector<float> conv(Layer::conv_state_size);
  AlignedBuffer<float> recurrent(Layer::recurrent_state_size);
  const GatedDeltaNetState own{conv.data(), recurrent.data()};
  const TokenSpan span{0, 0, tokens, 0};
  Pass pass;
  pass.tokens = tokens;
  pass.spans = {&span, 1};
  Arena arena(Layer::workspace_bytes(tokens, hidden_size));
  for (auto _ : state) {
    Layer::forward(fresh.weights, x.data(), y.data(), pass, {&own, 1}, arena);
    benchmark::DoNotOptimize(y.data());
  }
  layer_bench::report(state, tokens, fresh.bytes(Layer::sizes(hidden_size)) + 2 * recurrent.bytes());
}
BENCHMARK(gated_delta_net)->Arg(1)->Arg(16)->Arg(128)->Arg(512)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
