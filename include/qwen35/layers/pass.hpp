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

// Which slots of the cache a token may look at. A token at slot s sees [first_key, s] (causal) unless a ready-made mask
// is given.
struct KeyMask {
  const std::size_t* first_key = nullptr;          // [tokens] or null (0): first visible slot
  const std::uint8_t* const* key_valid = nullptr;  // [sequences] -> [slots] or null; 0 hides a slot
  // A ready-made additive mask, used verbatim instead of causality: value at b * batch_stride + h * head_stride + q *
  // keys + slot, where q counts a sequence's tokens from `first_slot`.
  const float* additive = nullptr;
  std::size_t batch_stride = 0;
  std::size_t head_stride = 0;
  std::size_t keys = 0;
  std::size_t first_slot = 0;
};

// Receives attention probabilities: value at ((b * heads + h) * length + q) * keys + slot. Zero-filled by the caller.
struct AttentionProbabilities {
  float* data = nullptr;
  std::size_t length = 0;      // queries of a sequence in the whole forward
  std::size_t keys = 0;        // slots of the whole forward
  std::size_t first_slot = 0;  // slot of the first query
};

// A pass over `tokens` flat tokens. Left pads are in no span: the mixers never see them.
struct Pass {
  std::size_t tokens = 0;
  std::span<const TokenSpan> spans;
  const std::uint8_t* hole = nullptr;  // [tokens] or null; 1: masked inside a span, enters a linear mixer as a zero row
  RotaryTable rotary;
  KeyMask mask;
  AttentionProbabilities probabilities;  // data null: not asked for
  float* router_logits = nullptr;        // [tokens, experts] or null: not asked for
};

QWEN35_END_NAMESPACE
