// SPDX-License-Identifier: Apache-2.0
// Bodies of GenerateRows. Include generate_rows.hpp.
#pragma once

#include <qwen35/generate/generate_rows.hpp>

QWEN35_BEGIN_NAMESPACE

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

template <class M>
void GenerateRows<M>::read_ids() {
  if (!holds<InputError>(static_cast<bool>(input_.input_ids) || static_cast<bool>(input_.inputs_embeds),
                         "generate: give input_ids or inputs_embeds, not empty")) {
    return;
  }
  if (input_.input_ids) {
    const Shape& shape = input_.input_ids.shape();
    if (!holds<InputError>(shape.rank() == 2 && shape.size() > 0, "generate: input_ids of shape ", to_string(shape),
                           ", expected [batch, sequence], not empty")) {
      return;
    }
    batch_ = shape[0];
    prompt_length_ = shape[1];
  }
  columns_ = prompt_length_;
  if (input_.inputs_embeds) {
    const Shape& shape = input_.inputs_embeds.shape();
    if (!holds<InputError>(shape.rank() == 3 && shape.size() > 0 && (batch_ == 0 || shape[0] == batch_),
                           "generate: inputs_embeds of shape ", to_string(shape), ", expected [",
                           batch_ == 0 ? "batch" : std::to_string(batch_), ", sequence, hidden_size]")) {
      return;
    }
    batch_ = shape[0];
    columns_ = shape[1];
  }
  ids_.resize(batch_);
  for (std::size_t b = 0; b < batch_ && prompt_length_ > 0; ++b) {
    ids_[b].assign(input_.input_ids.data() + b * prompt_length_, input_.input_ids.data() + (b + 1) * prompt_length_);
  }
}

template <class M>
void GenerateRows<M>::read_mask(const GenerationConfig& config) {
  const auto& mask = input_.attention_mask;
  width_ = columns_;
  if (mask) {
    const Shape& shape = mask.shape();
    if (!holds<InputError>(
            shape.rank() == 2 && !mask.is_additive() && shape[0] == batch_ &&
                (shape[1] == columns_ || shape[1] == cached_ + columns_),
            "generate: attention_mask of shape ", to_string(shape), ", expected [", batch_, ", ", columns_, "]",
            cached_ == 0 ? std::string()
                         : concat(" or, with the new tokens alone, [", batch_, ", ", cached_ + columns_, "]"))) {
      return;
    }
    width_ = shape[1];
  }
  if (!holds<InputError>(width_ != columns_ || cached_ < columns_, "generate: the cache holds ", cached_,
                         " tokens and the input ", columns_,
                         "; give the whole sequence, or the new tokens and an attention_mask of both")) {
    return;
  }
  fresh_ = width_ == columns_ ? columns_ - cached_ : columns_;
  mask_.assign(batch_ * width_, 1);
  if (mask) {
    for (std::size_t i = 0; i < mask_.size(); ++i) {
      mask_[i] = mask.visible(i) ? 1 : 0;
    }
  } else if (config.pad_token_id && !input_.inputs_embeds) {
    mask_padding(*config.pad_token_id, config.eos_token_id.value_or(TokenIds()).contains(*config.pad_token_id));
  }
}

// Without a mask padding is known by its id, unless that is an eos id too, which may stand in a prompt. Source: the
// reference's `_prepare_attention_mask_for_generation`.
template <class M>
void GenerateRows<M>::mask_padding(TokenId pad_token_id, bool is_eos) {
  bool begins = false;
  for (std::size_t i = 0; i < mask_.size(); ++i) {
    const bool pad = input_.input_ids[i] == pad_token_id;
    mask_[i] = pad && !is_eos ? 0 : 1;
    begins = begins || (pad && i % width_ == 0);
  }
  if (begins && is_eos) {
    log_unknown_padding(pad_token_id);
  }
}

// The cache must hold the first columns.
template <class M>
void GenerateRows<M>::check_cached_ids() const {
  if (cached_ == 0 || width_ != columns_ || prompt_length_ != columns_) {
    return;
  }
  const RectangleCache& cache = *input_.past_key_values;
  if (!holds<InputError>(cache.batch_size() == batch_, "generate: the cache holds ", cache.batch_size(),
                         " sequences, the input has ", batch_)) {
    return;
  }
  for (std::size_t slot = 0; slot < cached_; ++slot) {
    for (std::size_t b = 0; b < batch_; ++b) {
      const TokenId held = cache.ids()[slot * batch_ + b];  // -1: it was an embedding
      if (held >= 0 && held != ids_[b][slot] && mask_[b * width_ + slot] != 0) {
        decline<InputError>(concat("generate: the cache holds token ", held, " at column ", slot, " of prompt ", b,
                                   ", input_ids have ", ids_[b][slot]));
      }
    }
  }
}

