// SPDX-License-Identifier: Apache-2.0
// The tokenizer, warm, on one thread. QWEN35_BENCH_TOKENIZER names a tokenizer.json, QWEN35_BENCH_CORPUS a file with
// one JSON string (a document) a line; without them, the shapes model's and a made-up text. bench/tokenizer_peer.sh
// runs another library beside it.
#include <qwen35/json/parse.hpp>
#include <qwen35/text/tokenizer.hpp>

#include <benchmark/benchmark.h>

#include <cstdlib>

namespace {

std::string path_of(const char* variable, const char* otherwise) {
  const char* const value = std::getenv(variable);
  return value != nullptr ? value : otherwise;
}

const std::string& tokenizer_json() {
  static const std::string text =
      qwen35::read_text_file(path_of("QWEN35_BENCH_TOKENIZER", QWEN35_SOURCE_DIR "/examples/shapes/tokenizer.json"));
  return text;
}

const qwen35::Tokenizer& tokenizer() {
  static const qwen35::Tokenizer loaded = qwen35::Tokenizer::from_bytes(tokenizer_json());
  return loaded;
}

const std::vector<std::string>& documents() {
  static const std::vector<std::string> list = [] {
    std::vector<std::string> out;
    const std::string path = path_of("QWEN35_BENCH_CORPUS", "");
    if (path.empty()) {
      std::string text;
      for (int i = 0; i < 2000; ++i) {
        text += "There is a red circle left of the blue star " + std::to_string(i) +
                ".\n    for (int i = 0; i < n; ++i) { x[i] += y; }\n\xE4\xB8\xAD\xE6\x96\x87\xE5\xAD\x97\xE7\xAC\xA6\n";
      }
      out.push_back(text);
      return out;
    }
    const std::string file = qwen35::read_text_file(path);
    for (std::size_t start = 0; start < file.size();) {
      const std::size_t end = std::min(file.find('\n', start), file.size());
      out.push_back(qwen35::json::parse(std::string_view(file).substr(start, end - start), path).as_string());
      start = end + 1;
    }
    return out;
  }();
  return list;
}

std::size_t bytes_of(const std::vector<std::string>& texts) {
  std::size_t total = 0;
  for (const std::string& text : texts) {
    total += text.size();
  }
  return total;
}

// Fills the word cache, as the documents before these would have.
void warm_up() {
  for (const std::string& document : documents()) {
    benchmark::DoNotOptimize(tokenizer().count(document));
  }
}

void report(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * state.iterations());
}

void load(benchmark::State& state) {
  tokenizer_json();
  for (auto _ : state) {
    benchmark::DoNotOptimize(qwen35::Tokenizer::from_bytes(tokenizer_json()));
  }
  report(state, tokenizer_json().size());
}

void encode_documents(benchmark::State& state) {
  warm_up();
  std::size_t ids = 0;
  for (auto _ : state) {
    ids = 0;
    for (const std::string& document : documents()) {
      ids += tokenizer().encode(document).size();
    }
  }
  report(state, bytes_of(documents()));
  state.counters["ids"] = static_cast<double>(ids);
}

void count_documents(benchmark::State& state) {
  warm_up();
  for (auto _ : state) {
    for (const std::string& document : documents()) {
      benchmark::DoNotOptimize(tokenizer().count(document));
    }
  }
  report(state, bytes_of(documents()));
}

// Every word is new to the word cache.
void encode_new_words(benchmark::State& state) {
  std::string text;
  std::uint32_t random = 1;
  for (int i = 0; i < 200000; ++i) {
    random = random * 1664525 + 1013904223;
    text += static_cast<char>(i % 8 == 7 ? ' ' : 'a' + (random >> 16) % 26);
  }
  benchmark::DoNotOptimize(tokenizer().encode(text));
  for (auto _ : state) {
    benchmark::DoNotOptimize(tokenizer().encode(text));
  }
  report(state, text.size());
}

// One piece without a break: the time per byte must not grow with the size.
void encode_long_piece(benchmark::State& state) {
  std::string text;
  std::uint32_t random = 1;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    random = random * 1664525 + 1013904223;
    text += static_cast<char>('a' + (random >> 16) % 26);
  }
  benchmark::DoNotOptimize(tokenizer().encode(text));
  for (auto _ : state) {
    benchmark::DoNotOptimize(tokenizer().encode(text));
  }
  report(state, text.size());
}

void decode_documents(benchmark::State& state) {
  std::vector<std::vector<qwen35::TokenId>> ids;
  for (const std::string& document : documents()) {
    ids.push_back(tokenizer().encode(document));
  }
  for (auto _ : state) {
    for (const auto& document : ids) {
      benchmark::DoNotOptimize(tokenizer().decode(document));
    }
  }
  report(state, bytes_of(documents()));
}

BENCHMARK(load)->Unit(benchmark::kMillisecond);
BENCHMARK(encode_documents)->Unit(benchmark::kMillisecond);
BENCHMARK(count_documents)->Unit(benchmark::kMillisecond);
BENCHMARK(encode_new_words)->Unit(benchmark::kMillisecond);
BENCHMARK(encode_long_piece)->Arg(1 << 10)->Arg(1 << 15)->Arg(1 << 20)->Unit(benchmark::kMillisecond);
BENCHMARK(decode_documents)->Unit(benchmark::kMillisecond);

}  // namespace
