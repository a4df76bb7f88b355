// SPDX-License-Identifier: Apache-2.0
// One sequence's part of a ragged forward: the next tokens of a cache, and which rows are wanted of them.
#pragma once

#include <qwen35/cache/sequence_cache.hpp>

#include <span>

#if QWEN35_BODIES
#include <qwen35/layers/pass.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

// What tokens see when it is not just every earlier token: arguments of the reference's rectangle.
struct SliceMask {
  // Of all slots, cached and new: 0 hides one, now only. Empty: every slot that is no hole.
  std::span<const std::uint8_t> visible{};
  // Packed segments: the first slot that each token sees, [tokens]. Empty: the first visible one.
  std::span<const std::size_t> first_key{};
  // Instead of all that, and of causality; such a slice goes through in one pass. `keys` counts the slots after it.
  AdditiveMask additive{};
};

// Slices of any lengths, prompt pieces and single tokens, run together; each gives the bits it gives alone.
struct SequenceSlice {
  SequenceCache* cache = nullptr;  // goes on behind its last slot
  std::span<const TokenId> ids{};
  std::span<const float> embeds{};  // [tokens, hidden_size], instead of ids
  // [tokens] or empty: a row of hidden_size values that stands instead of the token's embedding (a picture's), or null.
  std::span<const float* const> replaced_rows{};
  // [3, tokens]: temporal, height, width. Empty: on all planes the index among the unmasked tokens, plus the cache's
  // rope_delta if it has one.
  std::span<const std::int32_t> positions{};
  std::size_t wanted = 1;  // the last so many tokens' rows come back

  // So many of the first tokens are padding: they take no slot, and no mixer sees them. Only before a sequence's first
  // token.
  std::size_t pads = 0;
  // [tokens] or empty: 0 where a token is masked, which takes a slot that nobody sees.
  std::span<const std::uint8_t> valid{};
  // Rotary embeddings that depend on the largest position of a forward take this one if it is larger than the slice's.
  std::int32_t max_position = 0;
  SliceMask mask{};
};

std::size_t wanted_rows(std::span<const SequenceSlice> slices);

// What comes back: rows in the order of the slices and of their tokens, `wanted` of each. Memory of the workspace,
// until its next forward.
struct SliceRows {
  std::size_t count = 0;
  std::size_t hidden_size = 0;
  std::size_t vocab_size = 0;
  const float* hidden = nullptr;  // [count, hidden_size], after the final norm
  float* logits = nullptr;        // [count, vocab_size], free to be changed; null: the model has no head

  std::span<const float> hidden_row(std::size_t row) const { return {hidden + row * hidden_size, hidden_size}; }
  std::span<float> logits_row(std::size_t row) const { return {logits + row * vocab_size, vocab_size}; }
};

// What else of a forward is written down. Flat token t counts the tokens of all slices, in order. Empty: not wanted.
struct ForwardRecord {
  std::span<float* const> hidden_states{};  // [layers]: -> [flat tokens, hidden_size], what enters the layer
  std::span<float* const> router_logits{};  // [layers]: -> [flat tokens, experts], raw
  // [full-attention layers, slices], zero-filled; `first_slot` is that of the slice's first token.
  std::span<const AttentionProbabilities> attentions{};
};

#if QWEN35_BODIES

QWEN35_BODY std::size_t wanted_rows(std::span<const SequenceSlice> slices) {
  std::size_t rows = 0;
  for (const SequenceSlice& slice : slices) {
    rows += slice.wanted;
  }
  return rows;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
