// SPDX-License-Identifier: Apache-2.0
// What a generation gave.
#pragma once

#include <qwen35/cache/rectangle_cache.hpp>
#include <qwen35/core/lifetime.hpp>
#include <qwen35/core/tensor.hpp>
#include <qwen35/fwd.hpp>
#include <qwen35/generate/usage.hpp>
#include <qwen35/sampling/stopping_criteria.hpp>

#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#if QWEN35_BODIES
#include <algorithm>
#endif

QWEN35_BEGIN_NAMESPACE

// Rows are prompt * num_return_sequences + sibling. The tensors of each step have running rows: the same, or prompt *
// num_beams + beam with beams. The same for all models: GenerateOutput<Model>.
struct GenerateOutputs {
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
std::string to_string(const GenerateOutputs& output);
template <class Traits>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const GenerateOutputs& output) {
  return out << to_string(output);
}

#if QWEN35_BODIES

QWEN35_BODY std::string to_string(const GenerateOutputs& output) {
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

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
