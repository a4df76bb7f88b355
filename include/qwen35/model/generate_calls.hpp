// SPDX-License-Identifier: Apache-2.0
// The member generate() of every model with a language-model head.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/fwd.hpp>

QWEN35_BEGIN_NAMESPACE

// Nothing said. A template, since the type is complete where a caller needs it.
template <class>
const GenerationConfig& no_config();

// Nothing to say beside the inputs.
struct NothingElse {};

namespace detail {

// What there is to say beside them.
template <class Model, class Inputs>
struct RestOf {
  using type = GenerateInput<Model>;
};
template <class Model>
struct RestOf<Model, GenerateInput<Model>> {
  using type = NothingElse;
};

}  // namespace detail

// A base of `Model`. The reference's generate(), see generate/generate.hpp, which a caller includes: with the
// checkpoint's generation_config.json or a config of one's own. Media are those of the tokens that are not in a cache
// yet.
template <class Model>
class GenerateCalls {
 public:
  // `inputs`: a GenerateInput, as braces are, or what a tokenizer or processor returned, whole, with `rest` as what
  // else there is: generate(tokenizer(texts), config). (One function: a compiler that finds a field misspelt has one to
  // show.)
  template <class Inputs = GenerateInput<Model>>
  auto generate(const Inputs& inputs, const GenerationConfig& config = no_config<Inputs>(),
                const typename detail::RestOf<Model, Inputs>::type& rest = {}) const {
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
