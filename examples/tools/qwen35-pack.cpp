// SPDX-License-Identifier: Apache-2.0
// qwen35-pack SOURCE OUT.qwen35 [--recipe q4-mixed]: a folder or a GGUF file as one packed file; --verify looks at one.
#include <qwen35/io/plain_file.hpp>
#include <qwen35/parallel/parallel_for.hpp>
#include <qwen35/weights/checkpoint_config.hpp>
#include <qwen35/weights/pack.hpp>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <optional>
#include <string>

#include "model_options.hpp"
#include "presets.hpp"
#include "shown.hpp"
#include "tool_options.hpp"

#if QWEN35_HAS_POSIX
#include <unistd.h>
#endif

namespace {

std::string rounded(double value, const char* form) {
  char text[64];
  std::snprintf(text, sizeof(text), form, value);
  return text;
}

// One line on a terminal that is written over: how much is done, how long it will take.
class ProgressLine {
 public:
  explicit ProgressLine(bool shown) : shown_(shown) {}
  ~ProgressLine() {
    if (drawn_) {
      std::cerr << "\r\033[K";
    }
  }
  void show(std::size_t done, std::size_t total) {
    const Clock::time_point now = Clock::now();
    if (!shown_ || total == 0 || (drawn_ && done < total && now - last_ < std::chrono::milliseconds(200))) {
      return;
    }
    drawn_ = true;
    last_ = now;
    const double seconds = std::chrono::duration<double>(now - start_).count();
    const double share = static_cast<double>(done) / static_cast<double>(total);
    std::cerr << "\r\033[K" << rounded(100.0 * share, "%.1f") << " % of "
              << rounded(static_cast<double>(total) / 1e9, "%.2f") << " GB";
    if (share > 0.0) {
      std::cerr << ", " << rounded(seconds * (1.0 - share) / share, "%.0f") << " s left";
    }
    std::cerr << std::flush;
  }

