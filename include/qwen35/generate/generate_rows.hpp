// SPDX-License-Identifier: Apache-2.0
// The rows of a `generate` call between the model's forwards: columns, masks, positions, the cache.
#pragma once

#include <qwen35/generate/batch.hpp>
#include <qwen35/generate/generate_input.hpp>
#include <qwen35/generate/generation_defaults.hpp>
#include <qwen35/generate/generative_model.hpp>
#include <qwen35/sampling/generation_config.hpp>

#include <algorithm>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// What the caller gave, as columns. A column is a place of the sequence of every row, padding included.
template <class M>
class GenerateRows {
 public:
  // `config` is complete. Raises InputError for shapes that do not fit together.
  GenerateRows(const M& model, const GenerateInput<M>& input, const GenerationConfig& config)
      : model_(model),
        input_(input),
        kwargs_(first_forward(input)),
        hidden_states_(config.output_hidden_states.value_or(false)),
        attentions_(config.output_attentions.value_or(false)) {
    read_ids();
    use_cache_ = config.use_cache.value_or(true) || static_cast<bool>(input.inputs_embeds);
    if (declined() || !holds<InputError>(input.past_key_values == nullptr || use_cache_,
                                         "generate: past_key_values were given, but use_cache is false")) {
      return;
    }
    cached_ = input.past_key_values != nullptr ? static_cast<std::size_t>(input.past_key_values->seq_length()) : 0;
    read_mask(config);
    if (!declined()) {
      check_cached_ids();
      count_tokens();
    }
  }

  std::size_t batch() const { return batch_; }
  std::size_t rows() const { return rows_; }
  std::size_t vocab_size() const { return vocab_size_; }
  std::size_t cached() const { return cached_; }
  std::size_t prompt_length() const { return prompt_length_; }  // columns of input_ids
  std::size_t columns() const { return columns_; }              // of inputs_embeds, if given, else the same
  std::size_t width() const { return width_; }  // columns that the first forward sees, cached ones included
  std::size_t padding(std::size_t b) const {
    return padding_[b];
  }                                                               // masked columns at the front of the ids of prompt b
  std::size_t tokens(std::size_t b) const { return tokens_[b]; }  // unmasked columns of prompt b, cached ones included
  const std::vector<TokenId>& prompt(std::size_t b) const { return ids_[b]; }  // its columns
  RectangleCache* cache() { return cache_; }
  std::unique_ptr<RectangleCache> take_owned_cache() { return std::move(owned_cache_); }

  // The first forward, of one row for each prompt; then every prompt has `expand` rows, whose cache was filled once,
  // and which go on for at most `new_tokens`.
  void prefill(std::size_t expand, std::size_t new_tokens);
  // Row r continues what was row from[r].
  void reorder(std::span<const std::size_t> from) {
    if (cache_ != nullptr) {
      cache_->reorder(from);
    }
  }
  // Can each row go on alone, in its own cache? Else forward() runs the rectangle of them: without a cache all of it
  // again, or where whole tensors of hidden states or attentions are asked for.
  bool go_on_alone() const { return use_cache_ && !hidden_states_ && !attentions_; }
  RectangleRow row(std::size_t r, TokenId pad_token_id);
  SequenceCache* row_cache(std::size_t r) { return cache_ != nullptr ? &cache_->sequence(r) : nullptr; }
  // The caller's, where it is for so many rows.
  ForwardWorkspace* workspace() const { return rows_ == batch_ ? kwargs_.workspace : nullptr; }
  // Around a step of rows that go on alone: the columns that they have together. `newest` [rows].
  void begin_column() { cache_->begin(rows_, 1, model_.cache_layout(cache_->kv_dtype()), cache_->fingerprint()); }
  void end_column(std::span<const TokenId> newest) { cache_->commit(1, newest.data(), nullptr); }
  // One token further: the newest of each row, which stands at the end of its ids: `ids_of(r)`, a vector.
  template <class IdsOf>
  void forward(const IdsOf& ids_of);
  // What the last forward gave. The logits of row r, [vocab_size], may be written to.
  std::span<float> logits(std::size_t r) { return {logits_ + r * vocab_size_, vocab_size_}; }
  std::span<float> logits() { return {logits_, rows_ * vocab_size_}; }
  std::vector<Tensor<float>>& hidden_states() { return output_.hidden_states; }
  std::vector<Tensor<float>>& attentions() { return output_.attentions; }

 private:
  void read_ids();
  void read_mask(const GenerationConfig& config);
  void mask_padding(TokenId pad_token_id, bool is_eos);
  void check_cached_ids() const;
  void count_tokens();
  void choose_positions(const ForwardInput& first, std::size_t new_tokens);
  void expand_rows(std::size_t expand);
  std::vector<std::uint8_t> visible_slots(std::size_t r) const;
  void forward_rectangle(ForwardInput& input, std::size_t rows);
  TensorView<std::int32_t> position_view(std::size_t rows, std::size_t length) const {
    return {positions_.data(), plane_axis_ ? Shape{planes_, rows, length} : Shape{rows, length}};
  }

  // The last `fresh_` columns; `inner` values each (0: one), copied to `store` unless they are all there are.
  template <class T>
  TensorView<T> last_columns(TensorView<T> view, std::size_t inner, std::vector<T>& store) const {
    if (columns_ == fresh_) {
      return view;
    }
    const std::size_t values = std::max<std::size_t>(inner, 1);
    for (std::size_t b = 0; b < batch_; ++b) {
      const T* const end = view.data() + (b + 1) * columns_ * values;
      store.insert(store.end(), end - fresh_ * values, end);
    }
    return {store.data(), inner == 0 ? Shape{batch_, fresh_} : Shape{batch_, fresh_, inner}};
  }

  const M& model_;
  const GenerateInput<M>& input_;
  ForwardInput kwargs_;  // of the first forward, as far as the caller has a say
  bool hidden_states_;
  bool attentions_;
  bool use_cache_ = true;
  RectangleCache* cache_ = nullptr;
  std::unique_ptr<RectangleCache> owned_cache_;
  std::size_t batch_ = 0;
  std::size_t rows_ = 0;
  std::size_t vocab_size_ = 0;
  std::size_t prompt_length_ = 0;
  std::size_t columns_ = 0;
  std::size_t cached_ = 0;
  std::size_t width_ = 0;   // of the mask: cached and new columns
  std::size_t fresh_ = 0;   // columns that the first forward runs
  std::size_t planes_ = 1;  // of the positions
  bool plane_axis_ = false;
  bool masked_ = false;                    // is any column masked?
  std::vector<std::vector<TokenId>> ids_;  // of the prompts
  std::vector<std::int32_t> mask_;  // [batch, width_], after prefill [rows, columns so far]; only kept up where masked_
  // [planes, rows, fresh_], after prefill the last column of it, or without a cache all so far.
  std::vector<std::int32_t> positions_;
  std::vector<std::size_t> padding_;
  std::vector<std::size_t> tokens_;
  ForwardOutput output_;
  float* logits_ = nullptr;                          // [rows, vocab_size]
  std::function<void(ForwardInput&)> repeat_media_;  // without a cache, for a model that has media
};

QWEN35_END_NAMESPACE

#include <qwen35/generate/generate_rows_impl.hpp>
