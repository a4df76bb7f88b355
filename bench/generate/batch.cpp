// SPDX-License-Identifier: Apache-2.0
// Decoded tokens a second of a Batch, by its number of sequences. Each goes on with random tokens, so that experts vary
// as they do in use. With QWEN35_BENCH_MODEL set to a folder that holds four layers of the 35B-A3B's shapes, on those.
#include <qwen35/config/presets.hpp>
#include <qwen35/generate/batch.hpp>
#include <qwen35/model/causal_lm.hpp>

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <random>

namespace {

using namespace qwen35;

struct FourLayers : configs::Qwen35_35B_A3B::text_config {
  static constexpr std::size_t num_hidden_layers = 4;
  static constexpr auto layer_types = hybrid_layer_types<4>();
};

template <class Config>
void decode(benchmark::State& state, const CausalLM<Config>& model) {
  const auto sequences = static_cast<std::size_t>(state.range(0));
  std::mt19937 random(7);
  std::uniform_int_distribution<TokenId> any(0, static_cast<TokenId>(text_config_t<Config>::vocab_size) - 1);
  Batch<CausalLM<Config>> batch(model, {.max_sequences = sequences});
  std::vector<typename Batch<CausalLM<Config>>::Handle> handles;
  for (std::size_t i = 0; i < sequences; ++i) {
    std::vector<TokenId> prompt(16);
    for (TokenId& id : prompt) {
      id = any(random);
    }
    handles.push_back(
        batch.add({.input_ids = prompt, .config = {.max_new_tokens = 1 << 20, .eos_token_id = TokenIds()}}));
  }
  batch.forward();
  for (auto _ : state) {
    for (const auto handle : handles) {
      const TokenId id = any(random);
      batch.push(handle, {&id, 1});
    }
    batch.forward();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void shapes(benchmark::State& state) {
  static const auto model = CausalLM<configs::Shapes>::from_pretrained(QWEN35_SOURCE_DIR "/examples/shapes");
  decode(state, model);
}

void four_layers(benchmark::State& state) {
  const char* const folder = std::getenv("QWEN35_BENCH_MODEL");
  if (folder == nullptr) {
    state.SkipWithError("QWEN35_BENCH_MODEL is not set");
    return;
  }
  static const auto model = CausalLM<FourLayers>::from_pretrained(folder);
  decode(state, model);
}

BENCHMARK(shapes)->Arg(1)->Arg(2)->Arg(4)->Arg(8)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(four_layers)->Arg(1)->Arg(2)->Arg(4)->Arg(8)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
