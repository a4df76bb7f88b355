// SPDX-License-Identifier: Apache-2.0
// Compiling generate() of a model in one file of a program: `QWEN35_INSTANTIATE_GENERATE(qwen35::CausalLM<my_model>)`
// there, `QWEN35_EXTERN_GENERATE(...)` in the files that call it; beside the macros of model/instantiate.hpp.
#pragma once

#include <qwen35/generate/generate.hpp>
#include <qwen35/model/instantiate.hpp>

#include <type_traits>

// Both stand outside every namespace.
#define QWEN35_INSTANTIATE_GENERATE(...)                                                   \
  template qwen35::GenerateOutput<__VA_ARGS__> qwen35::generate<__VA_ARGS__>(              \
      const __VA_ARGS__&, const std::type_identity_t<qwen35::GenerateInput<__VA_ARGS__>>&, \
      const qwen35::GenerationConfig&);
#define QWEN35_EXTERN_GENERATE(...) extern QWEN35_INSTANTIATE_GENERATE(__VA_ARGS__)
