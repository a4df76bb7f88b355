// SPDX-License-Identifier: Apache-2.0
// The cache of one sequence, as a value: pages of keys and values, the linear layers' states, the ids.
#pragma once

#include <qwen35/cache/page_table.hpp>
#include <qwen35/core/lifetime.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#if QWEN35_BODIES
#include <cstring>
#endif

QWEN35_BEGIN_NAMESPACE

class SequencePoint;

// Slot 0 holds the sequence's first token. There is no `truncate`: a recurrent state cannot be cut back. Go back to a
// point. Moves; `fork` and `copy` make another.
class SequenceCache {
 public:
  SequenceCache() = default;
  // With pages of its own on the heap.
  explicit SequenceCache(const CacheLayout& layout);
  // With pages of a pool, which many sequences may share. `state`: the caller's memory for layout().state_floats()
  // floats, aligned to 64 bytes; empty: the heap.
  explicit SequenceCache(std::shared_ptr<KvPool> pool, std::span<float> state = {});
  SequenceCache(SequenceCache&&) noexcept = default;
  SequenceCache& operator=(SequenceCache&&) noexcept = default;

  // Raises CacheError for a cache made without a layout.
  const CacheLayout& layout() const QWEN35_LIFETIMEBOUND;
  const std::shared_ptr<KvPool>& pool() const { return pages_.pool(); }
  // Filled slots.
  std::size_t tokens() const { return tokens_; }
  bool empty() const { return tokens_ == 0; }
  // Slots that hold a masked token.
  std::size_t holes() const { return holes_; }
  bool has_holes() const { return holes_ > 0; }
  // 1 where a slot holds a token, 0 where it was masked; [tokens()], or empty: every slot holds one.
  std::span<const std::uint8_t> valid() const QWEN35_LIFETIMEBOUND {
    return {valid_.data(), valid_.empty() ? 0 : tokens_};
  }
  // [tokens()]; -1 where an embedding was given.
  std::span<const TokenId> ids() const QWEN35_LIFETIMEBOUND { return {ids_.data(), tokens_}; }
  // Multimodal position offset: position of the next token = tokens() - holes() + delta.
  std::optional<std::int32_t> rope_delta() const { return rope_delta_; }
  void set_rope_delta(std::optional<std::int32_t> delta) { rope_delta_ = delta; }
  // Of the model that filled it; 0: none has.
  std::uint64_t fingerprint() const { return fingerprint_; }
  // Of its pages (shared ones counted in full) and states.
  std::size_t bytes() const {
    return (pages_.size() == 0 ? 0 : pages_.size() * layout().page_bytes()) + state_.size_bytes();
  }
  std::size_t pages() const { return pages_.size(); }

  // Memory for `tokens` slots in all, so that none is allocated until they are full. Raises CacheError.
  void reserve(std::size_t tokens);
  // Another cache that continues from here. It shares all pages; whoever goes on copies the last one.
  SequenceCache fork() const { return SequenceCache(*this, Sharing::pages); }
  // Another cache that shares nothing, not even the pool.
  SequenceCache copy() const { return SequenceCache(*this, Sharing::nothing); }
  // The first `tokens` slots, sharing their pages. Its linear states are the caller's to fill: those of that moment, as
  // a file has them. For a sequence without holes, in pages of the heap.
  SequenceCache head(std::size_t tokens) const;
  // What `back_to` goes back to: an immutable point of the sequence, cheap to copy.
  SequencePoint point() const;
  // To a point of this sequence or of another of the same model. Raises CacheError for one of another model or layout;
  // this is then as before. (Out of memory it is as before too, or in the caller's storage empty.)
  void back_to(const SequencePoint& point);
  // The same, to where another cache stands.
  void back_to(const SequenceCache& from);
  // Empty again, as new; its pages go back to the pool.
  void reset();

  // --- for the model ---
  // A forward is begin, enter, the layers, commit. All allocation is in begin: what follows cannot fail. States are
  // overwritten by the layers, so a cache that was entered and never committed goes on only after reset or back_to.

  // Room for `tokens` more slots; `valid` [tokens]: 0 where one is masked, or null. Nothing that can be seen has
  // changed, whether it raises CacheError (another model, the pool's limit, a forward that did not end) or not.
  void begin(std::size_t tokens, std::uint64_t fingerprint, const std::uint8_t* valid = nullptr);
  void enter() { entered_ = true; }
  // The layers have not run.
  void cancel() { entered_ = false; }
  bool entered() const { return entered_; }
  // The slots of begin are filled: `ids` [tokens] or null, where an embedding was given.
  void commit(std::size_t tokens, const TokenId* ids);

