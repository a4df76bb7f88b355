// SPDX-License-Identifier: Apache-2.0
// The scores of the tokens that were chosen: the reference's `compute_transition_scores`.
#pragma once

#include <qwen35/core/dtype.hpp>
#include <qwen35/core/tensor.hpp>
#include <qwen35/math/softmax.hpp>

#include <algorithm>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// Returns [rows, steps]: the score of each new token of `sequences` [rows, length] in `scores`, which has for each step
// [running rows, vocab_size] (GenerateOutput::scores, or its logits). With beams, `beam_indices` [rows, steps] names
// the running row of each token, -1 after the end of a sequence, where the result is 0; without, row r ran in row r.
// With `normalize_logits` the scores are taken as logarithms of probabilities. Raises InputError for shapes that do not
// fit.
Tensor<float> compute_transition_scores(TensorView<TokenId> sequences, const std::vector<Tensor<float>>& scores,
                                        TensorView<std::int32_t> beam_indices = {}, bool normalize_logits = false);

#if QWEN35_BODIES

QWEN35_BODY Tensor<float> compute_transition_scores(TensorView<TokenId> sequences,
                                                    const std::vector<Tensor<float>>& scores,
                                                    TensorView<std::int32_t> beam_indices, bool normalize_logits) {
  require<InputError>(!scores.empty() && scores[0].shape().rank() == 2,
                      "compute_transition_scores: no scores; ask for them with output_scores");
  require<InputError>(sequences.shape().rank() == 2, "compute_transition_scores: sequences of shape ",
                      to_string(sequences.shape()), ", expected [rows, length]");
  const std::size_t running = scores[0].shape()[0], vocab = scores[0].shape()[1];
  const std::size_t rows = sequences.shape()[0], length = sequences.shape()[1];
  const bool beams = beam_indices.size() > 0;
  require<InputError>(!beams || (beam_indices.shape().rank() == 2 && beam_indices.shape()[0] == rows),
                      "compute_transition_scores: beam_indices of shape ", to_string(beam_indices.shape()), " for ",
                      rows, " sequences");
  require<InputError>(beams || rows == running, "compute_transition_scores: ", rows, " sequences, scores of ", running,
                      " rows; beams need beam_indices");
  const std::size_t given = beams ? beam_indices.shape()[1] : scores.size();
  const auto row_of = [&](std::size_t r, std::size_t step) -> std::ptrdiff_t {
    return beams ? beam_indices[r * given + step] : static_cast<std::ptrdiff_t>(r);
  };
  std::size_t steps = 0;  // of the longest sequence
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t step = 0; step < given; ++step) {
      steps = row_of(r, step) >= 0 ? std::max(steps, step + 1) : steps;
    }
  }
  require<InputError>(steps <= scores.size() && steps <= length, "compute_transition_scores: ", steps, " tokens, ",
                      scores.size(), " steps of scores and sequences of ", length);
  Tensor<float> out({rows, steps});
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t step = 0; step < steps; ++step) {
      const std::ptrdiff_t from = row_of(r, step);
      const TokenId id = sequences[r * length + length - steps + step];
      if (from < 0 || id < 0) {  // past the end, where there is no pad token
        continue;
      }
      const Shape& shape = scores[step].shape();
      require<InputError>(shape.rank() == 2 && static_cast<std::size_t>(from) < shape[0] && shape[1] == vocab &&
                              static_cast<std::size_t>(id) < vocab,
                          "compute_transition_scores: step ", step, ": row ", from, " and token id ", id,
                          " are not in scores of shape ", to_string(shape));
      const std::span<const float> row = scores[step].row(static_cast<std::size_t>(from));
      out.row(r)[step] =
          row[static_cast<std::size_t>(id)] - (normalize_logits ? math::log_sum_exp(row.data(), row.size()) : 0.0f);
    }
  }
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
