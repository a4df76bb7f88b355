// SPDX-License-Identifier: Apache-2.0
// The reference's cache: sequences side by side, as many slots in each, the first of which may be padding.
#pragma once

#include <qwen35/cache/sequence_cache.hpp>
#include <qwen35/core/lifetime.hpp>

#include <memory>
#include <vector>

QWEN35_BEGIN_NAMESPACE

struct CacheOptions {
  // f32, or f16 / bf16 for half the size: logits then agree to NMSE 1e-5. A quarter: q8_0 (heads of a multiple of 32
  // values), about 1e-5; f8_e4m3, coarse, about 1e-2.
  DType kv_dtype = DType::f32;
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
  std::span<const TokenId> ids() const QWEN35_LIFETIMEBOUND { return ids_; }
  // Multimodal position offset of each sequence, [batch_size]: position = index among unmasked tokens + delta. Empty:
  // none known.
  std::span<const std::int32_t> rope_deltas() const QWEN35_LIFETIMEBOUND { return rope_deltas_; }
  // Raises InputError unless there is one for each sequence, or none.
  void set_rope_deltas(std::vector<std::int32_t> deltas);
  // 1 where a slot holds a token, 0 where it was masked, [seq_length()].
  std::vector<std::uint8_t> valid(std::size_t row) const;

  std::size_t pads(std::size_t row) const { return pads_[row]; }
  SequenceCache& sequence(std::size_t row) QWEN35_LIFETIMEBOUND { return sequences_[row]; }
  const SequenceCache& sequence(std::size_t row) const QWEN35_LIFETIMEBOUND { return sequences_[row]; }
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
  std::span<const TokenId> ids() const QWEN35_LIFETIMEBOUND { return cache_->ids(); }
  const RectangleCache& cache() const QWEN35_LIFETIMEBOUND { return *cache_; }
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

QWEN35_END_NAMESPACE

#include <qwen35/cache/rectangle_cache_impl.hpp>
