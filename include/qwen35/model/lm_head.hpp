// SPDX-License-Identifier: Apache-2.0
// The language-model head: logits of the positions asked for.
#pragma once

#include <qwen35/core/matrix.hpp>
#include <qwen35/core/tensor.hpp>
#include <qwen35/layers/rows.hpp>

#include <vector>

#if QWEN35_BODIES
#include <cstring>
#endif

QWEN35_BEGIN_NAMESPACE

// `logits_to_keep`: a count n (0: every position, else the last n), or the indices of the positions.
class LogitsToKeep {
 public:
  LogitsToKeep(int count = 0) : count_(count) {}
  LogitsToKeep(std::vector<std::int32_t> indices) : indices_(std::move(indices)), by_index_(true) {}

  bool is_default() const { return count_ == 0 && !by_index_; }
  // Positions of a sequence of `length` tokens, in output order. Raises InputError for a negative count or an index
  // outside it; indices below 0 count from the end.
  std::vector<std::size_t> positions(std::size_t length) const;

 private:
  int count_ = 0;
  std::vector<std::int32_t> indices_;
  bool by_index_ = false;
};

// hidden `[batch, sequence, hidden_size]` to logits `[batch, kept, vocab_size]`.
Tensor<float> lm_head(const Matrix& weight, const Tensor<float>& hidden, const LogitsToKeep& logits_to_keep);

// The same for rows [count, hidden_size] to logits [count, vocab_size], at most `at_once` of them in one product.
void lm_head(const Matrix& weight, const float* rows, std::size_t count, float* logits, std::size_t at_once,
             Arena& arena);

#if QWEN35_BODIES

QWEN35_BODY std::vector<std::size_t> LogitsToKeep::positions(std::size_t length) const {
  std::vector<std::size_t> out;
  if (by_index_) {
    const auto signed_length = static_cast<std::int64_t>(length);
    for (const std::int32_t index : indices_) {
      require<InputError>(index >= -signed_length && index < signed_length, "logits_to_keep: index ", index,
                          " of a sequence of ", length);
      out.push_back(static_cast<std::size_t>(index < 0 ? index + signed_length : index));
    }
    return out;
  }
  require<InputError>(count_ >= 0, "logits_to_keep is ", count_, ", expected a count or indices");
  const std::size_t kept = count_ == 0 ? length : std::min(length, static_cast<std::size_t>(count_));
  for (std::size_t t = length - kept; t < length; ++t) {
    out.push_back(t);
  }
  return out;
}

QWEN35_BODY Tensor<float> lm_head(const Matrix& weight, const Tensor<float>& hidden,
                                  const LogitsToKeep& logits_to_keep) {
  const std::size_t batch = hidden.shape()[0];
  const std::size_t length = hidden.shape()[1];
  const std::vector<std::size_t> kept = logits_to_keep.positions(length);
  Tensor<float> logits({batch, kept.size(), weight.rows});
  Arena arena(scratch_bytes<RowsScratch<ArenaMeter>>(batch * kept.size(), weight.cols));
  const RowsScratch<Arena> scratch(arena, batch * kept.size(), weight.cols);
  if (kept.size() == length && !kept.empty() && kept.front() == 0 && kept.back() + 1 == length) {
    project(Rows(hidden.data(), batch * length, weight.cols, scratch), {{weight, logits.data(), weight.rows}});
    return logits;
  }
  Tensor<float> rows({batch, kept.size(), weight.cols});
  for (std::size_t b = 0; b < batch; ++b) {
    for (std::size_t i = 0; i < kept.size(); ++i) {
      std::memcpy(rows.data() + (b * kept.size() + i) * weight.cols,
                  hidden.data() + (b * length + kept[i]) * weight.cols, weight.cols * sizeof(float));
    }
  }
  project(Rows(rows.data(), batch * kept.size(), weight.cols, scratch), {{weight, logits.data(), weight.rows}});
  return logits;
}

QWEN35_BODY void lm_head(const Matrix& weight, const float* rows, std::size_t count, float* logits, std::size_t at_once,
                         Arena& arena) {
  const Arena::Scope scope(arena);
  const RowsScratch<Arena> scratch(arena, std::min(at_once, count), weight.cols);
  for (std::size_t row = 0; row < count; row += at_once) {
    project(Rows(rows + row * weight.cols, std::min(at_once, count - row), weight.cols, scratch),
            {{weight, logits + row * weight.rows, weight.rows}});
  }
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
