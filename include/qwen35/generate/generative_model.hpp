// SPDX-License-Identifier: Apache-2.0
// What `generate` asks of a model.
#pragma once

#include <qwen35/generate/sequence_model.hpp>
#include <qwen35/model/forward_input.hpp>

#include <functional>

QWEN35_BEGIN_NAMESPACE

// A SequenceModel that also takes the reference's rectangle. Logits are [batch, 1, vocab_size] when logits_to_keep
// is 1. It may also have
//   Tensor<std::int32_t> prepare_position_ids_for_generation(const ForwardInput&) const
// for the positions of the first forward, [sequence] last; without it, or where they are empty, they count the unmasked
// tokens. One that reads media may have
//   std::function<void(ForwardInput&)> repeat_media_for_generation(const ForwardInput& prompt) const
// for a generation without a cache: the function puts the prompt's media, encoded once, into the input of a batch of
// which each row was repeated.
template <class M>
concept GenerativeModel = SequenceModel<M> && requires(const M& model, const ForwardInput& input) {
  { model.forward(input).logits } -> std::convertible_to<Tensor<float>>;
};

QWEN35_END_NAMESPACE
