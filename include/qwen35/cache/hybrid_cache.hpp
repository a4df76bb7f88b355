// SPDX-License-Identifier: Apache-2.0
// The cache of a hybrid decoder, as a value: keys and values of the full-attention layers, convolution and recurrent
// state of the linear ones.
#pragma once

#include <qwen35/cache/kv_buffer.hpp>
#include <qwen35/layers/layers_of.hpp>

#include <memory>
#include <vector>

QWEN35_BEGIN_NAMESPACE

struct CacheOptions {
  DType kv_dtype = DType::f32;  // f32, or f16 / bf16 for half the size: logits then agree to NMSE 1e-5
  // Slots of a cache that never grows; reaching its end is a CacheError. 0: grows as needed, doubling.
  std::size_t capacity = 0;
  // Memory for a fixed capacity, aligned to 64 bytes, at least `HybridCache<Config>::bytes(capacity, batch_size,
  // kv_dtype)`: static storage, or what an allocator of yours returned. It must outlive the cache. Empty: the heap.
  std::span<std::byte> storage{};
};

// What `snapshot()` returns: an immutable point of a sequence, cheap to copy. The keys and values are shared with the
// cache, because a cache only ever appends; the linear states are its own.
template <class Config>
class Snapshot;

// There is no `truncate`: a recurrent state cannot be cut back. Go back with `restore`.
template <class Config>
class HybridCache {
 public:
  using Layers = LayersOf<Config>;
  static constexpr std::size_t linear_layers = Layers::linear_layers;
  static constexpr std::size_t full_layers = Layers::full_layers;
  // Floats of state of one sequence: all linear layers, each convolution then recurrent.
  static constexpr std::size_t state_stride = (Layers::Linear::state_bytes / sizeof(float) + 15) / 16 * 16;
  static constexpr std::size_t slot_bytes(DType kv_dtype) { return full_layers * Layers::Full::state_bytes(kv_dtype); }

  // Bytes of the buffers for `tokens` slots of each of `batch_size` sequences.
  static constexpr std::size_t bytes(std::size_t tokens, std::size_t batch_size = 1, DType kv_dtype = DType::f32) {
    return Arena::cost<std::byte>(batch_size * tokens * slot_bytes(kv_dtype)) +
           batch_size * linear_layers * state_stride * sizeof(float);
  }

  explicit HybridCache(const CacheOptions& options = {}) : options_(options) {
    require<InputError>(options.storage.empty() || options.capacity > 0,
                        "CacheOptions: storage needs a fixed capacity");
  }
  HybridCache(HybridCache&&) noexcept = default;
  HybridCache& operator=(HybridCache&&) noexcept = default;

  std::size_t batch_size() const { return batch_size_; }
  std::size_t seq_length() const { return length_; }
  std::size_t get_seq_length() const { return length_; }
  DType kv_dtype() const { return options_.kv_dtype; }
  std::size_t capacity() const { return kv_ ? kv_->capacity() : options_.capacity; }
  bool empty() const { return length_ == 0; }
  // Bytes in use by the buffers (keys and values shared with snapshots or forks counted in full).
  std::size_t bytes() const { return (kv_ ? kv_->bytes() : 0) + state_.size_bytes(); }

  // The token ids seen so far: row b at slot s is `ids()[s * batch_size() + b]`; -1 where embeddings were given.
  std::span<const TokenId> ids() const { return ids_; }
  // Multimodal position offset of each sequence, [batch_size]: position = index among unmasked tokens + delta. Empty:
  // none known.
  std::span<const std::int32_t> rope_deltas() const { return rope_deltas_; }
  void set_rope_deltas(std::vector<std::int32_t> deltas) { rope_deltas_ = std::move(deltas); }
  // 1 where a slot holds a token, 0 where it was masked, [seq_length()].
  std::span<const std::uint8_t> valid(std::size_t sequence) const { return {valid_[sequence].data(), length_}; }

  Snapshot<Config> snapshot() const;
  // Back to a snapshot, of this cache or of another one of the same model. Raises CacheError when the KV format or a
  // fixed capacity does not fit.
  void restore(const Snapshot<Config>& snapshot);
  // A second cache that continues from here. Keys and values are shared until either writes where the other has.
  HybridCache fork() const;
  // A second cache that shares nothing.
  HybridCache copy() const;
  // Sequence b continues from what was sequence rows[b]; the number of sequences becomes rows.size(). Raises InputError
  // on a bad row.
  void reorder(std::span<const std::size_t> rows);
  void reorder_cache(std::span<const std::size_t> beam_idx) { reorder(beam_idx); }
  // Empty again, as new; memory that is not shared is kept.
  void reset();

