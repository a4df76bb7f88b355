// SPDX-License-Identifier: Apache-2.0
// The reference's cache: sequences side by side, as many slots in each, the first of which may be padding.
#pragma once

#include <qwen35/cache/sequence_cache.hpp>

#include <memory>
#include <vector>

QWEN35_BEGIN_NAMESPACE

struct CacheOptions {
  DType kv_dtype = DType::f32;  // f32, or f16 / bf16 for half the size: logits then agree to NMSE 1e-5;
                                // f8_e4m3 for a quarter: coarse, about 1e-2
  // Slots of a cache that never grows; reaching its end is a CacheError. 0: grows as needed, page by page.
  std::size_t capacity = 0;
  // Memory for a fixed capacity, aligned to 64 bytes, at least `HybridCache<Config>::bytes(capacity, batch_size,
  // kv_dtype)`: static storage, or what an allocator of yours returned. It must outlive the cache. Empty: the heap.
  std::span<std::byte> storage{};
};

class RectangleSnapshot;

// Row b's slot s is padding for s < pads(b), else slot s - pads(b) of sequence(b).
class RectangleCache {
 public:
  // Takes the layout of the first model that fills it.
  explicit RectangleCache(const CacheOptions& options = {});
  // Of sequences that one model filled, each behind its pads; all rows end at one slot. `pads` [sequences], or empty:
  // none. Raises InputError.
  static RectangleCache of(std::vector<SequenceCache> sequences, std::vector<std::size_t> pads = {});
  RectangleCache(RectangleCache&&) noexcept = default;
  RectangleCache& operator=(RectangleCache&&) noexcept = default;

  // Bytes of the buffers for `tokens` slots of each of `batch_size` sequences.
  static constexpr std::size_t bytes(const CacheLayout& layout, std::size_t tokens, std::size_t batch_size) {
    return batch_size * (KvPool::bytes(layout, pages_for(tokens)) + layout.state_bytes());
  }

  std::size_t batch_size() const { return sequences_.size(); }
  std::size_t seq_length() const { return length_; }
  std::size_t get_seq_length() const { return length_; }
  DType kv_dtype() const { return options_.kv_dtype; }
  // Slots of each row before more memory is needed, or of a fixed capacity.
  std::size_t capacity() const;
  // Slots of each row that it never goes beyond; 0: it grows.
  std::size_t fixed_capacity() const { return options_.capacity; }
  bool empty() const { return length_ == 0; }
  // Of all sequences' pages (shared ones counted in full) and states.
  std::size_t bytes() const;
  std::uint64_t fingerprint() const { return fingerprint_; }

  // The token ids seen so far: row b at slot s is `ids()[s * batch_size() + b]`; -1 where embeddings were given.
  std::span<const TokenId> ids() const { return ids_; }
  // Multimodal position offset of each sequence, [batch_size]: position = index among unmasked tokens + delta. Empty:
  // none known.
  std::span<const std::int32_t> rope_deltas() const { return rope_deltas_; }
  // Raises InputError unless there is one for each sequence, or none.
  void set_rope_deltas(std::vector<std::int32_t> deltas);
  // 1 where a slot holds a token, 0 where it was masked, [seq_length()].
  std::vector<std::uint8_t> valid(std::size_t row) const;

  std::size_t pads(std::size_t row) const { return pads_[row]; }
  SequenceCache& sequence(std::size_t row) { return sequences_[row]; }
  const SequenceCache& sequence(std::size_t row) const { return sequences_[row]; }
  // The rows, to go on alone; the cache is then empty.
  std::vector<SequenceCache> take_sequences();

  RectangleSnapshot snapshot() const;
  // Back to a snapshot, of this cache or of another one of the same model. Raises CacheError when the KV format or a
  // fixed capacity does not fit; this is then as before. (Out of memory it is as before too, or in the caller's storage
  // empty.)
  void restore(const RectangleSnapshot& snapshot);
  // A second cache that continues from here. Keys and values are shared; whoever goes on copies the last page.
  RectangleCache fork() const;
  // A second cache that shares nothing.
  RectangleCache copy() const;
  // Sequence b continues from what was sequence rows[b]; the number of sequences becomes rows.size(). Raises InputError
  // on a bad row.
  void reorder(std::span<const std::size_t> rows);
  void reorder_cache(std::span<const std::size_t> beam_idx) { reorder(beam_idx); }
  // Empty again, as new; memory of the heap is given back.
  void reset();

  // --- for the model ---

