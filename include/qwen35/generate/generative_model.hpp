// SPDX-License-Identifier: Apache-2.0
// What `generate` asks of a model.
#pragma once

#include <qwen35/core/dtype.hpp>
#include <qwen35/core/tensor.hpp>
#include <qwen35/model/attention_mask.hpp>

#include <concepts>
#include <span>

QWEN35_BEGIN_NAMESPACE

// A cache that grows with each forward and whose sequences can be gathered.
template <class C>
concept GenerationCache = std::default_initializable<C> && std::movable<C> &&
    requires(C cache, const C& constant, std::span<const std::size_t> rows) {
  { constant.seq_length() } -> std::convertible_to<std::size_t>;
  { constant.fork() } -> std::same_as<C>;
  cache.reorder(rows);
};

// `M::Input` is an aggregate of the forward's arguments under the reference's names; what else it has (images, say)
// goes to the first forward as the caller gave it. Logits are [batch, 1, vocab_size] when logits_to_keep is 1. A model
// may also have
//   Tensor<std::int32_t> prepare_position_ids_for_generation(const Input&) const
// for the positions of the first forward, [sequence] last; without it they count the unmasked tokens. One whose Input
// has media may have
//   std::function<void(Input&)> repeat_media_for_generation(const Input& prompt) const
// for a generation without a cache: the function puts the prompt's media, encoded once, into the Input of a batch of
// which each row was repeated.
template <class M>
concept GenerativeModel = GenerationCache<typename M::Cache> &&
    requires(const M& model, typename M::Input input, typename M::Cache cache) {
  input.input_ids = TensorView<TokenId>();
  input.inputs_embeds = TensorView<float>();
  input.attention_mask = AttentionMask(TensorView<std::int32_t>());
  input.position_ids = TensorView<std::int32_t>();
  input.past_key_values = &cache;
  input.use_cache = true;
  input.logits_to_keep = 1;
  input.output_hidden_states = true;
  input.output_attentions = true;
  { model.forward(input).logits } -> std::convertible_to<Tensor<float>>;
};

QWEN35_END_NAMESPACE
