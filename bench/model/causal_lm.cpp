// SPDX-License-Identifier: Apache-2.0
// The shapes model: one token with a cache, and prompts. With QWEN35_BENCH_MODEL set to a folder that holds four layers
// of the 35B-A3B's shapes, also how fast its weights and states stream: bytes per second against read_bandwidth of
// bench_parallel_bandwidth.
#include <qwen35/config/presets.hpp>
#include <qwen35/model/causal_lm.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace {

using namespace qwen35;

struct FourLayers : configs::Qwen35_35B_A3B::text_config {
  static constexpr std::size_t num_hidden_layers = 4;
  static constexpr auto layer_types = hybrid_layer_types<4>();
};

std::vector<TokenId> prompt(std::size_t length, std::size_t vocab) {
  std::vector<TokenId> ids(length);
  for (std::size_t i = 0; i < length; ++i) {
    ids[i] = static_cast<TokenId>((i * 7919 + 13) % vocab);
  }
  return ids;
}

// What one token reads: every parameter once, of the experts the chosen ones, of the embedding a row; states are read
// and written.
template <class Config>
double bytes_per_token(const CausalLM<Config>& model) {
  using Text = text_config_t<Config>;
  double bytes = static_cast<double>(model.get_output_embeddings().bytes()) +
                 2.0 * static_cast<double>(LayersOf<Config>::linear_layers * LayersOf<Config>::Linear::state_bytes);
  for (const NamedParameter& parameter : model.named_parameters()) {
    const double share = parameter.pieces.size() == 1
                             ? 1.0
                             : static_cast<double>(Text::num_experts_per_tok) / static_cast<double>(Text::num_experts);
    if (parameter.name.find("layers.") != std::string::npos) {
      bytes += share * static_cast<double>(parameter.bytes());
    }
  }
  return bytes;
}

// Tokens that nobody has read, for the sake of a long context.
template <class Config>
void fill(HybridCache<Config>& cache, std::size_t tokens, std::uint64_t fingerprint) {
  cache.begin(1, tokens, fingerprint);
  SequenceCache& sequence = cache.sequence(0);
  for (std::size_t page = 0; page < sequence.pages(); ++page) {
    std::memset(sequence.page_data()[page], 0, sequence.layout().page_bytes());
  }
  sequence.commit(tokens, nullptr);
  cache.commit(tokens, nullptr, nullptr);
}

template <class Config>
void decode(benchmark::State& state, const CausalLM<Config>& model, std::size_t context = 0) {
  Workspace<Config> workspace(64);
  HybridCache<Config> cache;
  if (context > 0) {
    fill(cache, context, model.fingerprint());
  }
  const auto first = prompt(16, 400);
  model.forward({.input_ids = first, .past_key_values = &cache, .logits_to_keep = 1, .workspace = &workspace});
  std::vector<TokenId> next = {1};
  for (auto _ : state) {
    const auto out =
        model.forward({.input_ids = next, .past_key_values = &cache, .logits_to_keep = 1, .workspace = &workspace});
    next[0] = static_cast<TokenId>(std::max_element(out.logits.begin(), out.logits.end()) - out.logits.begin());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes_per_token(model) * static_cast<double>(state.iterations())));
}

template <class Config>
void read_prompt(benchmark::State& state, const CausalLM<Config>& model) {
  const auto ids = prompt(static_cast<std::size_t>(state.range(0)), 400);
  Workspace<Config> workspace(512);
  for (auto _ : state) {
    HybridCache<Config> cache;
    benchmark::DoNotOptimize(
        model.forward({.input_ids = ids, .past_key_values = &cache, .logits_to_keep = 1, .workspace = &workspace})
            .logits[0]);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}

const CausalLM<configs::Shapes>& shapes() {
  static const auto model = CausalLM<configs::Shapes>::from_pretrained(QWEN35_SOURCE_DIR "/examples/shapes");
  return model;
}
void shapes_decode(benchmark::State& state) {
  decode(state, shapes(), static_cast<std::size_t>(state.range(0)));
}
void shapes_prompt(benchmark::State& state) {
  read_prompt(state, shapes());
}
BENCHMARK(shapes_decode)->ArgName("context")->Arg(0)->Arg(32768)->UseRealTime();
BENCHMARK(shapes_prompt)->Arg(64)->Arg(512)->UseRealTime();

const char* const large_folder = std::getenv("QWEN35_BENCH_MODEL");
const CausalLM<FourLayers>& large() {
  static const auto model = CausalLM<FourLayers>::from_pretrained(large_folder);
  return model;
}
void large_decode(benchmark::State& state) {
  decode(state, large());
}
void large_prompt(benchmark::State& state) {
  read_prompt(state, large());
}
const bool registered = [] {
  if (large_folder != nullptr) {
    benchmark::RegisterBenchmark("large_decode", large_decode)->UseRealTime()->Unit(benchmark::kMillisecond);
    benchmark::RegisterBenchmark("large_prompt", large_prompt)->Arg(128)->UseRealTime()->Unit(benchmark::kMillisecond);
  }
  return true;
}();

}  // namespace
