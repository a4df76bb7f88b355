// SPDX-License-Identifier: Apache-2.0
// The reference's arguments (padding and 4-D masks, packed positions, cache_position) brought to slices, one for each
// row.
#pragma once

#include <qwen35/model/forward_input.hpp>
#include <qwen35/model/sequence_slice.hpp>

#include <limits>
#include <vector>

#if QWEN35_BODIES
#include <algorithm>
#endif

QWEN35_BEGIN_NAMESPACE

// What the rectangle must know of a model.
struct RectangleSizes {
  std::size_t hidden_size = 0;
  std::size_t vocab_size = 0;
  std::size_t heads = 0;
};

// Checked arguments of one forward. Token (b, s) has flat index b * length + s. Holds views of the input.
class Rectangle {
 public:
  // `keep_cache`: a new cache will be returned. Raises InputError for arguments that contradict each other.
  Rectangle(const ForwardInput& input, const RectangleSizes& sizes, bool keep_cache);

  std::size_t batch() const { return batch_; }
  std::size_t length() const { return length_; }        // new tokens of each row
  std::size_t keys() const { return past_ + length_; }  // slots of a row after them
  bool has_additive_mask() const { return static_cast<bool>(additive_); }

  // The rows as slices that go on in `cache`, which has taken this rectangle in begin(). Every row is wanted.
  std::span<const SequenceSlice> slices(RectangleCache& cache);
  // Where the probabilities of row b go in `[batch, heads, length, keys]`.
  AttentionProbabilities probabilities(std::size_t b, float* out) const;
  void commit(RectangleCache& cache) const { cache.commit(length_, input_.input_ids.data(), new_pads_.data()); }

 private:
  void read_shape(const RectangleSizes& sizes);
  void read_positions();
  void read_mask();
  void read_padding_mask();
  void read_additive_mask();
  void read_segments();

  const ForwardInput& input_;
  const RectangleCache* past_rows_;  // null without filled slots
  std::size_t hidden_size_;
  std::size_t heads_;
  std::size_t batch_ = 0;
  std::size_t length_ = 0;
  std::size_t past_ = 0;
  std::int32_t max_position_ = 0;
  std::vector<std::int32_t> positions_;             // [batch, 3, length], or empty: slots are counted
  std::vector<std::int32_t> text_;                  // [batch, length]: what the packing rule reads, or empty
  std::vector<std::size_t> old_pads_;               // [batch]: in the cache
  std::vector<std::size_t> new_pads_;               // [batch]: before a row's first token
  std::vector<std::size_t> first_slot_;             // [batch]: filled slots of the row's sequence
  std::vector<std::uint8_t> valid_;                 // [batch, length], or empty: no new token is masked
  std::vector<std::vector<std::uint8_t>> visible_;  // of rows whose filled slots a mask hides; or empty
  std::vector<std::size_t> segments_;   // [batch, length]: first slot of the token's packed segment, or empty
  std::vector<float> additive_values_;  // a boolean 4-D mask as numbers
  TensorView<float> additive_;          // [batch or 1, heads or 1, length, keys], or none
  std::vector<SequenceSlice> slices_;
};

#if QWEN35_BODIES

QWEN35_BODY AttentionProbabilities Rectangle::probabilities(std::size_t b, float* out) const {
  const std::size_t first = std::min(new_pads_[b], length_ - 1);
  return {out + (b * heads_ * length_ + first) * keys() + old_pads_[b] + new_pads_[b], length_ * keys(), keys(),
          first_slot_[b]};
}

QWEN35_BODY Rectangle::Rectangle(const ForwardInput& input, const RectangleSizes& sizes, bool keep_cache)
    : input_(input), past_rows_(nullptr), hidden_size_(sizes.hidden_size), heads_(sizes.heads) {
  read_shape(sizes);
  const RectangleCache* const cache = input.past_key_values;
  if (declined() || !holds<InputError>(cache == nullptr || cache->batch_size() == 0 || cache->batch_size() == batch_,
                                       "past_key_values holds ", cache != nullptr ? cache->batch_size() : 0,
                                       " sequences, the input has ", batch_)) {
    return;
  }
  past_ = cache != nullptr ? cache->seq_length() : 0;
  past_rows_ = past_ > 0 ? cache : nullptr;
  for (std::size_t s = 0; s < input.cache_position.size(); ++s) {
    if (!holds<InputError>(
            input.cache_position.size() == length_ && input.cache_position[s] == static_cast<std::int32_t>(past_ + s),
            "cache_position must count from ", past_, " to ", past_ + length_ - 1)) {
      return;
    }
  }
  if (!holds<InputError>(keys() <= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()),
                         "sequence too long")) {
    return;
  }
  old_pads_.assign(batch_, 0);
  new_pads_.assign(batch_, 0);
  first_slot_.assign(batch_, past_);
  for (std::size_t b = 0; past_rows_ != nullptr && b < batch_; ++b) {
    old_pads_[b] = past_rows_->pads(b);
    first_slot_[b] = past_rows_->sequence(b).tokens();
  }
  read_mask();
  if (!declined()) {
    read_positions();
  }
  if (!input.attention_mask && cache == nullptr && !keep_cache) {
    read_segments();
  }
}

