// SPDX-License-Identifier: Apache-2.0
// The options by which every tool that opens a model says how.
#pragma once

#include <qwen35/weights/checkpoint.hpp>

#include <CLI/CLI.hpp>

#include <optional>
#include <string>

namespace tool {

struct ModelOptions {
  std::string mmproj = "auto";
  std::string load = "automatic";
};

inline void add_mmproj_option(CLI::App& app, ModelOptions& options) {
  app.add_option("--mmproj", options.mmproj,
                 "the picture tower of a GGUF file; auto: one that stands beside it and fits; none: text alone")
      ->capture_default_str();
}

inline void add_load_option(CLI::App& app, ModelOptions& options) {
  app.add_option(
         "--load-weights", options.load,
         "how weights come into memory: map (the file cache's pages), read (large pages of its own), automatic: "
         "read where memory allows, as_used (mapped, read when they are needed)")
      ->capture_default_str();
}

// Raises InputError for a way to load that there is none of.
inline qwen35::CheckpointOptions checkpoint_options(const ModelOptions& options) {
  qwen35::CheckpointOptions out;
  out.mmproj = options.mmproj == "auto"   ? std::nullopt
               : options.mmproj == "none" ? std::optional<std::string>("")
                                          : std::optional<std::string>(options.mmproj);
  out.load = qwen35::load_mode(options.load);
  return out;
}

// Raises InputError for options that the model in the program has no meaning for.
inline void require_no_options(const ModelOptions& options) {
  qwen35::require<qwen35::InputError>(options.mmproj == "auto", "--mmproj is for a GGUF file, and none is named");
  qwen35::require<qwen35::InputError>(options.load == "automatic",
                                      "--load-weights is for weights in files, and none are named");
}

}  // namespace tool
