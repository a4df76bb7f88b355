// SPDX-License-Identifier: Apache-2.0
// The options by which every tool that opens a model says how, and what was passed over while it was opened.
#pragma once

#include <qwen35/weights/checkpoint_config.hpp>

#include <CLI/CLI.hpp>

#include <cxxabi.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <typeinfo>

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

// What a program calls a type that it was compiled for: Shapes, Qwen35_35B_A3B::text_config, my_config.
template <class Config>
std::string config_name() {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> whole(
      abi::__cxa_demangle(typeid(Config).name(), nullptr, nullptr, &status), std::free);
  const std::string name = status == 0 ? whole.get() : typeid(Config).name();
  for (const std::string_view scope : {"configs::", "(anonymous namespace)::"}) {
    if (const std::size_t at = name.find(scope); at < name.find('<')) {
      return name.substr(at + scope.size());
    }
  }
  return name;
}

// Raises ConfigError, with what differs from each config by its name, for a checkpoint that none of them describes.
template <class... Configs>
void require_one_of(const qwen35::Checkpoint& checkpoint) {
  std::string differences;
  const auto describes = [&]<class Config>(const Config*) {
    const qwen35::Result<qwen35::ConfigValues> values = qwen35::try_check<Config>(checkpoint);
    differences += values ? "" : "\ncompiled for " + config_name<Config>() + ": " + values.failure().message;
    return static_cast<bool>(values);
  };
  const bool described = (describes(static_cast<const Configs*>(nullptr)) || ...);
  qwen35::require<qwen35::ConfigError>(described, checkpoint.name(), ": this program was not compiled for such a model",
                                       differences);
}

// As qwen35::checked_for_one_of(), with the names of the configs.
template <class... Configs>
qwen35::CheckpointOptions checked_for_one_of(const qwen35::CheckpointOptions& options) {
  return qwen35::checked_by(options, &require_one_of<Configs...>);
}

// Raises InputError for options that the model in the program has no meaning for.
inline void require_no_options(const ModelOptions& options) {
  qwen35::require<qwen35::InputError>(options.mmproj == "auto", "--mmproj is for a GGUF file, and none is named");
  qwen35::require<qwen35::InputError>(options.load == "automatic",
                                      "--load-weights is for weights in files, and none are named");
}

// What was passed over goes to the error output, a line each.
inline void print_notes(const qwen35::Checkpoint& checkpoint) {
  for (const std::string& note : checkpoint.notes()) {
    std::cerr << "note: " << note << '\n';
  }
}

}  // namespace tool
