// SPDX-License-Identifier: Apache-2.0
// What a cache must know of a model, as a value: code that works on caches is compiled once, whatever the number of
// configs.
#pragma once

#include <qwen35/kernels/kernels.hpp>
#include <qwen35/layers/layers_of.hpp>

#if QWEN35_BODIES
#include <qwen35/core/arena.hpp>
#include <qwen35/formats/formats.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

// Slots of a page: one split of the attention kernel.
inline constexpr std::size_t kv_page_slots = kernels::attention_split;

// Positions are numbers of 32 bits.
inline constexpr std::size_t max_cache_tokens = 0x7fffffff;

struct CacheLayout {
  std::size_t linear_layers = 0;
  std::size_t full_layers = 0;
  std::size_t conv_floats = 0;       // of one sequence in one linear layer
  std::size_t recurrent_floats = 0;  // the same
  std::size_t kv_heads = 0;
  std::size_t head_dim = 0;
  DType kv_dtype = DType::f32;

  // Floats of one sequence in one linear layer, padded to 64 bytes: convolution, then recurrent.
  constexpr std::size_t state_stride() const { return (conv_floats + recurrent_floats + 15) / 16 * 16; }
  // The linear states of one sequence.
  constexpr std::size_t state_floats() const { return linear_layers * state_stride(); }
  constexpr std::size_t state_bytes() const { return state_floats() * sizeof(float); }

  // One slot of one head, and the keys and values of one slot in all layers.
  constexpr std::size_t head_bytes() const { return row_bytes(kv_dtype, head_dim); }
  constexpr std::size_t slot_bytes() const { return full_layers * 2 * kv_heads * head_bytes(); }
  // A page is [layer][keys, values][kv head][kv_page_slots][head_dim].
  constexpr std::size_t page_bytes() const { return kv_page_slots * slot_bytes(); }
  constexpr std::size_t key_offset(std::size_t layer) const {
    return layer * 2 * kv_heads * kv_page_slots * head_bytes();
  }
  constexpr std::size_t value_offset(std::size_t layer) const {
    return key_offset(layer) + kv_heads * kv_page_slots * head_bytes();
  }

  // Raises InputError for keys and values that cannot be kept in that format.
  void check() const;

  friend constexpr bool operator==(const CacheLayout&, const CacheLayout&) = default;
};

// Pages that hold so many slots.
constexpr std::size_t pages_for(std::size_t slots) {
  return (slots + kv_page_slots - 1) / kv_page_slots;
}

template <class Config>
constexpr CacheLayout cache_layout(DType kv_dtype = DType::f32) {
  using Layers = LayersOf<Config>;
  return {.linear_layers = Layers::linear_layers,
          .full_layers = Layers::full_layers,
          .conv_floats = Layers::Linear::conv_state_size,
          .recurrent_floats = Layers::Linear::recurrent_state_size,
          .kv_heads = Layers::Text::num_key_value_heads,
          .head_dim = Layers::Text::head_dim,
          .kv_dtype = kv_dtype};
}

#if QWEN35_BODIES

QWEN35_BODY void CacheLayout::check() const {
  require_holds_keys(kv_dtype, "kv_dtype");
  require<InputError>(head_dim % format_info(kv_dtype).block_values == 0 && format_info(kv_dtype).rows_together == 1,
                      "kv_dtype: heads of ", head_dim, " values cannot be kept as ", name(kv_dtype),
                      ", whose blocks have ", format_info(kv_dtype).block_values);
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
