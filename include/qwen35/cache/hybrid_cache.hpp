// SPDX-License-Identifier: Apache-2.0
// The cache of a hybrid decoder, as a value: keys and values of the full-attention layers, convolution and recurrent
// state of the linear ones.
#pragma once

#include <qwen35/cache/rectangle_cache.hpp>

QWEN35_BEGIN_NAMESPACE

// What `snapshot()` returns: an immutable point of the cache, cheap to copy. Keys and values are shared with the cache,
// the linear states are its own.
template <class Config>
class Snapshot : public RectangleSnapshot {
 public:
  explicit Snapshot(RectangleSnapshot snapshot) : RectangleSnapshot(std::move(snapshot)) {}
};

// A RectangleCache whose sizes are known to the compiler. There is no `truncate`: a recurrent state cannot be cut back.
// Go back with `restore`.
template <class Config>
class HybridCache : public RectangleCache {
 public:
  static constexpr CacheLayout layout(DType kv_dtype = DType::f32) { return cache_layout<Config>(kv_dtype); }
  static constexpr std::size_t linear_layers = cache_layout<Config>().linear_layers;
  static constexpr std::size_t full_layers = cache_layout<Config>().full_layers;
  // Floats of state of one sequence in a linear layer, convolution then recurrent.
  static constexpr std::size_t state_stride = cache_layout<Config>().state_stride();
  static constexpr std::size_t slot_bytes(DType kv_dtype) { return layout(kv_dtype).slot_bytes(); }
  // Bytes of the buffers for `tokens` slots of each of `batch_size` sequences, in whole pages.
  static constexpr std::size_t bytes(std::size_t tokens, std::size_t batch_size = 1, DType kv_dtype = DType::f32) {
    return RectangleCache::bytes(layout(kv_dtype), tokens, batch_size);
  }
  std::size_t bytes() const { return RectangleCache::bytes(); }

  // Raises InputError for options that contradict themselves, and a format that the config's heads cannot be kept in.
  explicit HybridCache(const CacheOptions& options = {}) : RectangleCache(options) { layout(kv_dtype()).check(); }
  explicit HybridCache(RectangleCache cache) : RectangleCache(std::move(cache)) {}

  Snapshot<Config> snapshot() const { return Snapshot<Config>(RectangleCache::snapshot()); }
  HybridCache fork() const { return HybridCache(RectangleCache::fork()); }
  HybridCache copy() const { return HybridCache(RectangleCache::copy()); }

  // --- for the model, and for code that runs its layers ---
  void begin(std::size_t batch_size, std::size_t tokens, std::uint64_t fingerprint) {
    RectangleCache::begin(batch_size, tokens, layout(kv_dtype()), fingerprint);
    for (std::size_t b = 0; b < batch_size; ++b) {
      sequence(b).begin(tokens, fingerprint);
    }
  }
  GatedDeltaNetState linear_state(std::size_t layer, std::size_t row) { return sequence(row).linear_state(layer); }
  GatedAttentionState full_state(std::size_t layer, std::size_t row) { return sequence(row).full_state(layer); }
};

QWEN35_END_NAMESPACE