template <class M>
void GenerateRows<M>::count_tokens() {
  const std::size_t before = width_ - std::min(prompt_length_, width_);  // mask columns that the ids do not have
  for (std::size_t b = 0; b < batch_; ++b) {
    const auto row = mask_.begin() + static_cast<std::ptrdiff_t>(b * width_);
    const auto end = row + static_cast<std::ptrdiff_t>(width_);
    const auto pads = static_cast<std::size_t>(std::find(row, end, 1) - row);
    padding_.push_back(std::min(pads - std::min(pads, before), prompt_length_));
    tokens_.push_back(static_cast<std::size_t>(std::count(row, end, 1)));
    if (!holds<InputError>(tokens_[b] > 0, "generate: every column of prompt ", b, " is masked") ||
        !holds<InputError>(*(end - 1) != 0, "generate: prompt ", b, " is padded on the right; pad on the left",
                           input_.attention_mask ? "" : ", or give the attention_mask if its last pad id is a token")) {
      return;
    }
    masked_ = masked_ || tokens_[b] < width_;
  }
}

// The caller's positions, the model's, or the index among the unmasked tokens (0 where masked); of the columns to be
// run.
template <class M>
void GenerateRows<M>::choose_positions(const ForwardInput& first, std::size_t new_tokens) {
  Tensor<std::int32_t> own;
  TensorView<std::int32_t> given = input_.position_ids;
  if constexpr (requires { model_.prepare_position_ids_for_generation(first); }) {
    if (!given) {
      own = model_.prepare_position_ids_for_generation(first);
      given = own.empty() ? given : TensorView<std::int32_t>(own);
    }
  }
  if (!given) {
    own = Tensor<std::int32_t>({batch_, width_});
    for (std::size_t b = 0; b < batch_; ++b) {
      std::int32_t next = 0;
      for (std::size_t i = b * width_; i < (b + 1) * width_; ++i) {
        own[i] = mask_[i] != 0 ? next++ : 0;
      }
    }
    given = own;
  }
  const Shape& shape = given.shape();
  if (!holds<InputError>((shape.rank() == 2 || shape.rank() == 3) && shape[shape.rank() - 1] >= fresh_ &&
                             (shape[shape.rank() - 2] == batch_ || shape[shape.rank() - 2] == 1),
                         "generate: position_ids of shape ", to_string(shape), ", expected [", batch_, ", ", fresh_,
                         "], or that with a leading 1, 3 or 4")) {
    return;
  }
  plane_axis_ = shape.rank() == 3;
  planes_ = plane_axis_ ? shape[0] : 1;
  const std::size_t width = shape[shape.rank() - 1];
  const std::size_t given_rows = shape[shape.rank() - 2];
  positions_.clear();
  for (std::size_t plane = 0; plane < planes_; ++plane) {
    for (std::size_t b = 0; b < batch_; ++b) {
      const std::int32_t* const end = given.data() + (plane * given_rows + (given_rows == 1 ? 0 : b) + 1) * width;
      positions_.insert(positions_.end(), end - fresh_, end);
    }
  }
  constexpr std::size_t most = std::size_t{1} << 30;  // tokens: more have no room in any memory
  const std::int64_t last = *std::max_element(positions_.begin(), positions_.end());
  if (last + static_cast<std::int64_t>(std::min(new_tokens, most)) > std::numeric_limits<std::int32_t>::max()) {
    decline<InputError>(concat("generate: position_ids have ", last, ", behind which ", new_tokens,
                               " new tokens (max_new_tokens or max_length) have no position of 32 bits"));
  }
}

template <class M>
void GenerateRows<M>::prefill(std::size_t expand, std::size_t new_tokens) {
  if (use_cache_) {
    if (input_.past_key_values == nullptr) {
      owned_cache_ = std::make_unique<RectangleCache>();
    } else if (expand > 1) {
      owned_cache_ = std::make_unique<RectangleCache>(input_.past_key_values->fork());
    }
    cache_ = owned_cache_ ? owned_cache_.get() : input_.past_key_values;
  }
  ForwardInput first = kwargs_;
  std::vector<TokenId> fresh_ids;
  std::vector<float> fresh_embeds;
  if (input_.inputs_embeds) {
    first.input_ids = {};
    first.inputs_embeds = last_columns(input_.inputs_embeds, input_.inputs_embeds.shape()[2], fresh_embeds);
  } else {
    first.input_ids = last_columns(input_.input_ids, 0, fresh_ids);
  }
  first.attention_mask =
      masked_ ? AttentionMask(TensorView<std::int32_t>(mask_.data(), {batch_, width_})) : AttentionMask();
  first.past_key_values = cache_;
  choose_positions(first, new_tokens);
  if (declined()) {
    return;
  }
  first.position_ids = position_view(batch_, fresh_);
  if constexpr (requires { model_.repeat_media_for_generation(first); }) {
    if (!use_cache_) {  // else only this forward needs them
      repeat_media_ = model_.repeat_media_for_generation(first);
      if (repeat_media_) {
        repeat_media_(first);
      }
    }
  }
  forward_rectangle(first, batch_);
  if (!declined()) {
    expand_rows(expand);
  }
}

