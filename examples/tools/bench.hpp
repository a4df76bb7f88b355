// SPDX-License-Identifier: Apache-2.0
// The body of the bench tools: prompts and decoding with random tokens, of whichever compiled config fits the file.
#pragma once

#include <chrono>
#include <iostream>
#include <optional>
#include <random>

#include "bench_model.hpp"
#include "bench_report.hpp"
#include "machine_peak.hpp"
#include "model_options.hpp"
#include "tool_options.hpp"

namespace bench_tool {

struct Settings {
  std::string path, type_kv = "f16", output = "md";
  tool::ModelOptions model;
  std::vector<std::size_t> prompts{512}, generated{128}, depths{0}, batches{1};
  std::vector<int> threads{qwen35::num_threads()};
  std::size_t repetitions = 5, chunk = 512;
  bool peaks = true, parts = false, verbose = false;
};

// One kind of test, with the sequences that it begins from.
class Test {
 public:
  Test(const BenchModel& model, const Settings& settings, qwen35::DType kv, std::size_t depth, std::size_t batch)
      : model_(model), workspace_(settings.chunk, batch), caches_(batch) {
    for (qwen35::SequenceCache& cache : caches_) {
      cache = qwen35::SequenceCache(model.model.cache_layout(kv));
    }
    if (depth > 0) {
      forward(caches_, depth);
    }
  }

