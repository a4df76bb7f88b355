// SPDX-License-Identifier: Apache-2.0
// The config of a checkpoint held against a type: what is wrong with it is told with the file's name.
#pragma once

#include <qwen35/config/config_file.hpp>
#include <qwen35/core/result.hpp>
#include <qwen35/weights/checkpoint.hpp>
#include <qwen35/weights/quantization_config.hpp>

#include <functional>
#include <string>
#include <utility>

#if QWEN35_BODIES
#include <qwen35/kernels/kernels.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

namespace detail {

// The failure with the path of the config file, or the name of the GGUF file that the config is made from.
Failure in_config_of(const Checkpoint& checkpoint, Failure failure);

}  // namespace detail

// Calls `read` with the config; errors that it raises name the file.
void read_config(const Checkpoint& checkpoint, const std::function<void(const json::Value& config)>& read);

// How a checkpoint is quantised.
QuantizationConfig quantization_of(const Checkpoint& checkpoint);

// Does a checkpoint hold a picture tower alone?
bool is_tower_alone(const Checkpoint& checkpoint);
// Raises CheckpointError for one that does, with what to do.
void require_text_model(const Checkpoint& checkpoint);
// Raises ConfigError for a checkpoint without a picture tower, with what to do.
void require_tower(const Checkpoint& checkpoint);

// As for a config alone; raises CheckpointError for a picture tower alone.
template <class Config>
Result<ConfigValues> try_check(const Checkpoint& checkpoint) {
  require_text_model(checkpoint);
  Result<ConfigValues> values{Failure{}};
  read_config(checkpoint, [&](const json::Value& config) { values = try_check<Config>(config); });
  return values ? std::move(values) : detail::in_config_of(checkpoint, values.failure());
}
template <class Config>
ConfigValues check(const Checkpoint& checkpoint) {
  Result<ConfigValues> values = try_check<Config>(checkpoint);
  if (!values) {
    decline(values.failure());
    return ConfigValues::from<Config>();
  }
  return std::move(values).value();
}
// Raises ConfigError for a GGUF file that was opened without its picture tower too.
template <class Vision>
void check_vision(const Checkpoint& checkpoint) {
  require_tower(checkpoint);
  read_config(checkpoint, [](const json::Value& config) { check_vision<Vision>(config); });
}

// `options`, whose check is followed by this one.
CheckpointOptions checked_by(CheckpointOptions options, void (*check)(const Checkpoint& checkpoint));

// The options with which a model of Config opens its checkpoint: what does not fit is told before weights are read.
template <class Config>
CheckpointOptions checked_for(const CheckpointOptions& options) {
  return checked_by(options, [](const Checkpoint& checkpoint) { check<Config>(checkpoint); });
}
// The same for a picture tower.
template <class Vision>
CheckpointOptions checked_for_tower(const CheckpointOptions& options) {
  return checked_by(options, &check_vision<Vision>);
}

#if QWEN35_BODIES

QWEN35_BODY CheckpointOptions checked_by(CheckpointOptions options, void (*check)(const Checkpoint& checkpoint)) {
  options.check = [first = std::move(options.check), check](const Checkpoint& checkpoint) {
    if (first) {
      first(checkpoint);
    }
    require_isa_of_environment();
    if (!declined()) {
      check(checkpoint);
    }
  };
  return options;
}

namespace detail {

QWEN35_BODY Failure in_config_of(const Checkpoint& checkpoint, Failure failure) {
  constexpr std::string_view unnamed = "config.json";
  const bool made = checkpoint.config().is_object() && checkpoint.config().find("key_names") != nullptr;
  const std::string place = made ? checkpoint.name() : checkpoint.files().place(unnamed);
  if (failure.message.starts_with(unnamed)) {
    failure.message.replace(0, unnamed.size(), place);
  } else if (!failure.message.starts_with(place)) {
    failure.message = concat(place, ": ", failure.message);
  }
  return failure;
}

}  // namespace detail

QWEN35_BODY void read_config(const Checkpoint& checkpoint, const std::function<void(const json::Value& config)>& read) {
  const Result<bool> result = attempt([&] {
    read(checkpoint.config());
    return true;
  });
  if (!result) {
    decline(detail::in_config_of(checkpoint, result.failure()));
  }
}

QWEN35_BODY QuantizationConfig quantization_of(const Checkpoint& checkpoint) {
  QuantizationConfig out;
  read_config(checkpoint, [&](const json::Value& config) { out = QuantizationConfig::of(config); });
  return out;
}

QWEN35_BODY bool is_tower_alone(const Checkpoint& checkpoint) {
  const json::Value& config = checkpoint.config();
  const json::Value* const type = config.is_object() ? config.find("model_type") : nullptr;
  return type != nullptr && type->is_string() && type->as_string().ends_with("_vision");
}

QWEN35_BODY void require_text_model(const Checkpoint& checkpoint) {
  if (is_tower_alone(checkpoint)) {
    decline<CheckpointError>(concat(checkpoint.name(),
                                    ": a picture tower alone (mmproj), no model: open the model's own file, with this "
                                    "one as its tower (CheckpointOptions::mmproj, --mmproj FILE)"));
  }
}

QWEN35_BODY void require_tower(const Checkpoint& checkpoint) {
  const json::Value& config = checkpoint.config();
  if (!config.is_object() || config.find("vision_config") != nullptr || is_tower_alone(checkpoint)) {
    return;
  }
  std::string why;
  for (const std::string& note : checkpoint.notes()) {
    why += concat("\n  ", note);
  }
  decline<ConfigError>(
      checkpoint.is_gguf()
          ? concat(checkpoint.name(),
                   ": has no picture tower: that of a GGUF file is a file of its own (mmproj), which "
                   "CheckpointOptions::mmproj (--mmproj FILE) names",
                   why)
          : concat(checkpoint.files().place("config.json"), ": no vision_config: this model reads text alone", why));
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
