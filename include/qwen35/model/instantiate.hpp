// SPDX-License-Identifier: Apache-2.0
// Compiling a model in one file of a program: `QWEN35_INSTANTIATE(my_model)` there, `QWEN35_EXTERN(my_model)` in the
// files that use it. A config with a vision tower may take `QWEN35_INSTANTIATE_MULTIMODAL` and
// `QWEN35_EXTERN_MULTIMODAL` instead, which have Model, ConditionalGeneration and the tower too. (Two such configs with
// one vision_config: QWEN35_INSTANTIATE and the two classes by hand for the second.)
#pragma once

#include <qwen35/model/causal_lm.hpp>
#include <qwen35/model/conditional_generation.hpp>

// All stand outside every namespace.
#define QWEN35_INSTANTIATE(...)                    \
  template class qwen35::HybridCache<__VA_ARGS__>; \
  template class qwen35::TextModel<__VA_ARGS__>;   \
  template class qwen35::CausalLM<__VA_ARGS__>;
#define QWEN35_EXTERN(...)                                \
  extern template class qwen35::HybridCache<__VA_ARGS__>; \
  extern template class qwen35::TextModel<__VA_ARGS__>;   \
  extern template class qwen35::CausalLM<__VA_ARGS__>;
#define QWEN35_INSTANTIATE_MULTIMODAL(...)                                  \
  QWEN35_INSTANTIATE(__VA_ARGS__)                                           \
  template class qwen35::VisionTower<qwen35::vision_config_t<__VA_ARGS__>>; \
  template class qwen35::Model<__VA_ARGS__>;                                \
  template class qwen35::ConditionalGeneration<__VA_ARGS__>;
#define QWEN35_EXTERN_MULTIMODAL(...)                                              \
  QWEN35_EXTERN(__VA_ARGS__)                                                       \
  extern template class qwen35::VisionTower<qwen35::vision_config_t<__VA_ARGS__>>; \
  extern template class qwen35::Model<__VA_ARGS__>;                                \
  extern template class qwen35::ConditionalGeneration<__VA_ARGS__>;
