// SPDX-License-Identifier: Apache-2.0
// What generate() returns.
#pragma once

#include <qwen35/core/tensor.hpp>
#include <qwen35/generate/stopping_criteria.hpp>

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

QWEN35_BEGIN_NAMESPACE

template <class Model>
struct GenerateOutput {
  Tensor<TokenId> sequences;              // [rows, longest]: prompt and new tokens, padded on the right
  std::size_t prompt_length = 0;          // of each row
  std::vector<std::size_t> generated;     // [rows]: new tokens
  std::vector<FinishReason> finish_reason;
  std::vector<float> sequences_scores;    // [rows], beam search
  Tensor<std::int32_t> beam_indices;      // [rows, longest new], beam search; -1 is padding
  std::vector<Tensor<float>> scores;      // with output_scores, after processing: one [rows, vocab_size] for each step
  std::vector<Tensor<float>> logits;      // with output_logits, before processing
  typename Model::Cache* past_key_values = nullptr;
  std::unique_ptr<typename Model::Cache> owned_cache;

  // The new tokens of a row.
  std::span<const TokenId> new_tokens(std::size_t row) const { return sequences.row(row).subspan(prompt_length, generated[row]); }
};

namespace detail {

template <class Model>
void fill_sequences(const std::vector<std::vector<TokenId>>& rows, TokenId pad, GenerateOutput<Model>& output) {
  std::size_t longest = 0;
  for (const std::vector<TokenId>& row : rows) {
    longest = std::max(longest, row.size());
  }
  output.sequences = Tensor<TokenId>({rows.size(), longest});
  std::fill(output.sequences.begin(), output.sequences.end(), pad);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::copy(rows[r].begin(), rows[r].end(), output.sequences.row(r).begin());
  }
}

}  // namespace detail

QWEN35_END_NAMESPACE
