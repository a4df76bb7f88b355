// SPDX-License-Identifier: Apache-2.0
// What a forward call asks for, checked and brought to one form: positions of each token, and which slots each may see.
#pragma once

#include <qwen35/model/attention_mask.hpp>

#include <algorithm>
#include <limits>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// Token (b, s) has flat index b * length + s.
struct ForwardPlan {
  std::size_t batch = 0;
  std::size_t length = 0;               // new tokens of each sequence
  std::size_t past = 0;                 // slots already filled
  std::vector<std::int32_t> positions;  // [3][batch * length]: temporal, height, width
  std::int32_t longest = 0;             // the largest of them
  std::vector<std::uint8_t> valid;      // [batch][past + length], or empty: every slot holds a token
  std::vector<std::size_t> first;       // [batch]: first slot that holds a token
  std::vector<std::size_t> segment;     // [batch * length] first slot of the token's packed segment, or empty
  std::vector<float> additive;          // a boolean 4-D mask as numbers
  TensorView<float> ready_made;         // [batch or 1, heads or 1, length, past + length], or none

  std::size_t keys() const { return past + length; }
};

namespace detail {

// Spec of `position_ids`: none, [B, S], [1, B, S], [3, B, S] or [4, B, S] (row 0 serves the packing rule, rows 1-3 are
// the planes). `text` receives the row that the packing rule reads, or stays empty.
inline void plan_positions(ForwardPlan& plan, TensorView<std::int32_t> position_ids, std::vector<std::int32_t>& text) {
  const std::size_t tokens = plan.batch * plan.length;
  plan.positions.resize(3 * tokens);
  if (!position_ids) {
    require<InputError>(plan.keys() <= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()),
                        "sequence too long");
    for (std::size_t i = 0; i < 3 * tokens; ++i) {
      plan.positions[i] = static_cast<std::int32_t>(plan.past + i % plan.length);
    }
    text.assign(plan.positions.begin(), plan.positions.begin() + static_cast<std::ptrdiff_t>(tokens));
  } else {
    const Shape& shape = position_ids.shape();
    const std::size_t planes = shape.rank() == 3 ? shape[0] : 1;
    const bool fits = (shape.rank() == 2 || (shape.rank() == 3 && (planes == 1 || planes == 3 || planes == 4))) &&
                      shape[shape.rank() - 1] == plan.length &&
                      (shape[shape.rank() - 2] == plan.batch || shape[shape.rank() - 2] == 1);
    require<InputError>(fits, "position_ids of shape ", to_string(shape), ", expected [", plan.batch, ", ", plan.length,
                        "], or that with a leading 1, 3 or 4");
    const std::size_t rows = shape[shape.rank() - 2];
    const auto read = [&](std::size_t plane, std::size_t i) {
      return position_ids[plane * rows * plan.length + (rows == 1 ? i % plan.length : i)];
    };
    for (std::size_t i = 0; i < tokens; ++i) {
      for (std::size_t plane = 0; plane < 3; ++plane) {
        plan.positions[plane * tokens + i] = read(planes == 4 ? plane + 1 : planes == 3 ? plane : 0, i);
      }
    }
    if (shape.rank() == 2 || planes == 4) {
      text.resize(tokens);
      for (std::size_t i = 0; i < tokens; ++i) {
        text[i] = read(0, i);
      }
    }
  }
  for (const std::int32_t position : plan.positions) {
    plan.longest = std::max(plan.longest, position);
  }
}

inline void plan_ready_made(ForwardPlan& plan, const AttentionMask& mask, std::size_t heads) {
  const Shape& shape = mask.shape();
  require<InputError>((shape[0] == plan.batch || shape[0] == 1) && (shape[1] == heads || shape[1] == 1) &&
                          shape[2] == plan.length && shape[3] == plan.keys(),
                      "attention_mask of shape ", to_string(shape), ", expected [", plan.batch, ", 1, ", plan.length,
                      ", ", plan.keys(), "]");
  if (mask.is_additive()) {
    plan.ready_made = mask.additive();
    return;
  }
  plan.additive.resize(shape.size());
  for (std::size_t i = 0; i < plan.additive.size(); ++i) {
    plan.additive[i] = mask.visible(i) ? 0.0f : -std::numeric_limits<float>::infinity();
  }
  plan.ready_made = TensorView<float>(plan.additive.data(), shape);
}

// `known`: validity of the cached slots, one span for each sequence, or empty. A slot that was masked when it was
// written stays masked.
inline void plan_mask(ForwardPlan& plan, const AttentionMask& mask,
                      std::span<const std::span<const std::uint8_t>> known, std::size_t heads) {
  const std::size_t keys = plan.keys();
  plan.first.assign(plan.batch, 0);
  if (mask.is_ready_made()) {
    plan_ready_made(plan, mask, heads);
  } else if (mask) {
    require<InputError>(
        !mask.is_additive() && mask.shape().rank() == 2 && mask.shape()[0] == plan.batch && mask.shape()[1] == keys,
        "attention_mask of shape ", to_string(mask.shape()), ", expected [", plan.batch, ", ", keys,
        "]: past and new tokens");
  }
  const bool given = mask && !mask.is_ready_made();
  bool all = true;
  plan.valid.assign(plan.batch * keys, 1);
  for (std::size_t b = 0; b < plan.batch; ++b) {
    std::uint8_t* const row = plan.valid.data() + b * keys;
    for (std::size_t k = 0; k < keys; ++k) {
      const bool held = known.empty() || k >= plan.past || known[b][k] != 0;
      row[k] = held && (!given || mask.visible(b * keys + k)) ? 1 : 0;
      all = all && row[k] != 0;
    }
    plan.first[b] = static_cast<std::size_t>(std::find(row, row + keys, std::uint8_t{1}) - row);
  }
  if (all) {
    plan.valid.clear();
  }
}

// Packed sequences: a token whose text position is not its neighbour's plus one starts a segment, and sees nothing
// before it.
inline void plan_segments(ForwardPlan& plan, std::span<const std::int32_t> text) {
  bool packed = false;
  plan.segment.assign(plan.batch * plan.length, 0);
  for (std::size_t b = 0; b < plan.batch; ++b) {
    std::size_t start = 0;
    for (std::size_t s = 0; s < plan.length; ++s) {
      const std::size_t i = b * plan.length + s;
      if (s > 0 && text[i] != text[i - 1] + 1) {
        start = s;
        packed = true;
      }
      plan.segment[i] = start;
    }
  }
  if (!packed) {
    plan.segment.clear();
  }
}

}  // namespace detail

QWEN35_END_NAMESPACE