  // Has `batch_size` sequences that will take `tokens` more slots. Raises InputError when the batch size differs,
  // CacheError when a fixed capacity is reached or the cache belongs to another model. The rows are as before then;
  // each row's own begin, enter and commit follow.
  void begin(std::size_t batch_size, std::size_t tokens, const CacheLayout& layout, std::uint64_t fingerprint);
  // The rows are committed: `ids` [batch, tokens] or null; `pads` [batch]: how many of the new slots are padding in
  // front of a row's first token, or null: none.
  void commit(std::size_t tokens, const TokenId* ids, const std::size_t* pads);
  // For what a forward does behind its commit: when it fails there, the rows, which have gone on, say that they must be
  // reset or restored.
  class Following {
   public:
    explicit Following(RectangleCache* cache) : cache_(cache) {}  // null: there is none
    Following(const Following&) = delete;
    Following& operator=(const Following&) = delete;
    ~Following() {
      for (std::size_t b = 0; cache_ != nullptr && b < cache_->batch_size(); ++b) {
        cache_->sequence(b).enter();
      }
    }
    void done() { cache_ = nullptr; }

   private:
    RectangleCache* cache_;
  };

 private:
  RectangleCache with_rows(std::vector<SequenceCache> rows) const;
  void check_storage(std::size_t count, const CacheLayout& layout) const {
    const std::size_t needed = bytes(layout, options_.capacity, count);
    require<CacheError>(options_.storage.size() >= needed, "CacheOptions: storage of ", options_.storage.size(),
                        " bytes, ", needed, " needed for ", count, " sequences of ", options_.capacity, " tokens");
  }
  // Empty sequences in the caller's storage or on the heap.
  std::vector<SequenceCache> make_rows(std::size_t count, const CacheLayout& layout) const;

  CacheOptions options_;
  std::size_t length_ = 0;
  std::uint64_t fingerprint_ = 0;
  std::vector<SequenceCache> sequences_;
  std::vector<std::size_t> pads_;
  std::vector<TokenId> ids_;
  std::vector<std::int32_t> rope_deltas_;
};

// What `snapshot()` returns: an immutable point of all rows, cheap to copy. The keys and values are shared with the
// cache; the linear states are its own.
class RectangleSnapshot {
 public:
  std::size_t seq_length() const { return cache_->seq_length(); }
  std::size_t batch_size() const { return cache_->batch_size(); }
  std::span<const TokenId> ids() const { return cache_->ids(); }
  const RectangleCache& cache() const { return *cache_; }
  // What this snapshot keeps alive alone: the linear states. `kv_bytes()` is its part of the keys and values.
  std::size_t bytes() const {
    return batch_size() == 0 ? 0 : batch_size() * cache_->sequence(0).layout().state_bytes();
  }
  std::size_t kv_bytes() const {
    return batch_size() == 0 ? 0 : batch_size() * seq_length() * cache_->sequence(0).layout().slot_bytes();
  }

 protected:
  friend class RectangleCache;
  explicit RectangleSnapshot(std::shared_ptr<const RectangleCache> cache) : cache_(std::move(cache)) {}
  std::shared_ptr<const RectangleCache> cache_;
};

#if QWEN35_BODIES

QWEN35_BODY RectangleCache::RectangleCache(const CacheOptions& options) : options_(options) {
  require<InputError>(options.storage.empty() || options.capacity > 0, "CacheOptions: storage needs a fixed capacity");
  require_encodable(options.kv_dtype, "CacheOptions: kv_dtype");
}

QWEN35_BODY RectangleCache RectangleCache::of(std::vector<SequenceCache> sequences, std::vector<std::size_t> pads) {
  const std::size_t batch = sequences.size();
  require<InputError>(batch > 0 && (pads.empty() || pads.size() == batch), "a cache of ", batch, " sequences with ",
                      pads.size(), " pads");
  pads.resize(batch, 0);
  const SequenceCache& first = sequences[0];
  const bool deltas = first.rope_delta().has_value();
  RectangleCache out({.kv_dtype = first.layout().kv_dtype, .capacity = 0, .storage = {}});
  out.length_ = pads[0] + first.tokens();
  out.fingerprint_ = first.fingerprint();
  for (std::size_t b = 0; b < batch; ++b) {
    const SequenceCache& sequence = sequences[b];
    require<InputError>(pads[b] + sequence.tokens() == out.length_ && sequence.layout() == first.layout() &&
                            sequence.fingerprint() == out.fingerprint_ && sequence.rope_delta().has_value() == deltas,
                        "a cache of sequences that do not fit together: sequence ", b, " differs from the first");
    if (deltas) {
      out.rope_deltas_.push_back(*sequence.rope_delta());
    }
  }
  out.ids_.reserve(out.length_ * batch);
  for (std::size_t s = 0; s < out.length_; ++s) {
    for (std::size_t b = 0; b < batch; ++b) {
      out.ids_.push_back(s < pads[b] ? -1 : sequences[b].ids()[s - pads[b]]);
    }
  }
  out.sequences_ = std::move(sequences);
  out.pads_ = std::move(pads);
  return out;
}