  // Seconds that it takes to go on by a prompt of so many tokens, or token by token; without sampling. The sequences
  // are afterwards where they were.
  double run(std::size_t tokens, bool one_by_one) {
    std::vector<qwen35::SequenceCache> caches;
    for (const qwen35::SequenceCache& cache : caches_) {
      caches.push_back(cache.fork());
      caches.back().reserve(cache.tokens() + tokens);
    }
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t done = 0; done < tokens; done += one_by_one ? 1 : tokens) {
      forward(caches, one_by_one ? 1 : tokens);
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

 private:
  // Tokens are drawn anew each time: those of a sequence that settles keep its experts in the caches.
  void forward(std::vector<qwen35::SequenceCache>& caches, std::size_t tokens) {
    tool::end_if_interrupted("nothing is printed of a part of the tests");
    std::uniform_int_distribution<std::size_t> draw(0, model_.model.vocab_size() - 1);
    ids_.resize(caches.size() * tokens);
    for (qwen35::TokenId& id : ids_) {
      id = static_cast<qwen35::TokenId>(draw(random_));
    }
    slices_.clear();
    for (std::size_t i = 0; i < caches.size(); ++i) {
      slices_.push_back({.cache = &caches[i], .ids = std::span(ids_).subspan(i * tokens, tokens)});
    }
    model_.model.forward(slices_, workspace_);
  }

  const BenchModel& model_;
  qwen35::ForwardWorkspace workspace_;
  std::vector<qwen35::SequenceCache> caches_;
  std::vector<qwen35::TokenId> ids_;
  std::vector<qwen35::SequenceSlice> slices_;
  std::mt19937_64 random_{1};
};

inline BenchResult measure(Test& test, const BenchModel& model, const Settings& settings, BenchResult result,
                           qwen35::DType kv) {
  const bool one_by_one = result.generated > 0;
  const std::size_t tokens = one_by_one ? result.generated : result.prompt;
  test.run(std::min(tokens, one_by_one ? std::size_t{4} : settings.chunk), one_by_one);  // warm
  const std::uint64_t regions = qwen35::parallel_regions();
  for (std::size_t i = 0; i < settings.repetitions; ++i) {
    result.seconds.push_back(test.run(tokens, one_by_one));
  }
  const std::size_t forwards = one_by_one ? tokens : (tokens + settings.chunk - 1) / settings.chunk;
  result.regions =
      static_cast<double>(qwen35::parallel_regions() - regions) / static_cast<double>(settings.repetitions * forwards);
  const auto count = static_cast<double>(tokens), depth = static_cast<double>(result.depth);
  result.bytes = one_by_one ? model.step_bytes(result.batch, depth + count / 2, kv) : 0.0;
  result.multiply_adds =
      static_cast<double>(result.batch) * model.multiply_adds(count, depth, one_by_one ? count : 1.0);
  if (settings.parts) {
    const qwen35::PartClock clock;
    test.run(tokens, one_by_one);
    qwen35::PartClock::enter(qwen35::Part::rest);
    for (std::size_t part = 0; part < qwen35::part_names.size(); ++part) {
      result.parts.push_back(clock.seconds(static_cast<qwen35::Part>(part)));
    }
  }
  return result;
}

inline std::vector<BenchResult> measure_all(const BenchModel& model, const Settings& settings, bool huge_pages) {
  const qwen35::DType kv = qwen35::keys_format(settings.type_kv, "--cache-type");
  std::vector<BenchResult> results;
  for (const int asked : settings.threads) {
    const int threads = asked == 0 ? qwen35::num_threads() : asked;
    const qwen35::ThreadCount scope(threads);
    const double bandwidth = settings.peaks ? machine::read_bandwidth(threads, huge_pages) : 0.0;
    const double peak = settings.peaks ? machine::multiply_add_peak(threads) : 0.0;
    for (const std::size_t batch : settings.batches) {
      for (const std::size_t depth : settings.depths) {
        Test test(model, settings, kv, depth, batch);
        const auto add = [&](std::size_t prompt, std::size_t generated) {
          if (prompt + generated > 0) {
            results.push_back(measure(test, model, settings,
                                      {.prompt = prompt,
                                       .generated = generated,
                                       .depth = depth,
                                       .batch = batch,
                                       .threads = threads,
                                       .type_kv = settings.type_kv,
                                       .read_bandwidth = bandwidth,
                                       .multiply_add_peak = peak},
                                      kv));
          }
        };
        for (const std::size_t prompt : settings.prompts) {
          add(prompt, 0);
        }
        for (const std::size_t generated : settings.generated) {
          add(0, generated);
        }
      }
    }
  }
  return results;
}

template <class... Configs>
std::string run(const Settings& settings) {
  const qwen35::Checkpoint checkpoint = qwen35::Checkpoint::open(
      settings.path, qwen35::checked_for_one_of<Configs...>(tool::checkpoint_options(settings.model)));
  std::optional<BenchModel> model;
  qwen35::with_config_of<Configs...>(
      checkpoint, [&]<class Config>(const Config*) { model.emplace(bench_model<Config>(checkpoint)); });
  const qwen35::LoadReport loading = checkpoint.loading();
  if (settings.verbose) {
    std::cerr << tool::shown_name(checkpoint.name()) << ": " << loading.text() << '\n';
  }
  const BenchSubject subject{.cpu = machine::cpu_name(),
                             .isa = std::string(qwen35::isa_name()),
                             .path = settings.path,
                             .type = model->type,
                             .loading = loading.text(),
                             .bytes = model->counts.bytes,
                             .parameters = model->counts.parameters};
  const bool huge_pages = 2 * loading.huge_page_bytes > loading.mapped_bytes + loading.read_bytes;
  const std::vector<BenchResult> results = measure_all(*model, settings, huge_pages);
  return settings.output == "json"  ? json(subject, results)
         : settings.output == "csv" ? csv(subject, results)
                                    : markdown(subject, results);
}

template <class... Configs>
int main(int argc, char** argv) {
  // As llama-bench has it; the library knows short options of one letter alone.
  static char cache_type[] = "--ctk";
  for (int i = 1; i < argc; ++i) {
    argv[i] = std::string_view(argv[i]) == "-ctk" ? cache_type : argv[i];
  }
  CLI::App app("How fast a model reads prompts and decodes, with random tokens and without sampling.");
  Settings settings;
  const auto list = [&](const char* names, auto& values, const char* what) {
    return app.add_option(names, values, what)->delimiter(',')->capture_default_str();
  };
  const auto count = [](std::size_t least, std::size_t most) { return tool::whole_number(least, most); };
  app.add_option("-m,--model", settings.path, "folder with config.json and safetensors files, a GGUF or a packed file")
      ->required();
  list("-p,--n-prompt", settings.prompts, "tokens of prompts; 0: none")->transform(count(0, 1 << 24));
  list("-n,--n-gen", settings.generated, "tokens to decode; 0: none")->transform(count(0, 1 << 24));
  list("-d,--n-depth", settings.depths, "tokens in the cache before")->transform(count(0, 1 << 24));
  list("-t,--threads", settings.threads, "threads; 0: as OMP_NUM_THREADS says, else one for each processor")
      ->transform(tool::whole_number(0, 4096));
  list("-b,--sequences", settings.batches, "sequences at once")->transform(count(1, 1024));
  app.add_option("-r,--repetitions", settings.repetitions, "how often each is timed")
      ->capture_default_str()
      ->transform(count(1, 10000));
  app.add_option("--chunk", settings.chunk, "tokens that go through the model at once")
      ->capture_default_str()
      ->transform(count(1, 1 << 16));
  app.add_option("--ctk,--cache-type", settings.type_kv,
                 "how keys and values are kept: f16, bf16, f32, q8_0, f8_e4m3 (also -ctk)")
      ->capture_default_str();
  tool::add_mmproj_option(app, settings.model);
  tool::add_load_option(app, settings.model);
  app.add_option("-o,--output", settings.output, "what is printed")
      ->capture_default_str()
      ->check(CLI::IsMember({"md", "json", "csv"}));
  app.add_flag("--peaks,!--no-peaks", settings.peaks, "measure what the memory and the multipliers can do, too");
  app.add_flag("--parts", settings.parts, "run each once more, to see which parts take the time");
  app.add_flag("-v,--verbose", settings.verbose, "say how the weights were loaded before anything is timed");
  return tool::run(app, argc, argv, [&] {
    const tool::Warnings warnings(tool::print_note);
    const auto any = [](const std::vector<std::size_t>& counts) {
      return std::any_of(counts.begin(), counts.end(), [](std::size_t one) { return one > 0; });
    };
    qwen35::require<qwen35::InputError>(any(settings.prompts) || any(settings.generated),
                                        "--n-prompt and --n-gen are 0: there is nothing to time");
    qwen35::require<qwen35::InputError>(!settings.parts || settings.output != "csv",
                                        "--parts: csv has no place for them, md and json have");
    std::cout << run<Configs...>(settings);
    return 0;
  });
}

}  // namespace bench_tool