 private:
  using Clock = std::chrono::steady_clock;
  bool shown_;
  bool drawn_ = false;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_ = start_;
};

bool is_terminal() {
#if QWEN35_HAS_POSIX
  return ::isatty(2) == 1;
#else
  return false;
#endif
}

void print_row(const char* part, const qwen35::PackSum& sum) {
  if (sum.tensors > 0) {
    std::printf("%-14s %8zu %14zu %14zu %7.3f %9.4f %%\n", part, sum.tensors, sum.values, sum.bytes,
                sum.bits_per_value(), 100.0 * sum.relative_error());
  }
}

struct Settings {
  std::string source;
  std::string out;
  std::string recipe = "copy";
  std::string importance;
  tool::ModelOptions model;
  bool verify = false;
  bool print_recipe = false;
  bool quiet = false;
};

qwen35::PackRecipe recipe_of(const std::string& name) {
  if (std::optional<qwen35::PackRecipe> known = qwen35::PackRecipe::named(name)) {
    return std::move(*known);
  }
  qwen35::require<qwen35::InputError>(qwen35::path_exists(name), "--recipe ", name, ": neither one of ",
                                      qwen35::PackRecipe::names(), " nor a file");
  qwen35::PackRecipe recipe = qwen35::PackRecipe::parse(qwen35::read_text_file<qwen35::InputError>(name), name);
  qwen35::require<qwen35::InputError>(recipe.has_rules(), name,
                                      ": a recipe without a rule; \"* copy\" keeps all as it is");
  return recipe;
}

// The notes on a checkpoint, with what a model of the preset that its config fits would pass over or lack.
void print_notes(const qwen35::Checkpoint& checkpoint) {
  std::string problem;
  tool::each_preset([&]<class Config>(const Config*, const char*) {
    if (qwen35::try_check<Config>(checkpoint)) {
      problem = tool::problem_of<Config>(checkpoint);
    }
  });
  for (const std::string& note : checkpoint.notes()) {
    std::cout << "note: " << tool::shown(note) << '\n';
  }
  if (!problem.empty()) {
    std::cout << "note: cannot be run: " << tool::shown(problem) << '\n';
  }
}

void verify(const Settings& settings) {
  const qwen35::Checkpoint checkpoint = qwen35::Checkpoint::open(settings.source, {.load = qwen35::LoadMode::as_used});
  const qwen35::PackedFile* const packed = checkpoint.packed();
  if (packed != nullptr) {
    ProgressLine line(is_terminal() && !settings.quiet);
    qwen35::verify_packed(*packed, [&](std::size_t done, std::size_t total) { line.show(done, total); });
  }
  {
    ProgressLine line(is_terminal() && !settings.quiet);
    qwen35::verify_values(checkpoint, [&](std::size_t done, std::size_t total) { line.show(done, total); });
  }
  std::cout << tool::shown_name(settings.source) << ": " << checkpoint.tensors().size() << " tensors"
            << (packed == nullptr ? ""
                                  : " and " + std::to_string(packed->files.size()) + " files are as they were written")
            << ", all values are finite\n";
  if (!settings.quiet) {
    print_notes(checkpoint);
  }
}

void pack(const Settings& settings) {
  qwen35::PackOptions options{.recipe = recipe_of(settings.recipe)};
  std::optional<qwen35::Importance> importance;
  if (!settings.importance.empty()) {
    importance = qwen35::Importance::open(settings.importance);
    options.importance = &*importance;
  }
  const qwen35::Checkpoint checkpoint =
      qwen35::Checkpoint::open(settings.source, tool::checkpoint_options(settings.model));
  qwen35::PackReport report;
  try {
    ProgressLine line(is_terminal() && !settings.quiet);
    options.progress = [&](std::size_t done, std::size_t total) { line.show(done, total); };
    report = qwen35::pack(checkpoint, settings.out, options);
  } catch (const qwen35::CancelledError& error) {
    qwen35::raise<qwen35::CancelledError>(qwen35::concat(error.what(), "; ", settings.out, " is as it was"));
  }
  if (settings.quiet) {
    return;
  }
  std::printf("%-14s %8s %14s %14s %7s %11s\n", "part", "tensors", "weights", "bytes", "bits", "error");
  for (std::size_t i = 0; i < report.parts.size(); ++i) {
    print_row(name(static_cast<qwen35::TensorPart>(i)).data(), report.parts[i]);
  }
  const qwen35::PackSum all = report.all();
  print_row("all", all);
  std::printf("%s: %zu bytes, %.3f bits a weight (source: %zu bytes of tensors)%s\n",
              tool::shown_name(settings.out).c_str(), report.file_bytes, all.bits_per_value(), all.source_bytes,
              options.importance == nullptr
                  ? ""
                  : (", importance for " + std::to_string(report.with_importance) + " tensors").c_str());
  if (!options.recipe.is_copy() && !(all.squares > 0.0)) {
    std::printf(
        "note: no weight was written anew: none takes more bits than the recipe's formats, or its rules are for "
        "none\n");
  }
  std::fflush(stdout);
  print_notes(checkpoint);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "A folder or a GGUF file as one packed file, which every program opens. Errors are the root of the mean square "
      "of "
      "the differences from the source, of that of its weights.");
  Settings settings;
  app.add_option("SOURCE", settings.source, "folder with config.json and safetensors files, a GGUF or a packed file");
  app.add_option("OUT", settings.out, "the file to write, *.qwen35; one that is there is replaced when all is written");
  CLI::Option* const recipe =
      app.add_option("-r,--recipe", settings.recipe,
                     "copy (bits as they are), q8, q4, q4-mixed (experts and dense feed-forwards in 4 bits, the head "
                     "in 6, the rest in 8), or a file with rules")
          ->capture_default_str();
  CLI::Option* const importance =
      app.add_option("--importance", settings.importance, "an importance matrix (imatrix) of llama.cpp, in GGUF");
  tool::add_mmproj_option(app, settings.model);
  tool::add_threads_option(app);
  CLI::Option* const check =
      app.add_flag("--verify", settings.verify,
                   "see whether all values of SOURCE are finite, and hold a packed file against the sums in it")
          ->excludes(recipe)
          ->excludes(importance)
          ->excludes("--mmproj");
  app.add_flag("--print-recipe", settings.print_recipe, "print the recipe's rules, for one of your own")
      ->excludes("SOURCE")
      ->excludes(importance)
      ->excludes("--mmproj")
      ->excludes(check);
  app.add_flag("-q,--quiet", settings.quiet, "print errors alone");
  return tool::run(app, argc, argv, [&] {
    if (settings.print_recipe) {
      std::cout << recipe_of(settings.recipe).text();
      return 0;
    }
    qwen35::require<qwen35::InputError>(!settings.source.empty(), "expected a source");
    qwen35::require<qwen35::InputError>(settings.verify == settings.out.empty(),
                                        settings.verify ? "--verify writes nothing" : "expected a file to write");
    settings.verify ? verify(settings) : pack(settings);
    return 0;
  });
}