QWEN35_BODY std::size_t RectangleCache::capacity() const {
  std::size_t slots = options_.capacity;
  for (std::size_t b = 0; b < sequences_.size() && options_.capacity == 0; ++b) {
    slots = std::max(slots, pads_[b] + sequences_[b].pages() * kv_page_slots);
  }
  return slots;
}

QWEN35_BODY std::size_t RectangleCache::bytes() const {
  std::size_t sum = 0;
  for (const SequenceCache& sequence : sequences_) {
    sum += sequence.bytes();
  }
  return sum;
}

QWEN35_BODY void RectangleCache::set_rope_deltas(std::vector<std::int32_t> deltas) {
  require<InputError>(deltas.empty() || deltas.size() == sequences_.size(), "set_rope_deltas: ", deltas.size(),
                      " offsets for ", sequences_.size(), " sequences");
  for (std::size_t b = 0; b < sequences_.size(); ++b) {
    sequences_[b].set_rope_delta(deltas.empty() ? std::optional<std::int32_t>() : deltas[b]);
  }
  rope_deltas_ = std::move(deltas);
}

QWEN35_BODY std::vector<std::uint8_t> RectangleCache::valid(std::size_t row) const {
  std::vector<std::uint8_t> out(length_, 1);
  std::fill_n(out.begin(), pads_[row], std::uint8_t{0});
  const std::span<const std::uint8_t> own = sequences_[row].valid();
  std::copy(own.begin(), own.end(), out.begin() + static_cast<std::ptrdiff_t>(pads_[row]));
  return out;
}

QWEN35_BODY std::vector<SequenceCache> RectangleCache::take_sequences() {
  std::vector<SequenceCache> out = std::move(sequences_);
  reset();
  return out;
}

QWEN35_BODY std::vector<SequenceCache> RectangleCache::make_rows(std::size_t count, const CacheLayout& layout) const {
  std::vector<SequenceCache> rows;
  rows.reserve(count);
  if (options_.storage.empty()) {
    const auto pool = std::make_shared<KvPool>(layout);
    pool->reserve(count * pages_for(options_.capacity));
    for (std::size_t b = 0; b < count; ++b) {
      rows.emplace_back(pool);
    }
    return rows;
  }
  check_storage(count, layout);
  const std::size_t pages = KvPool::bytes(layout, count * pages_for(options_.capacity));
  const auto pool = std::make_shared<KvPool>(layout, options_.storage.first(pages));
  for (std::size_t b = 0; b < count; ++b) {
    std::byte* const state = options_.storage.data() + pages + b * layout.state_bytes();
    rows.emplace_back(pool, std::span(reinterpret_cast<float*>(state), layout.state_floats()));
  }
  return rows;
}

QWEN35_BODY void RectangleCache::begin(std::size_t batch_size, std::size_t tokens, const CacheLayout& layout,
                                       std::uint64_t fingerprint) {
  const bool fresh = sequences_.empty() || (length_ == 0 && batch_size != sequences_.size());
  require<InputError>(fresh || batch_size == sequences_.size(), "past_key_values holds ", sequences_.size(),
                      " sequences, the input has ", batch_size);
  require<CacheError>(fingerprint_ == 0 || fingerprint == fingerprint_, "past_key_values was filled by another model");
  const std::size_t needed = length_ + tokens;
  require<CacheError>(options_.capacity == 0 || needed <= options_.capacity, "the cache holds ", options_.capacity,
                      " tokens; ", length_, " are used and ", tokens, " more do not fit");
  if (needed * batch_size > ids_.capacity()) {
    ids_.reserve(std::max(pages_for(needed) * kv_page_slots * batch_size, 2 * ids_.capacity()));
  }
  if (fresh) {
    CacheLayout own = layout;
    own.kv_dtype = options_.kv_dtype;
    std::vector<SequenceCache> rows = make_rows(batch_size, own);
    pads_.assign(batch_size, 0);
    sequences_ = std::move(rows);
  }
}

QWEN35_BODY void RectangleCache::commit(std::size_t tokens, const TokenId* ids, const std::size_t* pads) {
  const std::size_t batch = sequences_.size();
  for (std::size_t s = 0; s < tokens; ++s) {
    for (std::size_t b = 0; b < batch; ++b) {
      ids_.push_back(ids != nullptr ? ids[b * tokens + s] : -1);
    }
  }
  for (std::size_t b = 0; pads != nullptr && b < batch; ++b) {
    pads_[b] += pads[b];
  }
  length_ += tokens;
  fingerprint_ = sequences_[0].fingerprint();
}

QWEN35_BODY RectangleCache RectangleCache::with_rows(std::vector<SequenceCache> rows) const {
  CacheOptions options = options_;
  options.storage = {};
  RectangleCache out(options);
  out.length_ = length_;
  out.fingerprint_ = fingerprint_;
  out.sequences_ = std::move(rows);
  out.pads_ = pads_;
  out.ids_ = ids_;
  out.rope_deltas_ = rope_deltas_;
  return out;
}

