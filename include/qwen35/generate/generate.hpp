// SPDX-License-Identifier: Apache-2.0
// From a prompt to tokens: the reference's `generate()`.
#pragma once

#include <qwen35/core/result.hpp>
#include <qwen35/generate/batch.hpp>
#include <qwen35/generate/decoding_model.hpp>
#include <qwen35/generate/generate_input.hpp>
#include <qwen35/generate/generate_output.hpp>
#include <qwen35/generate/generative_model.hpp>
#include <qwen35/model/generate_calls.hpp>

#include <type_traits>

QWEN35_BEGIN_NAMESPACE

// What generate() does, for any model.
QWEN35_LAZY GenerateOutputs generate_steps(const DecodingModel& model, const GenerateInputs& input,
                                           const GenerationConfig& config);

// Fields that `config` does not say come from the model's own generation config, then from
// `GenerationConfig::fallbacks()`; special tokens also from the model's config. Raises InputError for an input or
// config that contradicts itself, CacheError when the cache is full.
template <GenerativeModel Model>
GenerateOutput<Model> generate(const Model& model, const std::type_identity_t<GenerateInput<Model>>& input,
                               const GenerationConfig& config = {});

// The same, with what it would raise as a failure.
template <GenerativeModel Model>
Result<GenerateOutput<Model>> try_generate(const Model& model, const std::type_identity_t<GenerateInput<Model>>& input,
                                           const GenerationConfig& config = {}) {
  return attempt([&] { return generate(model, input, config); });
}

// The same for what a tokenizer or a processor returned, whole; `rest` is what else there is to say. Raises InputError
// for rows of different lengths, and for something in `rest` that `inputs` has.
template <GenerativeModel Model, EncodedInputs Inputs>
GenerateOutput<Model> generate(const Model& model, const Inputs& inputs, const GenerationConfig& config = {},
                               const std::type_identity_t<GenerateInput<Model>>& rest = {});

// What a model's member generate() calls.
template <class Model>
auto run_generation(const Model& model, const GenerateInput<Model>& input, const GenerationConfig& config,
                    NothingElse) {
  return generate(model, input, config);
}
template <class Model, EncodedInputs Inputs>
auto run_generation(const Model& model, const Inputs& inputs, const GenerationConfig& config,
                    const GenerateInput<Model>& rest) {
  return generate(model, inputs, config, rest);
}

template <class>
const GenerationConfig& no_config() {
  static const GenerationConfig none;
  return none;
}

QWEN35_END_NAMESPACE

#include <qwen35/generate/generate_impl.hpp>
