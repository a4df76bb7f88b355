// SPDX-License-Identifier: Apache-2.0
// The shapes checkpoint as a model, and prompts for it.
#pragma once

#include <qwen35/cache/cache_file.hpp>
#include <qwen35/config/presets.hpp>
#include <qwen35/model/causal_lm.hpp>

#include <vector>

namespace cache_test {

using Config = qwen35::configs::Shapes;
using Model = qwen35::CausalLM<Config>;
using Cache = qwen35::HybridCache<Config>;
using Ids = std::vector<qwen35::TokenId>;

inline const Model& model() {
  static const Model shapes = Model::from_pretrained(QWEN35_SOURCE_DIR "/examples/shapes");
  return shapes;
}

// Ids that depend on `salt`, within the vocabulary.
inline Ids prompt(std::size_t length, unsigned salt) {
  Ids ids(length);
  unsigned state = 12345u + salt * 7919u;
  for (qwen35::TokenId& id : ids) {
    state = state * 1664525u + 1013904223u;
    id = static_cast<qwen35::TokenId>((state >> 16) % 433u);
  }
  return ids;
}

// Logits of every position of `ids`, continuing `cache`.
inline std::vector<float> logits(const Ids& ids, Cache& cache) {
  const auto out = model().forward({.input_ids = ids, .past_key_values = &cache});
  return {out.logits.begin(), out.logits.end()};
}

inline Ids slice(const Ids& ids, std::size_t begin, std::size_t end) {
  return {ids.begin() + static_cast<std::ptrdiff_t>(begin), ids.begin() + static_cast<std::ptrdiff_t>(end)};
}

}  // namespace cache_test
