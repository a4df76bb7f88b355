// SPDX-License-Identifier: Apache-2.0
// Slices cut into passes of so many tokens, and the Pass that the layers of one get.
#pragma once

#include <qwen35/core/arena.hpp>
#include <qwen35/core/cancellation.hpp>
#include <qwen35/layers/rotary_embedding.hpp>
#include <qwen35/model/sequence_slice.hpp>

#include <limits>
#include <vector>

#if QWEN35_BODIES
#include <algorithm>
#endif

QWEN35_BEGIN_NAMESPACE

// Tokens [begin, begin + count) of a slice, which stand at [first, first + count) of the pass.
struct SlicePart {
  std::size_t slice = 0;
  std::size_t begin = 0;
  std::size_t count = 0;
  std::size_t first = 0;
};

// Where the next pass begins.
struct SliceCursor {
  std::size_t slice = 0;
  std::size_t token = 0;
  std::size_t flat = 0;  // tokens before it, of all slices
};

struct PassSizes {
  std::size_t tokens = 0;
  std::size_t sequences = 0;
  std::size_t half = 0;  // of the rotary embedding
  std::size_t hidden_size = 0;
  std::size_t experts = 0;  // 0: no router
};

// What a pass takes beside its layers.
template <class A>
struct PassScratch {
  typename A::Scope scope;
  SlicePart* parts;  // [sequences], and the next six
  TokenSpan* spans;
  const std::uint8_t** key_valid;
  AdditiveMask* additive;
  AttentionProbabilities* probabilities;
  GatedDeltaNetState* linear_states;
  GatedAttentionState* full_states;
  std::uint8_t* hole;       // [tokens]
  std::size_t* first_key;   // [tokens]
  std::int32_t* positions;  // [3 * tokens]
  float* cos;               // [tokens, half]
  float* sin;               // [tokens, half]
  float* hidden;            // [tokens, hidden_size]
  float* router_logits;     // [tokens, experts]

  constexpr PassScratch(A& arena, const PassSizes& sizes)
      : scope(arena),
        parts(arena.template take<SlicePart>(sizes.sequences)),
        spans(arena.template take<TokenSpan>(sizes.sequences)),
        key_valid(arena.template take<const std::uint8_t*>(sizes.sequences)),
        additive(arena.template take<AdditiveMask>(sizes.sequences)),
        probabilities(arena.template take<AttentionProbabilities>(sizes.sequences)),
        linear_states(arena.template take<GatedDeltaNetState>(sizes.sequences)),
        full_states(arena.template take<GatedAttentionState>(sizes.sequences)),
        hole(arena.template take<std::uint8_t>(sizes.tokens)),
        first_key(arena.template take<std::size_t>(sizes.tokens)),
        positions(arena.template take<std::int32_t>(3 * sizes.tokens)),
        cos(arena.template take<float>(sizes.tokens * sizes.half)),
        sin(arena.template take<float>(sizes.tokens * sizes.half)),
        hidden(arena.template take<float>(sizes.tokens * sizes.hidden_size)),
        router_logits(arena.template take<float>(sizes.tokens * sizes.experts)) {}
};

// New tokens of a slice, pads included.
std::size_t slice_tokens(const SequenceSlice& slice, std::size_t hidden_size);

// Raises InputError unless the parts of a slice fit each other. `index`: for the message.
void check_slice(const SequenceSlice& slice, std::size_t index, std::size_t hidden_size, std::size_t vocab_size);

// The caches of a forward: all have room when it is made, and nothing has changed if that fails. Each sequence is in
// one slice.
class SliceForward {
 public:
  SliceForward(std::span<const SequenceSlice> slices, std::size_t hidden_size, std::uint64_t fingerprint);
  // Of a forward that can be cancelled: the caches are as before it, unless it is committed.
  ~SliceForward();
  SliceForward(const SliceForward&) = delete;
  SliceForward& operator=(const SliceForward&) = delete;
  // All slots are filled. A forward that is left without it, and cannot be cancelled, has broken its caches: they say
  // so.
  void commit();
  // So many of `total` steps are done. Raises CancelledError, where the forward can be cancelled: one in a CallScope,
  // with more than one token of some sequence.
  void step(std::size_t done, std::size_t total) const {
    if (can_stop_) {
      CallScope::step("forward", done, total);
    }
  }

 private:
  struct Entered {
    std::span<const SequenceSlice> slices;
    std::size_t count = 0;
    ~Entered();
  };
  std::size_t slots(const SequenceSlice& slice) const { return slice_tokens(slice, hidden_size_) - slice.pads; }

  std::span<const SequenceSlice> slices_;
  std::size_t hidden_size_;
  bool can_stop_ = false;
  std::vector<float> states_;  // of all slices before the forward, if it can stop
};