QWEN35_BODY void Rectangle::read_shape(const RectangleSizes& sizes) {
  if (!holds<InputError>(static_cast<bool>(input_.input_ids) != static_cast<bool>(input_.inputs_embeds),
                         "give exactly one of input_ids and inputs_embeds, not empty")) {
    return;
  }
  const Shape& shape = input_.input_ids ? input_.input_ids.shape() : input_.inputs_embeds.shape();
  if (input_.input_ids) {
    if (!holds<InputError>(shape.rank() == 2 && shape.size() > 0, "input_ids of shape ", to_string(shape),
                           ", expected [batch, sequence], not empty")) {
      return;
    }
    for (std::size_t i = 0; i < input_.input_ids.size(); ++i) {
      const TokenId id = input_.input_ids[i];
      if (!holds<InputError>(id >= 0 && static_cast<std::size_t>(id) < sizes.vocab_size, "input_ids[", i, "] is ", id,
                             ", expected 0 to ", sizes.vocab_size - 1)) {
        return;
      }
    }
  } else if (!holds<InputError>(shape.rank() == 3 && shape.size() > 0 && shape[2] == hidden_size_,
                                "inputs_embeds of shape ", to_string(shape), ", expected [batch, sequence, ",
                                hidden_size_, "]")) {
    return;
  }
  batch_ = shape[0];
  length_ = shape[1];
  static_cast<void>(holds<InputError>(input_.replaced_rows.empty() || input_.replaced_rows.size() == batch_ * length_,
                                      "replaced_rows has ", input_.replaced_rows.size(),
                                      " entries, expected one for each of ", batch_ * length_, " tokens"));
}

// `position_ids`: none, [B, S], [1, B, S], [3, B, S] or [4, B, S] (row 0 serves the packing rule, rows 1-3 are the
// planes). None counts slots, masked ones too.
QWEN35_BODY void Rectangle::read_positions() {
  const TensorView<std::int32_t>& given = input_.position_ids;
  if (!given) {
    max_position_ = static_cast<std::int32_t>(keys() - 1);
    bool counted = valid_.empty();  // a sequence's own count is that of the slots
    for (std::size_t b = 0; b < batch_; ++b) {
      counted = counted && old_pads_[b] == 0 &&
                (past_rows_ == nullptr ||
                 (!past_rows_->sequence(b).has_holes() && past_rows_->sequence(b).rope_delta().value_or(0) == 0));
    }
    if (!counted) {
      positions_.resize(3 * batch_ * length_);
      for (std::size_t i = 0; i < positions_.size(); ++i) {
        positions_[i] = static_cast<std::int32_t>(past_ + i % length_);
      }
    }
    return;
  }
  const Shape& shape = given.shape();
  const std::size_t planes = shape.rank() == 3 ? shape[0] : 1;
  const bool fits = (shape.rank() == 2 || (shape.rank() == 3 && (planes == 1 || planes == 3 || planes == 4))) &&
                    shape[shape.rank() - 1] == length_ &&
                    (shape[shape.rank() - 2] == batch_ || shape[shape.rank() - 2] == 1);
  if (!holds<InputError>(fits, "position_ids of shape ", to_string(shape), ", expected [", batch_, ", ", length_,
                         "], or that with a leading 1, 3 or 4")) {
    return;
  }
  const std::size_t rows = shape[shape.rank() - 2];
  const auto row_of = [&](std::size_t plane, std::size_t b) {
    return given.data() + (plane * rows + (rows == 1 ? 0 : b)) * length_;
  };
  positions_.resize(3 * batch_ * length_);
  for (std::size_t b = 0; b < batch_; ++b) {
    for (std::size_t plane = 0; plane < 3; ++plane) {
      std::copy_n(row_of(planes == 4   ? plane + 1
                         : planes == 3 ? plane
                                       : 0,
                         b),
                  length_, positions_.data() + (3 * b + plane) * length_);
    }
    if (shape.rank() == 2 || planes == 4) {
      text_.insert(text_.end(), row_of(0, b), row_of(0, b) + length_);
    }
  }
  max_position_ = std::max(0, *std::max_element(positions_.begin(), positions_.end()));
}

QWEN35_BODY void Rectangle::read_mask() {
  const AttentionMask& mask = input_.attention_mask;
  if (mask.is_ready_made()) {
    read_additive_mask();
  } else if (mask) {
    const bool fits =
        !mask.is_additive() && mask.shape().rank() == 2 && mask.shape()[0] == batch_ && mask.shape()[1] == keys();
    if (holds<InputError>(fits, "attention_mask of shape ", to_string(mask.shape()), ", expected [", batch_, ", ",
                          keys(), "]: past and new tokens")) {
      read_padding_mask();
    }
  }
}

