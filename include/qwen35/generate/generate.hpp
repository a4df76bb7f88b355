// SPDX-License-Identifier: Apache-2.0
// From a prompt to tokens: the reference's `generate()`.
#pragma once

#include <qwen35/generate/beam_search.hpp>
#include <qwen35/generate/generative_model.hpp>
#include <qwen35/generate/sequence.hpp>

#include <memory>
#include <optional>
#include <type_traits>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// Called after each step with the newest token of every row (padding for rows that have ended); false ends the
// generation.
using Streamer = std::function<bool(std::span<const TokenId> tokens)>;

// One prompt a row, left-padded. What the reference takes beside the config, under its names.
template <class Model>
struct GenerateInput {
  TensorView<TokenId> input_ids{};  // [batch, columns]
  AttentionMask attention_mask{};  // [batch, columns], 0 for padding; none: padding is known by pad_token_id where that
                                   // is no eos id
  TensorView<std::int32_t>
      position_ids{};  // [batch, columns], or that with a leading 1, 3 or 4; decoding goes on from the last
  TensorView<float> inputs_embeds{};  // [batch, columns, hidden_size]; with input_ids too, the embeddings are run and
                                      // `sequences` has the ids
  // With a cache of P slots the columns are the whole sequence, of which the first P are not run again, or, with an
  // attention_mask that is P wider, the new tokens alone. It is left as it is where a prompt gets several sequences,
  // else it goes on.
  RectangleCache* past_key_values = nullptr;
  LogitsProcessorList logits_processor{};
  PrefixAllowedTokens prefix_allowed_tokens_fn{};
  StoppingCriteriaList stopping_criteria{};
  TokenText token_text{};  // for stop_strings
  Streamer streamer{};     // not with beams
  // Numbers of the prompts, [batch]; none: 0, 1, 2 ... A draw depends on the config's seed, this number, which of the
  // prompt's sequences it is for, and how many tokens stand before it (padding not counted): not on the other prompts,
  // the number of threads or a cache.
  std::vector<std::uint32_t> sequence_ids{};
  ForwardInput model_kwargs{};  // what else the first forward gets: images, a workspace
};

// Rows are prompt * num_return_sequences + sibling. The tensors of each step have running rows: the same, or prompt *
// num_beams + beam with beams.
template <class Model>
struct GenerateOutput {
  Tensor<TokenId> sequences;                // [rows, length]: the given columns and the new ones, padded at the end
  std::size_t prompt_length = 0;            // columns of `sequences` that were given
  std::vector<std::size_t> generated;       // [rows]: new tokens, the eos included
  std::vector<FinishReason> finish_reason;  // [rows]
  std::vector<Usage> usage;                 // [rows]
  std::uint64_t seed = 0;                   // do_sample: of the draws, to have them again
  std::vector<float> sequences_scores;      // beams: [rows]
  Tensor<std::int32_t> beam_indices{
      Shape{0, 0}};                   // beams: [rows, most generated], the running row of each token; -1 after the end
  std::vector<Tensor<float>> scores;  // output_scores: for each step [running rows, vocab_size], processed
  std::vector<Tensor<float>> logits;  // output_logits: the same, as the model gave them
  std::vector<std::vector<Tensor<float>>> hidden_states;  // output_hidden_states: for each step what forward returned
  std::vector<std::vector<Tensor<float>>> attentions;     // output_attentions: the same
  RectangleCache* past_key_values =
      nullptr;  // after the last forward, which did not have the last token; null without cache
  std::unique_ptr<RectangleCache> owned_cache;  // unless it is the caller's

  // The new tokens of a row, without padding.
  std::span<const TokenId> new_tokens(std::size_t row) const {
    return sequences.row(row).subspan(prompt_length, generated[row]);
  }
};

// Fields that `config` does not say come from the model's own generation config, then from
// `GenerationConfig::fallbacks()`; special tokens also from the model's config. Raises InputError for an input or
// config that contradicts itself, CacheError when the cache is full.
template <GenerativeModel Model>
GenerateOutput<Model> generate(const Model& model, const std::type_identity_t<GenerateInput<Model>>& input,
                               const GenerationConfig& config = {});

// What a model's member generate() calls.
template <class Model, class... Config>
auto run_generation(const Model& model, const GenerateInput<Model>& input, const Config&... config) {
  return generate(model, input, config...);
}

QWEN35_END_NAMESPACE

#include <qwen35/generate/generate_impl.hpp>