// The next parts: at most `tokens` tokens of at most `sequences` slices. A slice with an additive mask may look ahead,
// so it is not cut.
std::span<SlicePart> next_parts(std::span<const SequenceSlice> slices, SliceCursor& cursor, std::size_t tokens,
                                std::size_t sequences, std::size_t hidden_size, SlicePart* parts);

// How many of a part's tokens, at its end, are wanted.
std::size_t wanted_of(const SequenceSlice& slice, const SlicePart& part, std::size_t hidden_size);

// Positions [3, count] of a part's tokens. Returns the largest that its rotary embedding reckons with.
std::int32_t part_positions(const SequenceSlice& slice, const SlicePart& part, std::size_t tokens, std::int32_t* out);

// Spans, holes, visible keys and rotary rows of the parts.
Pass make_pass(std::span<const SequenceSlice> slices, std::span<const SlicePart> parts, std::size_t hidden_size,
               const RotaryEmbedding& rotary, const PassScratch<Arena>& scratch);

#if QWEN35_BODIES

QWEN35_BODY std::size_t slice_tokens(const SequenceSlice& slice, std::size_t hidden_size) {
  return slice.ids.empty() ? slice.embeds.size() / hidden_size : slice.ids.size();
}

QWEN35_BODY void check_slice(const SequenceSlice& slice, std::size_t index, std::size_t hidden_size,
                             std::size_t vocab_size) {
  const std::size_t tokens = slice_tokens(slice, hidden_size);
  const auto fits = [&](std::size_t given, std::size_t wanted, const char* what) {
    require<InputError>(given == 0 || given == wanted, "slice ", index, " of ", tokens, " tokens has ", given, " ",
                        what, ", expected ", wanted);
  };
  require<InputError>(slice.cache != nullptr && tokens > 0 && slice.ids.empty() != slice.embeds.empty(), "slice ",
                      index, ": expected a cache, and ids or embeds");
  fits(slice.embeds.size(), tokens * hidden_size, "values of embeds");
  fits(slice.replaced_rows.size(), tokens, "replaced_rows");
  fits(slice.positions.size(), 3 * tokens, "positions");
  fits(slice.valid.size(), tokens, "values of valid");
  fits(slice.mask.first_key.size(), tokens, "values of mask.first_key");
  fits(slice.mask.visible.size(), slice.cache->tokens() + tokens - slice.pads, "values of mask.visible");
  require<InputError>(slice.wanted <= tokens, "slice ", index, " of ", tokens, " tokens: ", slice.wanted,
                      " rows are wanted");
  require<InputError>(slice.pads == 0 || (slice.pads <= tokens && slice.cache->empty()), "slice ", index,
                      ": pads stand before the first token of a sequence");
  require<InputError>(
      slice.valid.empty() || slice.pads == tokens || !slice.cache->empty() || slice.valid[slice.pads] != 0, "slice ",
      index,
      ": a sequence begins with a token that is not masked; masked ones before it are "
      "pads");
  require<InputError>(
      slice.cache->tokens() + tokens <= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()),
      "sequence too long");
  for (std::size_t i = 0; i < slice.ids.size(); ++i) {
    require<InputError>(slice.ids[i] >= 0 && static_cast<std::size_t>(slice.ids[i]) < vocab_size, "slice ", index,
                        ": ids[", i, "] is ", slice.ids[i], ", expected 0 to ", vocab_size - 1);
  }
}

QWEN35_BODY SliceForward::SliceForward(std::span<const SequenceSlice> slices, std::size_t hidden_size,
                                       std::uint64_t fingerprint)
    : slices_(slices), hidden_size_(hidden_size) {
  for (const SequenceSlice& slice : slices) {
    can_stop_ = can_stop_ || (CallScope::any() && slots(slice) > 1);
  }
  Entered entered{slices};
  for (const SequenceSlice& slice : slices) {
    slice.cache->begin(slots(slice), fingerprint, slice.valid.empty() ? nullptr : slice.valid.data() + slice.pads);
    slice.cache->enter();
    ++entered.count;
    if (can_stop_) {
      const std::span<const float> states = slice.cache->states();
      states_.insert(states_.end(), states.begin(), states.end());
    }
  }
  entered.count = 0;
}

QWEN35_BODY SliceForward::~SliceForward() {
  const float* from = states_.data();
  for (std::size_t i = 0; can_stop_ && i < slices_.size(); ++i) {
    const std::span<float> states = slices_[i].cache->states();
    std::copy_n(from, states.size(), states.begin());
    from += states.size();
    slices_[i].cache->cancel();
  }
}

QWEN35_BODY void SliceForward::commit() {
  for (const SequenceSlice& slice : slices_) {
    slice.cache->commit(slots(slice), slice.ids.empty() ? nullptr : slice.ids.data() + slice.pads);
  }
  can_stop_ = false;
}

QWEN35_BODY SliceForward::Entered::~Entered() {
  for (std::size_t i = 0; i < count; ++i) {
    slices[i].cache->cancel();
  }
}

