// SPDX-License-Identifier: Apache-2.0
// One pass through the layers: which tokens enter the token mixers, where they stand in their sequences, and what they
// may see.
#pragma once

#include <qwen35/core/abi.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

QWEN35_BEGIN_NAMESPACE

// Consecutive tokens of one sequence: flat tokens [first, first + count) of the pass, cache slots [slot, slot + count).
struct TokenSpan {
  std::size_t sequence = 0;
  std::size_t first = 0;
  std::size_t count = 0;
  std::size_t slot = 0;
};

// cos and sin of the rotary embedding, one row of `half` values for each token; the rotation pairs entry j with entry j
// + half.
struct RotaryTable {
  const float* cos = nullptr;  // [tokens, half]
  const float* sin = nullptr;  // [tokens, half]
  std::size_t half = 0;
};

// A mask of one sequence that is added to the scores, used verbatim instead of causality: the value for head h, the
// token at slot s and key k at data[h * head_stride + (s - first_slot) * row_stride + k].
struct AdditiveMask {
  const float* data = nullptr;  // null: causality
  std::size_t head_stride = 0;
  std::size_t row_stride = 0;
  std::size_t keys = 0;  // slots that the mask tells about
  std::size_t first_slot = 0;
};

// Which slots of its sequence's cache a token may look at. A token at slot s sees [first_key, s], which is causal,
// unless its sequence has an additive mask.
struct KeyMask {
  const std::size_t* first_key = nullptr;          // [tokens] or null (0): first visible slot
  const std::uint8_t* const* key_valid = nullptr;  // [sequences] -> [slots] or null; or null; 0 hides a slot
  const AdditiveMask* additive = nullptr;          // [sequences] or null
};

// Receives attention probabilities of one sequence, zero-filled by the caller: the value for head h, the token at slot
// s and key k at data[h * head_stride + (s - first_slot) * row_stride + k].
struct AttentionProbabilities {
  float* data = nullptr;
  std::size_t head_stride = 0;
  std::size_t row_stride = 0;
  std::size_t first_slot = 0;
};

// A pass over `tokens` flat tokens of one or more sequences. Left pads are in no span: the mixers never see them.
struct Pass {
  std::size_t tokens = 0;
  std::span<const TokenSpan> spans;
  const std::uint8_t* hole = nullptr;  // [tokens] or null; 1: masked inside a span, enters a linear mixer as a zero row
  RotaryTable rotary;
  KeyMask mask;
  const AttentionProbabilities* probabilities = nullptr;  // [sequences] or null: not asked for
  float* router_logits = nullptr;                         // [tokens, experts] or null: not asked for
};

QWEN35_END_NAMESPACE
