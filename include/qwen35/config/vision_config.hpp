// SPDX-License-Identifier: Apache-2.0
// What a vision config is, and the composite config of a multimodal model.
#pragma once

#include <qwen35/config/text_config.hpp>

QWEN35_BEGIN_NAMESPACE

// Every field with the default of the reference's Qwen3_5MoeVisionConfig.
struct VisionDefaults {
  static constexpr std::size_t depth = 27;
  static constexpr std::size_t hidden_size = 1152;
  static constexpr Activation hidden_act = Activation::gelu_pytorch_tanh;
  static constexpr std::size_t intermediate_size = 4304;
  static constexpr std::size_t num_heads = 16;
  static constexpr std::size_t in_channels = 3;
  static constexpr std::size_t patch_size = 16;
  static constexpr std::size_t spatial_merge_size = 2;
  static constexpr std::size_t temporal_patch_size = 2;
  static constexpr std::size_t out_hidden_size = 3584;
  static constexpr std::size_t num_position_embeddings = 2304;
  static constexpr double initializer_range = 0.02;
};

// Is hidden_size a multiple of num_heads?
template <class V>
concept VisionHeadsDivideWidth = V::num_heads >
0 && V::hidden_size % V::num_heads == 0;

// Is the width of a head a multiple of 4, as its two-dimensional rotary embedding needs?
template <class V>
concept VisionHeadRotates = (V::hidden_size / V::num_heads) % 4 == 0;

template <class V>
concept VisionConfig = requires {
  V::depth;
  V::intermediate_size;
  V::in_channels;
  V::out_hidden_size;
}
&&V::patch_size > 0 && V::spatial_merge_size > 0 && V::temporal_patch_size > 0 && V::num_position_embeddings > 0 &&
    VisionHeadsDivideWidth<V>&& VisionHeadRotates<V>;

// Is the vision tower's out_hidden_size the text model's hidden_size?
template <class V, class T>
concept VisionFeedsText = V::out_hidden_size == T::hidden_size;

// The fields of Qwen3_5MoeConfig beside its two parts. A model derives from it and names `text_config` and
// `vision_config`.
struct CompositeDefaults {
  static constexpr TokenId image_token_id = 248056;
  static constexpr TokenId video_token_id = 248057;
  static constexpr TokenId vision_start_token_id = 248053;
  static constexpr TokenId vision_end_token_id = 248054;
  static constexpr bool tie_word_embeddings = false;
};

template <class C>
using vision_config_t = typename C::vision_config;

// Has the config a vision tower?
template <class C>
inline constexpr bool is_multimodal = requires {
  typename C::vision_config;
}
&&!requires {
  C::hidden_size;
};

QWEN35_END_NAMESPACE