  // --- for the model ---

  // Makes room for `tokens` more slots. Raises InputError when the batch size differs, CacheError when a fixed capacity
  // is reached or the cache belongs to another model. Nothing has changed then.
  void begin(std::size_t batch_size, std::size_t tokens, std::uint64_t fingerprint);
  // The slots are filled: `ids` [batch, tokens] or null, `mask` [batch, tokens] or null.
  void commit(std::size_t tokens, const TokenId* ids, const std::uint8_t* mask);
  GatedDeltaNetState linear_state(std::size_t layer, std::size_t sequence) {
    float* const start = state_.data() + (layer * batch_size_ + sequence) * state_stride;
    return {start, start + Layers::Linear::conv_state_size};
  }
  GatedAttentionState full_state(std::size_t layer, std::size_t sequence) {
    return kv_state(*kv_, layer, sequence, batch_size_, options_.kv_dtype);
  }
  std::uint64_t fingerprint() const { return fingerprint_; }

 private:
  friend class Snapshot<Config>;
  template <class>
  friend class CacheFile;

  static constexpr std::size_t head_block(DType dtype) { return row_bytes(dtype, Layers::Text::head_dim); }

  static GatedAttentionState kv_state(KvBuffer& kv, std::size_t layer, std::size_t sequence, std::size_t batch_size,
                                      DType dtype) {
    const std::size_t half = Layers::Text::num_key_value_heads * kv.capacity() * head_block(dtype);
    std::byte* const keys = kv.data() + (layer * batch_size + sequence) * 2 * half;
    return {keys, keys + half, dtype, kv.capacity()};
  }
  std::size_t state_floats(std::size_t batch_size) const { return batch_size * linear_layers * state_stride; }
  void copy_meta(const HybridCache& other);
  void own_state(std::size_t batch_size);
  // Moves to a buffer of `capacity` slots for `rows.size()` sequences, sequence b filled from rows[b].
  void rehouse(std::size_t capacity, std::span<const std::size_t> rows);
  // The filled slots of sequence rows[b] of one buffer to sequence b of another.
  void copy_slots(KvBuffer& from, std::size_t from_batch, KvBuffer& to, std::span<const std::size_t> rows) const;
  // A buffer in the caller's storage, if there is any, else on the heap.
  std::shared_ptr<KvBuffer> make_kv(std::size_t capacity, std::size_t batch_size) const;
  void require_storage(std::size_t batch_size) const;
  std::vector<std::size_t> identity() const;

  CacheOptions options_;
  std::size_t batch_size_ = 0;
  std::size_t length_ = 0;
  std::uint64_t fingerprint_ = 0;
  std::shared_ptr<KvBuffer> kv_;
  AlignedBuffer<float> owned_state_;
  std::span<float> state_;
  std::vector<TokenId> ids_;
  std::vector<std::vector<std::uint8_t>> valid_;
  std::vector<std::int32_t> rope_deltas_;
};

template <class Config>
class Snapshot {
 public:
  std::size_t seq_length() const { return cache_->seq_length(); }
  std::size_t batch_size() const { return cache_->batch_size(); }
  std::span<const TokenId> ids() const { return cache_->ids(); }
  // What this snapshot keeps alive alone: the linear states. The keys and values are shared; `kv_bytes()` is its part
  // of them.
  std::size_t bytes() const { return cache_->state_.size_bytes(); }
  std::size_t kv_bytes() const {
    return batch_size() * seq_length() * HybridCache<Config>::slot_bytes(cache_->kv_dtype());
  }

 private:
  friend class HybridCache<Config>;
  explicit Snapshot(std::shared_ptr<const HybridCache<Config>> cache) : cache_(std::move(cache)) {}
  std::shared_ptr<const HybridCache<Config>> cache_;
};

template <class Config>
std::vector<std::size_t> HybridCache<Config>::identity() const {
  std::vector<std::size_t> rows(batch_size_);
  for (std::size_t b = 0; b < rows.size(); ++b) {
    rows[b] = b;
  }
  return rows;
}

template <class Config>
std::shared_ptr<KvBuffer> HybridCache<Config>::make_kv(std::size_t capacity, std::size_t batch_size) const {
  return std::make_shared<KvBuffer>(capacity, batch_size * slot_bytes(options_.kv_dtype), options_.storage);
}

template <class Config>
void HybridCache<Config>::require_storage(std::size_t batch_size) const {
  const std::size_t needed = bytes(options_.capacity, batch_size, options_.kv_dtype);
  require<CacheError>(options_.storage.size() >= needed, "CacheOptions: storage of ", options_.storage.size(),
                      " bytes, ", needed, " needed for ", batch_size, " sequences of ", options_.capacity, " tokens");
  require<CacheError>(reinterpret_cast<std::uintptr_t>(options_.storage.data()) % 64 == 0,
                      "CacheOptions: storage must be aligned to 64 bytes");
}

