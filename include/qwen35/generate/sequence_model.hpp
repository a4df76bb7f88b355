// SPDX-License-Identifier: Apache-2.0
// What decoding asks of a model.
#pragma once

#include <qwen35/model/forward_workspace.hpp>
#include <qwen35/model/prompt_rows.hpp>
#include <qwen35/model/sequence_slice.hpp>

#include <concepts>

QWEN35_BEGIN_NAMESPACE

// Runs slices of sequences together, with the logits of the wanted rows. CausalLM, ConditionalGeneration and AnyModel
// do. A model may also have config(), with eos_token_id, pad_token_id and max_position_embeddings, and
// generation_config().
template <class M>
concept SequenceModel = requires(const M& model, std::span<const SequenceSlice> slices, ForwardWorkspace& workspace) {
  { model.forward(slices, workspace) } -> std::convertible_to<SliceRows>;
  { model.cache_layout(DType::f32) } -> std::convertible_to<CacheLayout>;
};

// 0: unknown.
template <class M>
std::size_t vocab_size_of(const M& model) {
  if constexpr (requires { model.vocab_size(); }) {
    return model.vocab_size();
  } else if constexpr (requires { M::Text::vocab_size; }) {
    return M::Text::vocab_size;
  } else {
    return 0;
  }
}

QWEN35_END_NAMESPACE
