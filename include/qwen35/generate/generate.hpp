// SPDX-License-Identifier: Apache-2.0
// From a prompt to tokens: the reference's `generate()`.
#pragma once

#include <qwen35/core/lifetime.hpp>
#include <qwen35/core/result.hpp>
#include <qwen35/generate/batch.hpp>
#include <qwen35/generate/beam_search.hpp>
#include <qwen35/generate/generate_input.hpp>
#include <qwen35/generate/generative_model.hpp>
#include <qwen35/generate/sequence.hpp>
#include <qwen35/model/generate_calls.hpp>

#include <algorithm>
#include <iosfwd>
#include <memory>
#include <optional>
#include <type_traits>
#include <vector>

QWEN35_BEGIN_NAMESPACE

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

  // The new tokens of a row, without padding. Raises InputError for a row that is none.
  std::span<const TokenId> new_tokens(std::size_t row) const& QWEN35_LIFETIMEBOUND {
    require<InputError>(row < generated.size(), "GenerateOutput: row ", row, " of ", generated.size());
    return sequences.row(row).subspan(prompt_length, generated[row]);
  }
  std::span<const TokenId> new_tokens(std::size_t row) const&& = delete;  // keep the output, then look at it
};

// How many tokens each row got and why it ended, the seed, and the shapes of what was asked for; on one line.
template <class Model>
std::string to_string(const GenerateOutput<Model>& output) {
  std::string out = concat("GenerateOutput: sequences ", to_string(output.sequences.shape()), ", new tokens");
  constexpr std::size_t shown = 16;
  for (std::size_t r = 0; r < std::min(output.generated.size(), shown); ++r) {
    out += concat(r == 0 ? " " : ", ", output.generated[r], " (", name(output.finish_reason[r]), ")");
  }
  out += concat(output.generated.size() > shown ? ", ..." : "", "; seed ", output.seed);
  const auto steps = [&](const char* what, const std::vector<Tensor<float>>& each) {
    if (!each.empty()) {
      out += concat("; ", each.size(), " ", what, " ", to_string(each[0].shape()));
    }
  };
  steps("scores", output.scores);
  steps("logits", output.logits);
  return out;
}
template <class Traits, class Model>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out,
                                             const GenerateOutput<Model>& output) {
  return out << to_string(output);
}

// Fields that `config` does not say come from the model's own generation config, then from
// `GenerationConfig::fallbacks()`; special tokens also from the model's config. Raises InputError for an input or
// config that contradicts itself, CacheError when the cache is full.
template <GenerativeModel Model>
GenerateOutput<Model> generate(const Model& model, const std::type_identity_t<GenerateInput<Model>>& input,
                               const GenerationConfig& config = {});

// The same, with what it would raise as a failure.
template <GenerativeModel Model>
Result<GenerateOutput<Model>> try_generate(const Model& model, const std::type_identity_t<GenerateInput<Model>>& input,
                                           const GenerationConfig& config = {}) {
  return attempt([&] { return generate(model, input, config); });
}

// The same for what a tokenizer or a processor returned, whole; `rest` is what else there is to say. Raises InputError
// for rows of different lengths, and for something in `rest` that `inputs` has.
template <GenerativeModel Model, EncodedInputs Inputs>
GenerateOutput<Model> generate(const Model& model, const Inputs& inputs, const GenerationConfig& config = {},
                               const std::type_identity_t<GenerateInput<Model>>& rest = {});

// What a model's member generate() calls.
template <class Model>
auto run_generation(const Model& model, const GenerateInput<Model>& input, const GenerationConfig& config,
                    NothingElse) {
  return generate(model, input, config);
}
template <class Model, EncodedInputs Inputs>
auto run_generation(const Model& model, const Inputs& inputs, const GenerationConfig& config,
                    const GenerateInput<Model>& rest) {
  return generate(model, inputs, config, rest);
}

template <class>
const GenerationConfig& no_config() {
  static const GenerationConfig none;
  return none;
}

QWEN35_END_NAMESPACE

#include <qwen35/generate/generate_impl.hpp>