// Also where whole rows are asked for, of hidden states or attentions.
template <class M>
void GenerateRows<M>::forward_rectangle(ForwardInput& input, std::size_t rows) {
  input.past_key_values = cache_;
  input.logits_to_keep = 1;
  input.use_cache = use_cache_;
  input.output_hidden_states = hidden_states_;
  input.output_attentions = attentions_;
  output_ = model_.forward(input);
  if (declined()) {
    return;
  }
  const Shape& shape = output_.logits.shape();
  require<InputError>(
      shape.rank() == 3 && shape[0] == rows && shape[1] == 1 && (vocab_size_ == 0 || shape[2] == vocab_size_),
      "generate: the model gave logits of shape ", to_string(shape), ", expected [", rows, ", 1, vocab_size]");
  vocab_size_ = shape[2];
  logits_ = output_.logits.data();
}

template <class M>
void GenerateRows<M>::expand_rows(std::size_t expand) {
  rows_ = batch_ * expand;
  const std::size_t kept = use_cache_ ? 1 : fresh_;
  std::vector<std::int32_t> positions;
  for (std::size_t row = 0; row < planes_ * rows_; ++row) {
    const auto end = positions_.begin() + static_cast<std::ptrdiff_t>((row / expand + 1) * fresh_);
    positions.insert(positions.end(), end - static_cast<std::ptrdiff_t>(kept), end);
  }
  positions_ = std::move(positions);
  if (expand == 1) {
    return;
  }
  std::vector<std::size_t> from;
  std::vector<std::int32_t> mask;
  for (std::size_t row = 0; row < rows_; ++row) {
    from.push_back(row / expand);
    const auto start = mask_.begin() + static_cast<std::ptrdiff_t>(row / expand * width_);
    mask.insert(mask.end(), start, start + static_cast<std::ptrdiff_t>(width_));
  }
  mask_ = std::move(mask);
  reorder(from);
  output_.logits = detail::repeat_rows(output_.logits, expand);
  logits_ = output_.logits.data();
  for (auto& tensor : output_.hidden_states) {
    tensor = detail::repeat_rows(tensor, expand);
  }
  for (auto& tensor : output_.attentions) {
    tensor = detail::repeat_rows(tensor, expand);
  }
}

template <class M>
template <class IdsOf>
void GenerateRows<M>::forward(const IdsOf& ids_of) {
  ForwardInput next = use_cache_ ? ForwardInput{} : kwargs_;
  std::vector<TokenId> ids;
  if (use_cache_) {
    for (std::int32_t& position : positions_) {
      ++position;
    }
  } else {
    detail::append_column(positions_, planes_ * rows_, [](std::int32_t last) { return last + 1; });
  }
  for (std::size_t r = 0; r < rows_; ++r) {
    const std::vector<TokenId>& row = ids_of(r);
    ids.insert(ids.end(), use_cache_ ? row.end() - 1 : row.begin(), row.end());
  }
  const std::size_t length = ids.size() / rows_;
  next.input_ids = TensorView<TokenId>(ids.data(), {rows_, length});
  next.attention_mask = {};
  if (masked_) {
    detail::append_column(mask_, rows_, [](std::int32_t) { return 1; });
    next.attention_mask = AttentionMask(TensorView<std::int32_t>(mask_.data(), {rows_, mask_.size() / rows_}));
  }
  next.position_ids = position_view(rows_, length);
  if (repeat_media_) {
    repeat_media_(next);
  }
  forward_rectangle(next, rows_);
}

// Behind the prompt.
template <class M>
RectangleRow GenerateRows<M>::row(std::size_t r, TokenId pad_token_id) {
  RectangleRow out;
  out.cache = row_cache(r);
  out.pad_token_id = pad_token_id;
  if (use_cache_) {
    for (std::size_t p = 0; p < 3; ++p) {
      const std::size_t plane = planes_ < 3 ? 0 : planes_ == 4 ? p + 1 : p;  // the first of four serves packing
      out.position[p] = positions_[plane * rows_ + r];
    }
    out.visible = visible_slots(r);
  }
  return out;
}

// Of the slots of a row's cache; empty, unless the caller's mask hides some that hold a token.
template <class M>
std::vector<std::uint8_t> GenerateRows<M>::visible_slots(std::size_t r) const {
  std::vector<std::uint8_t> visible;
  if (!masked_ || cached_ == 0) {
    return visible;
  }
  const std::vector<std::uint8_t> valid = cache_->valid(r);
  bool hides = false;
  for (std::size_t column = cache_->pads(r); column < width_; ++column) {
    visible.push_back(valid[column] != 0 && mask_[r * width_ + column] != 0 ? 1 : 0);
    hides = hides || visible.back() != valid[column];
  }
  if (!hides) {
    visible.clear();
  }
  return visible;
}

QWEN35_END_NAMESPACE