template <class Config>
void HybridCache<Config>::own_state(std::size_t batch_size) {
  if (options_.storage.empty()) {
    owned_state_ = AlignedBuffer<float>(state_floats(batch_size));
    state_ = {owned_state_.data(), owned_state_.size()};
    return;
  }
  const std::size_t kv = Arena::cost<std::byte>(batch_size * options_.capacity * slot_bytes(options_.kv_dtype));
  state_ = {reinterpret_cast<float*>(options_.storage.data() + kv), state_floats(batch_size)};
  std::memset(state_.data(), 0, state_.size_bytes());
}

template <class Config>
void HybridCache<Config>::begin(std::size_t batch_size, std::size_t tokens, std::uint64_t fingerprint) {
  const bool fresh = batch_size_ == 0;
  require<InputError>(fresh || batch_size == batch_size_, "past_key_values holds ", batch_size_,
                      " sequences, the input has ", batch_size);
  require<CacheError>(fresh || fingerprint == fingerprint_, "past_key_values was filled by another model");
  const std::size_t needed = length_ + tokens;
  if (options_.capacity > 0) {
    require<CacheError>(needed <= options_.capacity, "the cache holds ", options_.capacity, " tokens; ", length_,
                        " are used and ", tokens, " more do not fit");
  }
  if (fresh) {
    const std::size_t capacity = options_.capacity > 0 ? options_.capacity : std::max<std::size_t>(64, needed);
    if (!options_.storage.empty()) {
      require_storage(batch_size);
    }
    kv_ = make_kv(capacity, batch_size);
    own_state(batch_size);
    batch_size_ = batch_size;
    valid_.resize(batch_size);
    fingerprint_ = fingerprint;
  }
  if (needed > kv_->capacity()) {
    rehouse(std::max(needed, 2 * kv_->capacity()), identity());
  }
  if (kv_.use_count() == 1) {
    kv_->rewind(length_);
  }
  if (!kv_->claim(length_, needed)) {
    rehouse(kv_->capacity(), identity());
    kv_->claim(length_, needed);
  }
}

template <class Config>
void HybridCache<Config>::commit(std::size_t tokens, const TokenId* ids, const std::uint8_t* mask) {
  ids_.resize(length_ * batch_size_);
  for (std::size_t s = 0; s < tokens; ++s) {
    for (std::size_t b = 0; b < batch_size_; ++b) {
      ids_.push_back(ids != nullptr ? ids[b * tokens + s] : -1);
    }
  }
  for (std::size_t b = 0; b < batch_size_; ++b) {
    valid_[b].resize(length_);
    for (std::size_t s = 0; s < tokens; ++s) {
      valid_[b].push_back(mask != nullptr ? mask[b * tokens + s] : 1);
    }
  }
  length_ += tokens;
}

template <class Config>
void HybridCache<Config>::copy_slots(KvBuffer& from, std::size_t from_batch, KvBuffer& to,
                                     std::span<const std::size_t> rows) const {
  const DType dtype = options_.kv_dtype;
  const std::size_t head = head_block(dtype);
  for (std::size_t layer = 0; layer < full_layers; ++layer) {
    for (std::size_t b = 0; b < rows.size(); ++b) {
      const GatedAttentionState source = kv_state(from, layer, rows[b], from_batch, dtype);
      const GatedAttentionState target = kv_state(to, layer, b, rows.size(), dtype);
      for (std::size_t h = 0; h < Layers::Text::num_key_value_heads; ++h) {
        std::memcpy(target.keys + h * target.capacity * head, source.keys + h * source.capacity * head, length_ * head);
        std::memcpy(target.values + h * target.capacity * head, source.values + h * source.capacity * head,
                    length_ * head);
      }
    }
  }
  to.rewind(length_);
}

template <class Config>
void HybridCache<Config>::rehouse(std::size_t capacity, std::span<const std::size_t> rows) {
  std::shared_ptr<KvBuffer> fresh = make_kv(capacity, rows.size());
  copy_slots(*kv_, batch_size_, *fresh, rows);
  kv_ = std::move(fresh);
}

template <class Config>
void HybridCache<Config>::copy_meta(const HybridCache& other) {
  batch_size_ = other.batch_size_;
  length_ = other.length_;
  fingerprint_ = other.fingerprint_;
  ids_.assign(other.ids_.begin(), other.ids_.end());
  valid_ = other.valid_;
  rope_deltas_ = other.rope_deltas_;
}