  GatedDeltaNetState linear_state(std::size_t layer);
  GatedAttentionState full_state(std::size_t layer) {
    return {pages_.data(), layout().key_offset(layer), layout().value_offset(layer), layout().kv_dtype};
  }
  // Validity of all slots, those of a begun forward included; null: every slot holds a token.
  const std::uint8_t* key_valid() const { return valid_.empty() ? nullptr : valid_.data(); }
  std::byte* const* page_data() const { return pages_.data(); }
  std::span<float> states() QWEN35_LIFETIMEBOUND { return state_; }
  std::span<const float> states() const QWEN35_LIFETIMEBOUND { return state_; }

 private:
  enum class Sharing { pages, nothing };
  SequenceCache(const SequenceCache& other, Sharing sharing);

  void make_state();
  void copy_meta(const SequenceCache& other);
  template <class T>
  static void make_capacity(std::vector<T>& values, std::size_t size) {
    if (size > values.capacity()) {
      values.reserve(std::max(pages_for(size) * kv_page_slots, 2 * values.capacity()));
    }
  }

  PageTable pages_;
  AlignedBuffer<float> heap_state_;
  std::span<float> state_;  // [linear layers, state_stride], or empty before the first begin
  bool entered_ = false;
  std::size_t tokens_ = 0;
  std::size_t holes_ = 0;
  std::uint64_t fingerprint_ = 0;
  std::uint64_t next_fingerprint_ = 0;
  std::optional<std::int32_t> rope_delta_;
  std::vector<TokenId> ids_;
  std::vector<std::uint8_t> valid_;
};

// Pages are shared with the sequences that went on from here; the linear states are its own.
class SequencePoint {
 public:
  // Where `cache` stands.
  explicit SequencePoint(SequenceCache cache);
  std::size_t tokens() const { return cache_->tokens(); }
  std::span<const TokenId> ids() const QWEN35_LIFETIMEBOUND { return cache_->ids(); }
  const SequenceCache& cache() const QWEN35_LIFETIMEBOUND { return *cache_; }
  // What it keeps alive alone, and its part of the pages.
  std::size_t bytes() const { return cache_->states().size_bytes(); }
  std::size_t kv_bytes() const { return tokens() * cache_->layout().slot_bytes(); }

 private:
  friend class SequenceCache;
  std::shared_ptr<const SequenceCache> cache_;
};

#if QWEN35_BODIES

QWEN35_BODY SequenceCache::SequenceCache(const CacheLayout& layout) : SequenceCache(std::make_shared<KvPool>(layout)) {}

QWEN35_BODY SequenceCache::SequenceCache(std::shared_ptr<KvPool> pool, std::span<float> state)
    : pages_(std::move(pool)), state_(state) {}

QWEN35_BODY SequencePoint::SequencePoint(SequenceCache cache)
    : cache_(std::make_shared<const SequenceCache>(std::move(cache))) {}

QWEN35_BODY const CacheLayout& SequenceCache::layout() const {
  require<CacheError>(pool() != nullptr, "a cache without a layout: make it with that of the model");
  return pool()->layout();
}

QWEN35_BODY GatedDeltaNetState SequenceCache::linear_state(std::size_t layer) {
  float* const start = state_.data() + layer * layout().state_stride();
  return {start, start + layout().conv_floats};
}

QWEN35_BODY SequencePoint SequenceCache::point() const {
  return SequencePoint(fork());
}

QWEN35_BODY SequenceCache SequenceCache::head(std::size_t tokens) const {
  require<CacheError>(tokens <= tokens_ && holes_ == 0 && !pool()->in_storage(), "a cache of ", tokens_,
                      " tokens has no head of ", tokens, ", or it has holes or stands in the caller's storage");
  SequenceCache out(pool());
  out.pages_ = pages_.share(tokens);
  make_capacity(out.ids_, tokens);
  out.ids_.assign(ids_.begin(), ids_.begin() + static_cast<std::ptrdiff_t>(tokens));
  out.tokens_ = tokens;
  out.fingerprint_ = fingerprint_;
  out.make_state();
  return out;
}

QWEN35_BODY SequenceCache::SequenceCache(const SequenceCache& other, Sharing sharing) {
  require<CacheError>(!other.entered_, "the cache stands inside a forward that did not end");
  const CacheLayout& same = other.layout();
  // The caller's storage may go away before the copy does.
  const bool share = sharing == Sharing::pages && !other.pool()->in_storage();
  pages_ =
      share ? other.pages_.share(other.tokens_) : other.pages_.copy_to(std::make_shared<KvPool>(same), other.tokens_);
  copy_meta(other);
  if (!other.state_.empty()) {
    make_state();
    std::memcpy(state_.data(), other.state_.data(), state_.size_bytes());
  }
}

QWEN35_BODY void SequenceCache::make_state() {
  if (state_.empty() && layout().state_floats() > 0) {
    heap_state_ = AlignedBuffer<float>::uninitialised(layout().state_floats(), "a sequence's recurrent states");
    state_ = {heap_state_.data(), heap_state_.size()};
  }
}

