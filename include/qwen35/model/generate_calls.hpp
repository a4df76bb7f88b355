// SPDX-License-Identifier: Apache-2.0
// The member generate() of every model with a language-model head.
#pragma once

#include <qwen35/core/error.hpp>

QWEN35_BEGIN_NAMESPACE

struct GenerationConfig;
template <class Model>
struct GenerateInput;

// A base of `Model`. The reference's generate(), see generate/generate.hpp, which a caller includes: with the
// checkpoint's generation_config.json or a config of one's own. Media are those of the tokens that are not in a cache
// yet.
template <class Model>
class GenerateCalls {
 public:
  auto generate(const GenerateInput<Model>& input) const { return run_generation(self(), input); }
  auto generate(const GenerateInput<Model>& input, const GenerationConfig& config) const {
    return run_generation(self(), input, config);
  }
  // With what a tokenizer or processor returned, whole: generate(tokenizer(texts), config).
  template <class Inputs>
  auto generate(const Inputs& inputs) const {
    return run_generation(self(), inputs);
  }
  template <class Inputs>
  auto generate(const Inputs& inputs, const GenerationConfig& config) const {
    return run_generation(self(), inputs, config);
  }
  template <class Inputs>
  auto generate(const Inputs& inputs, const GenerationConfig& config, const GenerateInput<Model>& rest) const {
    return run_generation(self(), inputs, config, rest);
  }

 protected:
  GenerateCalls() = default;
  ~GenerateCalls() = default;
  GenerateCalls(const GenerateCalls&) = default;
  GenerateCalls(GenerateCalls&&) = default;
  GenerateCalls& operator=(const GenerateCalls&) = default;
  GenerateCalls& operator=(GenerateCalls&&) = default;

 private:
  const Model& self() const { return static_cast<const Model&>(*this); }
};

QWEN35_END_NAMESPACE
