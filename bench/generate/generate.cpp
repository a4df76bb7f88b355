// SPDX-License-Identifier: Apache-2.0
// generate() against the bare forward calls that it makes, on the shapes checkpoint: the difference is what the loop
// costs.
#include <qwen35/config/presets.hpp>
#include <qwen35/generate/generate.hpp>
#include <qwen35/model/causal_lm.hpp>

#include <benchmark/benchmark.h>

namespace {

using namespace qwen35;
using Model = CausalLM<configs::Shapes>;
constexpr std::int64_t new_tokens = 64;

const Model& shapes() {
  static const Model model = Model::from_pretrained(QWEN35_SOURCE_DIR "/examples/shapes");
  return model;
}

const std::vector<TokenId>& prompt() {
  static const std::vector<TokenId> ids(48, 257);
  return ids;
}

void forwards_alone(benchmark::State& state) {
  for (auto _ : state) {
    Model::Cache cache;
    Workspace<configs::Shapes> workspace(1, 1);
    auto output = shapes().forward({.input_ids = prompt(), .past_key_values = &cache, .logits_to_keep = 1});
    for (std::int64_t i = 1; i < new_tokens; ++i) {
      output = shapes().forward(
          {.input_ids = {258}, .past_key_values = &cache, .logits_to_keep = 1, .workspace = &workspace});
    }
    benchmark::DoNotOptimize(output.logits.data());
  }
  state.SetItemsProcessed(state.iterations() * new_tokens);
}

void run(benchmark::State& state, GenerationConfig config, std::int64_t rows) {
  config.max_new_tokens = new_tokens;
  config.eos_token_id = TokenIds();
  for (auto _ : state) {
    benchmark::DoNotOptimize(shapes().generate({.input_ids = prompt()}, config).sequences.data());
  }
  state.SetItemsProcessed(state.iterations() * new_tokens * rows);
}
void greedy(benchmark::State& state) {
  run(state, {}, 1);
}
void sampled(benchmark::State& state) {
  run(state, {.do_sample = true, .temperature = 0.6, .top_k = 20, .top_p = 0.95}, 1);
}
void eight_sequences(benchmark::State& state) {
  run(state, {.do_sample = true, .num_return_sequences = 8, .top_k = 20}, 8);
}
void four_beams(benchmark::State& state) {
  run(state, {.num_beams = 4}, 4);
}

BENCHMARK(forwards_alone)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(greedy)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(sampled)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(eight_sequences)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(four_beams)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