template <class Config>
HybridCache<Config> HybridCache<Config>::fork() const {
  CacheOptions options = options_;
  options.storage = {};
  HybridCache out(options);
  out.copy_meta(*this);
  if (batch_size_ > 0) {
    out.own_state(batch_size_);
    std::memcpy(out.state_.data(), state_.data(), state_.size_bytes());
    out.kv_ = kv_;
    if (!options_.storage.empty()) {  // the caller's memory may go away before the fork does
      out.rehouse(kv_->capacity(), out.identity());
    }
  }
  return out;
}

template <class Config>
HybridCache<Config> HybridCache<Config>::copy() const {
  HybridCache out = fork();
  if (out.kv_ && out.kv_ == kv_) {
    out.rehouse(kv_->capacity(), out.identity());
  }
  return out;
}

template <class Config>
Snapshot<Config> HybridCache<Config>::snapshot() const {
  return Snapshot<Config>(std::make_shared<const HybridCache>(fork()));
}

template <class Config>
void HybridCache<Config>::restore(const Snapshot<Config>& snapshot) {
  const HybridCache& from = *snapshot.cache_;
  require<CacheError>(from.batch_size_ == 0 || from.options_.kv_dtype == options_.kv_dtype,
                      "restore: the snapshot holds ", name(from.options_.kv_dtype), " keys, this cache ",
                      name(options_.kv_dtype));
  require<CacheError>(options_.capacity == 0 || from.length_ <= options_.capacity, "restore: the snapshot holds ",
                      from.length_, " tokens, this cache at most ", options_.capacity);
  require<CacheError>(fingerprint_ == 0 || from.fingerprint_ == 0 || fingerprint_ == from.fingerprint_,
                      "restore: the snapshot is of another model");
  if (from.batch_size_ == 0) {
    reset();
    return;
  }
  if (options_.storage.empty()) {
    if (batch_size_ != from.batch_size_) {
      own_state(from.batch_size_);
    }
    kv_ = from.kv_;
  } else {
    require_storage(from.batch_size_);
    own_state(from.batch_size_);
    kv_ = make_kv(options_.capacity, from.batch_size_);
  }
  copy_meta(from);
  std::memcpy(state_.data(), from.state_.data(), state_.size_bytes());
  if (!options_.storage.empty()) {
    copy_slots(*from.kv_, batch_size_, *kv_, identity());
  }
}

template <class Config>
void HybridCache<Config>::reorder(std::span<const std::size_t> rows) {
  require<InputError>(!rows.empty(), "reorder: no rows");
  bool same = rows.size() == batch_size_;
  for (std::size_t b = 0; b < rows.size(); ++b) {
    require<InputError>(rows[b] < batch_size_, "reorder: row ", rows[b], " of a cache of ", batch_size_, " sequences");
    same = same && rows[b] == b;
  }
  if (same) {
    return;
  }
  require<InputError>(options_.storage.empty(),
                      "reorder: a cache in the caller's storage keeps its sequences where they are");
  rehouse(kv_->capacity(), rows);
  AlignedBuffer<float> fresh = AlignedBuffer<float>::uninitialised(state_floats(rows.size()));
  std::vector<TokenId> ids;
  std::vector<std::vector<std::uint8_t>> valid;
  std::vector<std::int32_t> deltas;
  for (std::size_t layer = 0; layer < linear_layers; ++layer) {
    for (std::size_t b = 0; b < rows.size(); ++b) {
      std::memcpy(fresh.data() + (layer * rows.size() + b) * state_stride,
                  state_.data() + (layer * batch_size_ + rows[b]) * state_stride, state_stride * sizeof(float));
    }
  }
  ids.reserve(length_ * rows.size());
  for (std::size_t s = 0; s < length_; ++s) {
    for (const std::size_t row : rows) {
      ids.push_back(ids_[s * batch_size_ + row]);
    }
  }
  for (const std::size_t row : rows) {
    valid.push_back(valid_[row]);
    if (!rope_deltas_.empty()) {
      deltas.push_back(rope_deltas_[row]);
    }
  }
  owned_state_ = std::move(fresh);
  state_ = {owned_state_.data(), owned_state_.size()};
  ids_ = std::move(ids);
  valid_ = std::move(valid);
  rope_deltas_ = std::move(deltas);
  batch_size_ = rows.size();
}

template <class Config>
void HybridCache<Config>::reset() {
  length_ = 0;
  batch_size_ = 0;
  fingerprint_ = 0;
  kv_.reset();
  owned_state_ = {};
  state_ = {};
  ids_.clear();
  valid_.clear();
  rope_deltas_.clear();
}

QWEN35_END_NAMESPACE
