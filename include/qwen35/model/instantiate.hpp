// SPDX-License-Identifier: Apache-2.0
// Compiling a model in one file of a program: `QWEN35_INSTANTIATE(my_model)` there, `QWEN35_EXTERN(my_model)` in the
// files that use it. A config with a vision tower may take `QWEN35_INSTANTIATE_MULTIMODAL` and
// `QWEN35_EXTERN_MULTIMODAL` instead, which have Model, ConditionalGeneration and the tower too. (Two such configs with
// one vision_config: QWEN35_INSTANTIATE and the two classes by hand for the second.)
#pragma once

#include <qwen35/model/causal_lm.hpp>
#include <qwen35/model/conditional_generation.hpp>

// What makes or writes a model, which an instantiation of the class leaves out. `kind`: extern, or nothing.
#define QWEN35_MODEL_DOORS(kind, ...)                                                                                \
  kind template qwen35::TextModel<__VA_ARGS__>::TextModel(const qwen35::InitOptions&, const qwen35::TextValues&);    \
  kind template qwen35::TextModel<__VA_ARGS__>::TextModel(const qwen35::Checkpoint&, qwen35::Head);                  \
  kind template qwen35::TextModel<__VA_ARGS__> qwen35::TextModel<__VA_ARGS__>::from_pretrained(                      \
      const std::string&, const qwen35::CheckpointOptions&);                                                         \
  kind template void qwen35::TextModel<__VA_ARGS__>::save_pretrained(const std::string&, const qwen35::SaveOptions&) \
      const;                                                                                                         \
  kind template qwen35::CausalLM<__VA_ARGS__>::CausalLM(const qwen35::InitOptions&, const qwen35::TextValues&);      \
  kind template qwen35::CausalLM<__VA_ARGS__>::CausalLM(const qwen35::Checkpoint&);                                  \
  kind template qwen35::CausalLM<__VA_ARGS__> qwen35::CausalLM<__VA_ARGS__>::from_pretrained(                        \
      const std::string&, const qwen35::CheckpointOptions&);                                                         \
  kind template void qwen35::CausalLM<__VA_ARGS__>::save_pretrained(const std::string&, const qwen35::SaveOptions&)  \
      const;

// All stand outside every namespace.
#define QWEN35_INSTANTIATE(...)                    \
  template class qwen35::HybridCache<__VA_ARGS__>; \
  template class qwen35::TextModel<__VA_ARGS__>;   \
  template class qwen35::CausalLM<__VA_ARGS__>;    \
  QWEN35_MODEL_DOORS(, __VA_ARGS__)
#define QWEN35_EXTERN(...)                                \
  extern template class qwen35::HybridCache<__VA_ARGS__>; \
  extern template class qwen35::TextModel<__VA_ARGS__>;   \
  extern template class qwen35::CausalLM<__VA_ARGS__>;    \
  QWEN35_MODEL_DOORS(extern, __VA_ARGS__)
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
