// SPDX-License-Identifier: Apache-2.0
// One sequence of a batch: its cache, its ids, and which of them the next forward runs.
#pragma once

#include <qwen35/cache/sequence_cache.hpp>
#include <qwen35/generate/sequence.hpp>
#include <qwen35/model/prompt_rows.hpp>
#include <qwen35/model/sequence_slice.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// How a row of the reference's rectangle goes on, which has been read.
struct RectangleRow {
  SequenceCache* cache = nullptr;          // the row's, of the caller's; null: only logits that are offered count
  std::array<std::int32_t, 3> position{};  // of the last token
  std::vector<std::uint8_t> visible{};     // of the cache's slots, where a mask hides some that hold a token
  TokenId pad_token_id = 0;                // what it goes on with after its end, until all have ended
};

// A sequence in a batch, and what it runs next.
struct BatchEntry {
  using Handle = std::uint64_t;

  Handle handle = 0;
  Sequence sequence;
  SequenceCache own_cache;
  SequenceCache* borrowed_cache = nullptr;
  std::vector<std::size_t> piece_ends;
  PromptRows rows;
  std::size_t first_row = 0;            // the token that `rows` begins with
  std::vector<std::int32_t> positions;  // of the piece that runs, [3, tokens], where `rows` has positions
  Handle reader = 0;                    // the sibling that reads the prompt for this one; 0: it does so itself
  std::optional<RectangleRow> row;
  std::ptrdiff_t offset = 0;  // from a token's place among the ids to its slot

  SequenceCache& cache() { return borrowed_cache != nullptr ? *borrowed_cache : own_cache; }
  const SequenceCache& cache() const { return borrowed_cache != nullptr ? *borrowed_cache : own_cache; }
  std::size_t slot(std::size_t token) const {
    return static_cast<std::size_t>(static_cast<std::ptrdiff_t>(token) + offset);
  }
  std::size_t pending() const { return slot(sequence.ids.size()) - cache().tokens(); }
  bool runs() const { return reader == 0 && (row || !sequence.finished()) && pending() > 0; }

  // Tokens that the next forward runs. A prompt's pieces end where it says, or at multiples of `chunk` from where its
  // reading began: not where other sequences leave room, since a piece's end shows in the last bits.
  std::size_t piece(std::size_t chunk) const;
  // The next `count` tokens, as a view of what stands here.
  SequenceSlice slice(std::size_t count);
  // They have been run.
  void went_on(const SequenceSlice& done);
};

#if QWEN35_BODIES

QWEN35_BODY std::size_t BatchEntry::piece(std::size_t chunk) const {
  const std::size_t at = cache().tokens();
  if (at >= slot(sequence.prompt_length)) {
    return pending();
  }
  if (piece_ends.empty()) {
    return std::min(chunk, sequence.prompt_length - at);
  }
  return *std::upper_bound(piece_ends.begin(), piece_ends.end(), at) - at;
}

QWEN35_BODY SequenceSlice BatchEntry::slice(std::size_t count) {
  const std::size_t begin = cache().tokens();
  SequenceSlice out;
  out.cache = &cache();
  const std::size_t left = pending();
  out.ids = std::span<const TokenId>(sequence.ids).last(left).first(count);
  out.wanted = count == left ? 1 : 0;
  if (row) {
    positions.resize(3 * count);
    for (std::size_t i = 0; i < 3 * count; ++i) {
      positions[i] = row->position[i / count] + 1 + static_cast<std::int32_t>(i % count);
    }
    out.positions = positions;
    if (!row->visible.empty()) {
      row->visible.resize(begin + count, 1);
      out.mask.visible = row->visible;
    }
    return out;
  }
  if (begin >= sequence.prompt_length) {
    return out;
  }
  const std::size_t from = begin - first_row;
  if (!rows.replaced_rows.empty()) {
    out.replaced_rows = std::span<const float* const>(rows.replaced_rows).subspan(from, count);
  }
  if (!rows.positions.empty()) {
    const std::size_t plane = rows.positions.size() / 3;
    positions.resize(3 * count);
    for (std::size_t p = 0; p < 3; ++p) {
      std::copy_n(rows.positions.data() + p * plane + from, count, positions.data() + p * count);
    }
    out.positions = positions;
  }
  return out;
}

QWEN35_BODY void BatchEntry::went_on(const SequenceSlice& done) {
  if (row) {
    for (std::int32_t& position : row->position) {
      position += static_cast<std::int32_t>(done.ids.size());
    }
  } else if (!done.positions.empty()) {  // text goes on behind the largest
    const auto end = 1 + *std::max_element(done.positions.begin(), done.positions.end());
    cache().set_rope_delta(end - static_cast<std::int32_t>(cache().tokens() - cache().holes()));
  }
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
