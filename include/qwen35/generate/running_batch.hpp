// SPDX-License-Identifier: Apache-2.0
// The rows of a `generate` call between the model's forwards: columns, masks, positions, the cache.
#pragma once

#include <qwen35/generate/generate_input.hpp>
#include <qwen35/generate/generative_model.hpp>
#include <qwen35/generate/sequence.hpp>
#include <qwen35/sampling/generation_config.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// What the caller gave, as columns. A column is a place of the sequence of every row, padding included.
template <class M>
class RunningBatch {
 public:
  // `config` is complete. Raises InputError for shapes that do not fit together.
  RunningBatch(const M& model, const GenerateInput<M>& input, const GenerationConfig& config)
      : model_(model),
        input_(input),
        kwargs_(first_forward(input)),
        hidden_states_(config.output_hidden_states.value_or(false)),
        attentions_(config.output_attentions.value_or(false)) {
    read_ids();
    use_cache_ = config.use_cache.value_or(true) || static_cast<bool>(input.inputs_embeds);
    require<InputError>(input.past_key_values == nullptr || use_cache_,
                        "generate: past_key_values were given, but use_cache is false");
    cached_ = input.past_key_values != nullptr ? static_cast<std::size_t>(input.past_key_values->seq_length()) : 0;
    read_mask(config);
    check_cached_ids();
    count_tokens();
  }

  std::size_t batch() const { return batch_; }
  std::size_t rows() const { return rows_; }
  std::size_t vocab_size() const { return vocab_size_; }
  std::size_t cached() const { return cached_; }
  std::size_t prompt_length() const { return prompt_length_; }  // columns of input_ids
  std::size_t columns() const { return columns_; }              // of inputs_embeds, if given, else the same
  std::size_t padding(std::size_t b) const {
    return padding_[b];
  }                                                               // masked columns at the front of the ids of prompt b
  std::size_t tokens(std::size_t b) const { return tokens_[b]; }  // unmasked columns of prompt b, cached ones included
  const std::vector<TokenId>& prompt(std::size_t b) const { return ids_[b]; }  // its columns
  RectangleCache* cache() { return cache_; }
  std::unique_ptr<RectangleCache> take_owned_cache() { return std::move(owned_cache_); }

  // The first forward, of one row for each prompt; then every prompt has `expand` rows, whose cache was filled once.
  void prefill(std::size_t expand);
  // Row r continues what was row from[r].
  void reorder(std::span<const std::size_t> from) {
    if (cache_ != nullptr) {
      cache_->reorder(from);
    }
  }
  // One token further: the newest of each row, which stands at the end of its ids.
  void forward(std::span<const Sequence> rows);
  // What the last forward gave. The logits of row r, [vocab_size], may be written to.
  std::span<float> logits(std::size_t r) { return {logits_ + r * vocab_size_, vocab_size_}; }
  std::span<float> logits() { return {logits_, rows_ * vocab_size_}; }
  std::vector<Tensor<float>>& hidden_states() { return output_.hidden_states; }
  std::vector<Tensor<float>>& attentions() { return output_.attentions; }

 private:
  void read_ids();
  void read_mask(const GenerationConfig& config);
  void check_cached_ids() const;
  void count_tokens();
  void choose_positions(const ForwardInput& first);
  void expand_rows(std::size_t expand);
  void forward_slices(std::span<const Sequence> rows);
  void hide_masked_slots();
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

  // Of the steps that run slices.
  std::optional<ForwardWorkspace> workspace_;
  std::vector<SequenceSlice> slices_;
  std::vector<TokenId> newest_;                     // [rows]
  std::vector<std::int32_t> slice_positions_;       // [rows, 3]
  std::vector<std::vector<std::uint8_t>> visible_;  // of each row's slots, where a mask of the caller's hides some
};

namespace detail {

// Inserts a value behind each of the rows of `values`: f(last value of the row).
template <class F>
inline void append_column(std::vector<std::int32_t>& values, std::size_t rows, F&& f) {
  const std::size_t width = values.size() / rows;
  std::vector<std::int32_t> out;
  out.reserve(values.size() + rows);
  for (std::size_t row = 0; row < rows; ++row) {
    const auto start = values.begin() + static_cast<std::ptrdiff_t>(row * width);
    out.insert(out.end(), start, start + static_cast<std::ptrdiff_t>(width));
    out.push_back(f(out.back()));
  }
  values = std::move(out);
}

// Each entry of the first axis `times` times in a row.
template <class T>
inline Tensor<T> repeat_rows(const Tensor<T>& tensor, std::size_t times) {
  const std::size_t rows = tensor.shape()[0];
  const std::size_t width = tensor.size() / rows;
  Shape shape{rows * times};
  for (std::size_t axis = 1; axis < tensor.shape().rank(); ++axis) {
    shape.push_back(tensor.shape()[axis]);
  }
  Tensor<T> out(shape);
  for (std::size_t row = 0; row < rows * times; ++row) {
    std::copy_n(tensor.data() + row / times * width, width, out.data() + row * width);
  }
  return out;
}

}  // namespace detail

QWEN35_END_NAMESPACE

#include <qwen35/generate/running_batch_impl.hpp>
