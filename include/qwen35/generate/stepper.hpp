// SPDX-License-Identifier: Apache-2.0
// Runs a model token by token: the cache, the mask and the positions of all rows of a generation.
#pragma once

#include <qwen35/core/tensor.hpp>
#include <qwen35/generate/generation_config.hpp>

#include <memory>
#include <span>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// What generate() starts from. Fields that a model's forward knows carry its names.
template <class Model>
struct GenerateInput;

// A model that generate() can run: forward over ids with a cache, logits of the last position.
template <class M>
concept GenerativeModel = requires(const M& model, typename M::Cache& cache, TensorView<TokenId> ids) {
  model.forward({.input_ids = ids, .past_key_values = &cache});
  cache.seq_length();
  cache.reorder(std::span<const std::size_t>());
};

template <class Model>
class Stepper {
 public:
  Stepper(const Model& model, const GenerateInput<Model>& input);

  std::size_t rows() const { return mask_.size(); }
  // Logits after the prompt, `[rows, vocab_size]`.
  const Tensor<float>& logits() const { return logits_; }
  // Row r continues what was row rows[r]; also changes the number of rows.
  void select(std::span<const std::size_t> rows);
  // One more token for each row; `unmasked[r]` false: the row has ended, its token is padding.
  void step(std::span<const TokenId> tokens);

  typename Model::Output& output() { return output_; }
  typename Model::Cache& cache() { return *cache_; }
  std::unique_ptr<typename Model::Cache> take_cache() { return std::move(own_cache_); }

 private:
  void keep_logits();

  const Model& model_;
  typename Model::Output output_;
  Tensor<float> logits_;
  std::unique_ptr<typename Model::Cache> own_cache_;
  typename Model::Cache* cache_;
  std::vector<std::vector<std::int32_t>> mask_;      // [rows][past + tokens]
  bool padded_ = false;                              // some mask entry is 0
  std::vector<std::vector<std::int32_t>> position_;  // [rows][planes]: of the newest token
};

QWEN35_END_NAMESPACE