QWEN35_BODY void SequenceCache::copy_meta(const SequenceCache& other) {
  make_capacity(ids_, other.tokens_);
  ids_.assign(other.ids().begin(), other.ids().end());
  valid_.assign(other.valid().begin(), other.valid().end());
  tokens_ = other.tokens_;
  holes_ = other.holes_;
  fingerprint_ = other.fingerprint_;
  rope_delta_ = other.rope_delta_;
}

QWEN35_BODY void SequenceCache::reserve(std::size_t tokens) {
  make_capacity(ids_, tokens);
  make_state();
  pages_.make_room(tokens_, std::max(tokens, tokens_));
}

QWEN35_BODY void SequenceCache::back_to(const SequencePoint& point) {
  back_to(*point.cache_);
}

QWEN35_BODY void SequenceCache::back_to(const SequenceCache& from) {
  if (!qwen35::holds<CacheError>(from.layout().kv_dtype == layout().kv_dtype, "restore: the snapshot holds ",
                                 name(from.layout().kv_dtype), " keys, this cache ", name(layout().kv_dtype)) ||
      !qwen35::holds<CacheError>(from.layout() == layout() &&
                                     (fingerprint_ == 0 || from.fingerprint_ == 0 || fingerprint_ == from.fingerprint_),
                                 "restore: the snapshot is of another model")) {
    return;
  }
  std::vector<TokenId> ids;
  make_capacity(ids, from.tokens_);
  ids.assign(from.ids().begin(), from.ids().end());
  std::vector<std::uint8_t> valid(from.valid().begin(), from.valid().end());
  make_state();
  PageTable pages;
  if (pool()->in_storage()) {
    // Its own pages are enough for both only if they are given back first; then there is room for any point that fits.
    const std::size_t room = pages_.size() + pool()->free_pages();
    if (!qwen35::holds<CacheError>(pages_for(from.tokens_) <= room, "restore: the snapshot holds ", from.tokens_,
                                   " tokens, this cache at most ", room * kv_page_slots)) {
      return;
    }
    const std::shared_ptr<KvPool> own = pool();
    reset();
    pages = from.pages_.copy_to(own, from.tokens_);
  } else {
    pages = from.pages_.share(from.tokens_);
  }
  // Nothing fails from here on.
  ids_ = std::move(ids);
  valid_ = std::move(valid);
  tokens_ = from.tokens_;
  holes_ = from.holes_;
  fingerprint_ = from.fingerprint_;
  rope_delta_ = from.rope_delta_;
  pages_ = std::move(pages);
  if (!from.state_.empty()) {
    std::memcpy(state_.data(), from.state_.data(), state_.size_bytes());
  }
  entered_ = false;
}

QWEN35_BODY void SequenceCache::reset() {
  pages_.clear();
  ids_.clear();
  valid_.clear();
  tokens_ = 0;
  holes_ = 0;
  fingerprint_ = 0;
  rope_delta_.reset();
  entered_ = false;
}

QWEN35_BODY void SequenceCache::begin(std::size_t tokens, std::uint64_t fingerprint, const std::uint8_t* valid) {
  require<CacheError>(!entered_,
                      "the cache stands inside a forward that did not end: reset it, or go back to a snapshot");
  require<CacheError>(fingerprint_ == 0 || fingerprint == fingerprint_, "past_key_values was filled by another model");
  const std::size_t end = tokens_ + tokens;
  make_state();
  make_capacity(ids_, end);
  if (!valid_.empty() || (valid != nullptr && std::find(valid, valid + tokens, 0) != valid + tokens)) {
    make_capacity(valid_, end);
    valid_.resize(tokens_, 1);
    valid_.resize(end, 1);
    if (valid != nullptr) {
      std::copy_n(valid, tokens, valid_.begin() + static_cast<std::ptrdiff_t>(tokens_));
    }
  }
  pages_.make_room(tokens_, end);
  if (fingerprint_ == 0) {
    std::fill(state_.begin(), state_.end(), 0.0f);
  }
  next_fingerprint_ = fingerprint;
}

QWEN35_BODY void SequenceCache::commit(std::size_t tokens, const TokenId* ids) {
  ids_.resize(tokens_);
  if (ids != nullptr) {
    ids_.insert(ids_.end(), ids, ids + tokens);
  } else {
    ids_.resize(tokens_ + tokens, -1);
  }
  if (!valid_.empty()) {
    valid_.resize(tokens_ + tokens);
    holes_ += static_cast<std::size_t>(
        std::count(valid_.begin() + static_cast<std::ptrdiff_t>(tokens_), valid_.end(), std::uint8_t{0}));
  }
  tokens_ += tokens;
  fingerprint_ = next_fingerprint_;
  entered_ = false;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
