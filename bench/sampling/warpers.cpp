// SPDX-License-Identifier: Apache-2.0
// Time of each step between the logits and the token, for a vocabulary of real size.
#include <qwen35/sampling/processors_of.hpp>
#include <qwen35/sampling/sampler.hpp>

#include <benchmark/benchmark.h>

#include <random>

namespace {

using namespace qwen35;

constexpr std::size_t vocab_size = 248320;

// Logits as of a trained model: a few likely tokens over a broad floor.
const std::vector<float>& logits() {
  static const std::vector<float> values = [] {
    std::mt19937 random(1);
    std::normal_distribution<float> floor(0.0f, 2.0f);
    std::vector<float> out(vocab_size);
    for (float& value : out) {
      value = floor(random);
    }
    for (int i = 0; i < 40; ++i) {
      out[random() % vocab_size] += 12.0f + 0.2f * static_cast<float>(i);
    }
    return out;
  }();
  return values;
}

void run(benchmark::State& state, const GenerationConfig& config) {
  const LogitsProcessorList list = processors_of(config, 4);
  std::vector<TokenId> ids(2048);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    ids[i] = static_cast<TokenId>(i * 7919 % vocab_size);
  }
  Scratch scratch;
  std::vector<float> scores;
  for (auto _ : state) {
    scores = logits();  // 0.1 ms of the time
    process(list, {.input_ids = ids, .prompt_length = 4, .scratch = &scratch}, scores);
    benchmark::DoNotOptimize(scores.data());
  }
}

void none(benchmark::State& state) {
  run(state, {});
}
void repetition_penalty(benchmark::State& state) {
  run(state, {.repetition_penalty = 1.1});
}
void no_repeat_ngram(benchmark::State& state) {
  run(state, {.no_repeat_ngram_size = 4});
}
void temperature(benchmark::State& state) {
  run(state, {.do_sample = true, .temperature = 0.7});
}
void top_k_20(benchmark::State& state) {
  run(state, {.do_sample = true, .top_k = 20});
}
void top_k_10000(benchmark::State& state) {
  run(state, {.do_sample = true, .top_k = 10000});
}
void top_p_peaked(benchmark::State& state) {
  run(state, {.do_sample = true, .top_p = 0.95});
}
void top_p_flat(benchmark::State& state) {
  run(state, {.do_sample = true, .temperature = 50.0, .top_p = 0.95});
}
void min_p(benchmark::State& state) {
  run(state, {.do_sample = true, .min_p = 0.05});
}
void typical_p(benchmark::State& state) {
  run(state, {.do_sample = true, .typical_p = 0.95});
}
void eta(benchmark::State& state) {
  run(state, {.do_sample = true, .eta_cutoff = 0.0003});
}
void published_defaults(benchmark::State& state) {  // thinking, general
  run(state, {.do_sample = true, .temperature = 0.6, .top_k = 20, .top_p = 0.95, .presence_penalty = 1.5});
}
BENCHMARK(none)->Unit(benchmark::kMicrosecond);
BENCHMARK(repetition_penalty)->Unit(benchmark::kMicrosecond);
BENCHMARK(no_repeat_ngram)->Unit(benchmark::kMicrosecond);
BENCHMARK(temperature)->Unit(benchmark::kMicrosecond);
BENCHMARK(top_k_20)->Unit(benchmark::kMicrosecond);
BENCHMARK(top_k_10000)->Unit(benchmark::kMicrosecond);
BENCHMARK(top_p_peaked)->Unit(benchmark::kMicrosecond);
BENCHMARK(top_p_flat)->Unit(benchmark::kMicrosecond);
BENCHMARK(min_p)->Unit(benchmark::kMicrosecond);
BENCHMARK(typical_p)->Unit(benchmark::kMicrosecond);
BENCHMARK(eta)->Unit(benchmark::kMicrosecond);
BENCHMARK(published_defaults)->Unit(benchmark::kMicrosecond);

void greedy(benchmark::State& state) {
  const GreedySampler sampler;
  for (auto _ : state) {
    benchmark::DoNotOptimize(sampler(logits()));
  }
}
void multinomial_all(benchmark::State& state) {
  MultinomialSampler sampler;
  std::uint32_t position = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(sampler(logits(), {.position = position++}));
  }
}
void multinomial_of_20(benchmark::State& state) {
  std::vector<float> scores = logits();
  TopKLogitsWarper(20).process({}, scores);
  MultinomialSampler sampler;
  std::uint32_t position = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(sampler(scores, {.position = position++}));
  }
}
BENCHMARK(greedy)->Unit(benchmark::kMicrosecond);
BENCHMARK(multinomial_all)->Unit(benchmark::kMicrosecond);
BENCHMARK(multinomial_of_20)->Unit(benchmark::kMicrosecond);

}  // namespace