QWEN35_BODY RectangleCache RectangleCache::fork() const {
  std::vector<SequenceCache> rows;
  for (const SequenceCache& sequence : sequences_) {
    rows.push_back(sequence.fork());
  }
  return with_rows(std::move(rows));
}

QWEN35_BODY RectangleCache RectangleCache::copy() const {
  std::vector<SequenceCache> rows;
  for (const SequenceCache& sequence : sequences_) {
    rows.push_back(sequence.copy());
  }
  return with_rows(std::move(rows));
}

QWEN35_BODY RectangleSnapshot RectangleCache::snapshot() const {
  return RectangleSnapshot(std::make_shared<const RectangleCache>(fork()));
}

QWEN35_BODY void RectangleCache::restore(const RectangleSnapshot& snapshot) {
  const RectangleCache& from = *snapshot.cache_;
  if (from.sequences_.empty()) {
    reset();
    return;
  }
  const CacheLayout& layout = from.sequences_[0].layout();
  require<CacheError>(layout.kv_dtype == options_.kv_dtype, "restore: the snapshot holds ", name(layout.kv_dtype),
                      " keys, this cache ", name(options_.kv_dtype));
  require<CacheError>(options_.capacity == 0 || from.length_ <= options_.capacity, "restore: the snapshot holds ",
                      from.length_, " tokens, this cache at most ", options_.capacity);
  require<CacheError>(fingerprint_ == 0 || from.fingerprint_ == 0 || fingerprint_ == from.fingerprint_,
                      "restore: the snapshot is of another model");
  std::vector<TokenId> ids = from.ids_;
  std::vector<std::size_t> pads = from.pads_;
  std::vector<std::int32_t> deltas = from.rope_deltas_;
  const std::size_t count = from.sequences_.size();
  std::vector<SequenceCache> rows;
  if (!options_.storage.empty()) {
    check_storage(count, layout);
    reset();  // its pages are wanted for what comes back
    rows = make_rows(count, layout);
    for (std::size_t b = 0; b < count; ++b) {
      rows[b].back_to(from.sequences_[b]);
    }
  } else if (count == 1 && sequences_.size() == 1) {
    sequences_[0].back_to(from.sequences_[0]);  // in the memory of its states
    rows = std::move(sequences_);
  } else {
    rows.reserve(count);
    for (const SequenceCache& sequence : from.sequences_) {
      rows.push_back(sequence.fork());
    }
  }
  sequences_ = std::move(rows);
  length_ = from.length_;
  fingerprint_ = from.fingerprint_;
  ids_ = std::move(ids);
  pads_ = std::move(pads);
  rope_deltas_ = std::move(deltas);
}

QWEN35_BODY void RectangleCache::reorder(std::span<const std::size_t> rows) {
  require<InputError>(!rows.empty(), "reorder: no rows");
  bool same = rows.size() == sequences_.size();
  std::vector<std::size_t> last_use(sequences_.size(), rows.size());
  for (std::size_t b = 0; b < rows.size(); ++b) {
    require<InputError>(rows[b] < sequences_.size(), "reorder: row ", rows[b], " of a cache of ", sequences_.size(),
                        " sequences");
    same = same && rows[b] == b;
    last_use[rows[b]] = b;
  }
  if (same) {
    return;
  }
  require<InputError>(options_.storage.empty(),
                      "reorder: a cache in the caller's storage keeps its sequences where they are");
  std::vector<SequenceCache> sequences(rows.size());
  std::vector<std::size_t> pads;
  std::vector<TokenId> ids;
  std::vector<std::int32_t> deltas;
  ids.reserve(length_ * rows.size());
  for (std::size_t s = 0; s < length_; ++s) {
    for (const std::size_t row : rows) {
      ids.push_back(ids_[s * sequences_.size() + row]);
    }
  }
  for (std::size_t b = 0; b < rows.size(); ++b) {
    pads.push_back(pads_[rows[b]]);
    if (!rope_deltas_.empty()) {
      deltas.push_back(rope_deltas_[rows[b]]);
    }
    if (last_use[rows[b]] != b) {
      sequences[b] = sequences_[rows[b]].fork();
    }
  }
  for (std::size_t b = 0; b < rows.size(); ++b) {
    if (last_use[rows[b]] == b) {
      sequences[b] = std::move(sequences_[rows[b]]);
    }
  }
  sequences_ = std::move(sequences);
  pads_ = std::move(pads);
  ids_ = std::move(ids);
  rope_deltas_ = std::move(deltas);
}

QWEN35_BODY void RectangleCache::reset() {
  length_ = 0;
  fingerprint_ = 0;
  sequences_.clear();
  pads_.clear();
  ids_.clear();
  rope_deltas_.clear();
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