QWEN35_BODY std::span<SlicePart> next_parts(std::span<const SequenceSlice> slices, SliceCursor& cursor,
                                            std::size_t tokens, std::size_t sequences, std::size_t hidden_size,
                                            SlicePart* parts) {
  std::size_t used = 0;
  std::size_t count = 0;
  while (cursor.slice < slices.size() && used < tokens && count < sequences) {
    const SequenceSlice& slice = slices[cursor.slice];
    const std::size_t left = slice_tokens(slice, hidden_size) - cursor.token;
    if (slice.mask.additive.data != nullptr && left > tokens - used) {
      break;
    }
    const std::size_t taken = std::min(left, tokens - used);
    parts[count++] = {cursor.slice, cursor.token, taken, used};
    used += taken;
    cursor.token = taken == left ? 0 : cursor.token + taken;
    cursor.slice += taken == left ? 1 : 0;
  }
  cursor.flat += used;
  return {parts, count};
}

QWEN35_BODY std::size_t wanted_of(const SequenceSlice& slice, const SlicePart& part, std::size_t hidden_size) {
  const std::size_t first = slice_tokens(slice, hidden_size) - slice.wanted;
  const std::size_t end = part.begin + part.count;
  return end - std::clamp(first, part.begin, end);
}

QWEN35_BODY std::int32_t part_positions(const SequenceSlice& slice, const SlicePart& part, std::size_t tokens,
                                        std::int32_t* out) {
  std::int32_t largest = slice.max_position;
  if (!slice.positions.empty()) {
    for (std::size_t plane = 0; plane < 3; ++plane) {
      std::copy_n(slice.positions.data() + plane * tokens + part.begin, part.count, out + plane * part.count);
    }
    return std::max(largest, *std::max_element(slice.positions.begin(), slice.positions.end()));
  }
  const SequenceCache& cache = *slice.cache;
  auto next = static_cast<std::int32_t>(cache.tokens() - cache.holes()) + cache.rope_delta().value_or(0);
  for (std::size_t i = 0; i < tokens; ++i) {
    const bool pad = i < slice.pads;
    if (i >= part.begin && i < part.begin + part.count) {
      for (std::size_t plane = 0; plane < 3; ++plane) {
        out[plane * part.count + i - part.begin] = pad ? 0 : next;
      }
    }
    next += pad || (!slice.valid.empty() && slice.valid[i] == 0) ? 0 : 1;
  }
  return std::max(largest, next - 1);
}

QWEN35_BODY Pass make_pass(std::span<const SequenceSlice> slices, std::span<const SlicePart> parts,
                           std::size_t hidden_size, const RotaryEmbedding& rotary, const PassScratch<Arena>& scratch) {
  Pass pass;
  pass.tokens = parts.back().first + parts.back().count;
  const std::size_t half = rotary.half();
  std::size_t used = 0;
  bool holes = false, hides = false, additives = false;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const SlicePart& part = parts[p];
    const SequenceSlice& slice = slices[part.slice];
    const std::size_t pads = std::min(part.count, slice.pads > part.begin ? slice.pads - part.begin : 0);
    const std::size_t slot = slice.cache->tokens() + part.begin + pads - slice.pads;
    if (pads < part.count) {
      scratch.spans[used++] = {p, part.first + pads, part.count - pads, slot};
    }
    const auto& visible = slice.mask.visible;
    const auto first = static_cast<std::size_t>(
        std::find_if(visible.begin(), visible.end(), [](std::uint8_t value) { return value != 0; }) - visible.begin());
    for (std::size_t i = 0; i < part.count; ++i) {
      const std::size_t token = part.begin + i;
      scratch.hole[part.first + i] = !slice.valid.empty() && slice.valid[token] == 0 ? 1 : 0;
      holes = holes || scratch.hole[part.first + i] != 0;
      scratch.first_key[part.first + i] = slice.mask.first_key.empty() ? first : slice.mask.first_key[token];
    }
    scratch.key_valid[p] = visible.empty() ? slice.cache->key_valid() : visible.data();
    hides = hides || scratch.key_valid[p] != nullptr;
    scratch.additive[p] = slice.mask.additive;
    additives = additives || scratch.additive[p].data != nullptr;
    std::int32_t* const own = scratch.positions + 3 * part.first;
    const std::int32_t largest = part_positions(slice, part, slice_tokens(slice, hidden_size), own);
    rotary.fill(own, part.count, part.count, largest, scratch.cos + part.first * half, scratch.sin + part.first * half);
  }
  pass.spans = {scratch.spans, used};
  pass.hole = holes ? scratch.hole : nullptr;
  pass.rotary = {scratch.cos, scratch.sin, half};
  pass.mask = {scratch.first_key, hides ? scratch.key_valid : nullptr, additives ? scratch.additive : nullptr};
  return pass;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