// Masked tokens before a row's first are pads, later ones are holes. A slot that was masked when it was written stays
// masked.
QWEN35_BODY void Rectangle::read_padding_mask() {
  const AttentionMask& mask = input_.attention_mask;
  std::vector<std::uint8_t> valid(batch_ * length_);
  visible_.resize(batch_);
  bool masked = false, hides = false;
  for (std::size_t b = 0; b < batch_; ++b) {
    std::uint8_t* const own = valid.data() + b * length_;
    for (std::size_t s = 0; s < length_; ++s) {
      own[s] = mask.visible(b * keys() + past_ + s) ? 1 : 0;
      masked = masked || own[s] == 0;
    }
    if (first_slot_[b] == 0) {
      new_pads_[b] = static_cast<std::size_t>(std::find(own, own + length_, std::uint8_t{1}) - own);
    } else {
      const std::uint8_t* const held =
          past_rows_->sequence(b).valid().empty() ? nullptr : past_rows_->sequence(b).valid().data();
      std::vector<std::uint8_t> all(first_slot_[b]);
      bool hidden = false;
      for (std::size_t slot = 0; slot < all.size(); ++slot) {
        const bool was = held == nullptr || held[slot] != 0;
        all[slot] = was && mask.visible(b * keys() + old_pads_[b] + slot) ? 1 : 0;
        hidden = hidden || (was && all[slot] == 0);
      }
      if (hidden) {
        all.insert(all.end(), own, own + length_);
        visible_[b] = std::move(all);
        hides = true;
      }
    }
  }
  if (masked) {
    valid_ = std::move(valid);
  }
  if (!hides) {
    visible_.clear();
  }
}

QWEN35_BODY void Rectangle::read_additive_mask() {
  const AttentionMask& mask = input_.attention_mask;
  const Shape& shape = mask.shape();
  const bool fits = (shape[0] == batch_ || shape[0] == 1) && (shape[1] == heads_ || shape[1] == 1) &&
                    shape[2] == length_ && shape[3] == keys();
  if (!holds<InputError>(fits, "attention_mask of shape ", to_string(shape), ", expected [", batch_, ", 1, ", length_,
                         ", ", keys(), "]")) {
    return;
  }
  if (mask.is_additive()) {
    additive_ = mask.additive();
    return;
  }
  additive_values_.resize(shape.size());
  for (std::size_t i = 0; i < additive_values_.size(); ++i) {
    additive_values_[i] = mask.visible(i) ? 0.0f : -std::numeric_limits<float>::infinity();
  }
  additive_ = TensorView<float>(additive_values_.data(), shape);
}

// Packed sequences: a token whose text position is not its neighbour's plus one starts a segment, and sees nothing
// before it.
QWEN35_BODY void Rectangle::read_segments() {
  bool packed = false;
  std::vector<std::size_t> segments(text_.size());
  for (std::size_t i = 0; i < text_.size(); ++i) {
    const std::size_t s = i % length_;
    const bool starts = s > 0 && text_[i] != text_[i - 1] + 1;
    segments[i] = s == 0 ? 0 : starts ? s : segments[i - 1];
    packed = packed || starts;
  }
  if (packed) {
    segments_ = std::move(segments);
  }
}

QWEN35_BODY std::span<const SequenceSlice> Rectangle::slices(RectangleCache& cache) {
  slices_.resize(batch_);
  for (std::size_t b = 0; b < batch_; ++b) {
    SequenceSlice& slice = slices_[b];
    slice.cache = &cache.sequence(b);
    if (input_.input_ids) {
      slice.ids = {input_.input_ids.data() + b * length_, length_};
    } else {
      slice.embeds = {input_.inputs_embeds.data() + b * length_ * hidden_size_, length_ * hidden_size_};
    }
    if (!input_.replaced_rows.empty()) {
      slice.replaced_rows = input_.replaced_rows.subspan(b * length_, length_);
    }
    if (!positions_.empty()) {
      slice.positions = std::span(positions_).subspan(3 * b * length_, 3 * length_);
    }
    slice.wanted = length_;
    slice.pads = new_pads_[b];
    if (!valid_.empty()) {
      slice.valid = std::span(valid_).subspan(b * length_, length_);
    }
    slice.max_position = max_position_;
    if (!visible_.empty()) {
      slice.mask.visible = visible_[b];
    }
    if (!segments_.empty()) {
      slice.mask.first_key = std::span(segments_).subspan(b * length_, length_);
    }
    if (additive_) {
      const std::size_t block = length_ * keys();
      const Shape& shape = additive_.shape();
      slice.mask.additive = {.data = additive_.data() + (shape[0] == 1 ? 0 : b * shape[1] * block) + old_pads_[b],
                             .head_stride = shape[1] == 1 ? 0 : block,
                             .row_stride = keys(),
                             .keys = first_slot_[b] + length_,
                             .first_slot = first_slot_[b]};
    }
  }
  return slices_;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
