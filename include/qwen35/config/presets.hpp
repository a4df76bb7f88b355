// SPDX-License-Identifier: Apache-2.0
// The published models as types, and the small shapes model that the library ships.
#pragma once

#include <qwen35/config/vision_config.hpp>

QWEN35_BEGIN_NAMESPACE
namespace configs {

namespace detail {

inline constexpr RopeParameters published_rope = {
    .rope_theta = 1e7, .partial_rotary_factor = 0.25, .mrope_section = {11, 11, 10}};

template <std::size_t Layers>
struct PublishedMoe : MoeTextDefaults {
  static constexpr std::size_t num_hidden_layers = Layers;
  static constexpr auto layer_types = hybrid_layer_types<Layers>();
  static constexpr std::size_t max_position_embeddings = 262144;
  static constexpr RopeParameters rope_parameters = published_rope;
  static constexpr TokenIds eos_token_id = 248044;
};

template <std::size_t Layers>
struct PublishedDense : DenseTextDefaults {
  static constexpr std::size_t num_hidden_layers = Layers;
  static constexpr auto layer_types = hybrid_layer_types<Layers>();
  static constexpr std::size_t max_position_embeddings = 262144;
  static constexpr RopeParameters rope_parameters = published_rope;
  static constexpr TokenIds eos_token_id = 248044;
};

template <std::size_t OutHiddenSize>
struct Vision27 : VisionDefaults {
  static constexpr std::size_t out_hidden_size = OutHiddenSize;
};

template <std::size_t Depth, std::size_t Width, std::size_t Intermediate, std::size_t Heads, std::size_t OutHiddenSize>
struct SmallVision : VisionDefaults {
  static constexpr std::size_t depth = Depth;
  static constexpr std::size_t hidden_size = Width;
  static constexpr std::size_t intermediate_size = Intermediate;
  static constexpr std::size_t num_heads = Heads;
  static constexpr std::size_t out_hidden_size = OutHiddenSize;
};

}  // namespace detail

struct Qwen35_35B_A3B : CompositeDefaults {
  struct text_config : configs::detail::PublishedMoe<40> {};
  using vision_config = configs::detail::Vision27<2048>;
};

struct Qwen36_35B_A3B : Qwen35_35B_A3B {};

struct Qwen35_122B_A10B : CompositeDefaults {
  struct text_config : configs::detail::PublishedMoe<48> {
    static constexpr std::size_t hidden_size = 3072;
    static constexpr std::size_t num_attention_heads = 32;
    static constexpr std::size_t linear_num_value_heads = 64;
    static constexpr std::size_t moe_intermediate_size = 1024;
    static constexpr std::size_t shared_expert_intermediate_size = 1024;
  };
  using vision_config = configs::detail::Vision27<3072>;
};

struct Qwen35_397B_A17B : CompositeDefaults {
  struct text_config : configs::detail::PublishedMoe<60> {
    static constexpr std::size_t hidden_size = 4096;
    static constexpr std::size_t num_attention_heads = 32;
    static constexpr std::size_t linear_num_value_heads = 64;
    static constexpr std::size_t num_experts = 512;
    static constexpr std::size_t num_experts_per_tok = 10;
    static constexpr std::size_t moe_intermediate_size = 1024;
    static constexpr std::size_t shared_expert_intermediate_size = 1024;
  };
  using vision_config = configs::detail::Vision27<4096>;
};

struct Qwen35_0_8B : CompositeDefaults {
  struct text_config : configs::detail::PublishedDense<24> {
    static constexpr std::size_t hidden_size = 1024;
    static constexpr std::size_t num_attention_heads = 8;
    static constexpr std::size_t num_key_value_heads = 2;
    static constexpr std::size_t intermediate_size = 3584;
    static constexpr std::size_t linear_num_value_heads = 16;
    static constexpr bool tie_word_embeddings = true;
  };
  using vision_config = configs::detail::SmallVision<12, 768, 3072, 12, 1024>;
  static constexpr bool tie_word_embeddings = true;
};

struct Qwen35_2B : CompositeDefaults {
  struct text_config : configs::detail::PublishedDense<24> {
    static constexpr std::size_t hidden_size = 2048;
    static constexpr std::size_t num_attention_heads = 8;
    static constexpr std::size_t num_key_value_heads = 2;
    static constexpr std::size_t intermediate_size = 6144;
    static constexpr std::size_t linear_num_value_heads = 16;
    static constexpr bool tie_word_embeddings = true;
  };
  using vision_config = configs::detail::SmallVision<24, 1024, 4096, 16, 2048>;
  static constexpr bool tie_word_embeddings = true;
};

struct Qwen35_4B : CompositeDefaults {
  struct text_config : configs::detail::PublishedDense<32> {
    static constexpr std::size_t hidden_size = 2560;
    static constexpr std::size_t intermediate_size = 9216;
    static constexpr bool tie_word_embeddings = true;
  };
  using vision_config = configs::detail::SmallVision<24, 1024, 4096, 16, 2560>;
  static constexpr bool tie_word_embeddings = true;
};

struct Qwen35_9B : CompositeDefaults {
  struct text_config : configs::detail::PublishedDense<32> {};
  using vision_config = configs::detail::Vision27<4096>;
};

struct Qwen35_27B : CompositeDefaults {
  struct text_config : configs::detail::PublishedDense<64> {
    static constexpr std::size_t hidden_size = 5120;
    static constexpr std::size_t num_attention_heads = 24;
    static constexpr std::size_t intermediate_size = 17408;
    static constexpr std::size_t linear_num_value_heads = 48;
  };
  using vision_config = configs::detail::Vision27<5120>;
};

// 2 M parameters, trained to answer questions about pictures, clips and descriptions of coloured shapes. Embedded in
// the demo.
struct Shapes : CompositeDefaults {
  struct text_config : MoeTextDefaults {
    static constexpr std::size_t vocab_size = 512;
    static constexpr std::size_t hidden_size = 128;
    static constexpr std::size_t num_hidden_layers = 4;
    static constexpr auto layer_types = hybrid_layer_types<4>();
    static constexpr std::size_t num_attention_heads = 4;
    static constexpr std::size_t num_key_value_heads = 2;
    static constexpr std::size_t head_dim = 32;
    static constexpr std::size_t max_position_embeddings = 2048;
    static constexpr RopeParameters rope_parameters = {
        .rope_theta = 10000.0, .partial_rotary_factor = 0.25, .mrope_section = {2, 1, 1}};
    static constexpr std::size_t linear_key_head_dim = 32;
    static constexpr std::size_t linear_value_head_dim = 32;
    static constexpr std::size_t linear_num_key_heads = 2;
    static constexpr std::size_t linear_num_value_heads = 4;
    static constexpr std::size_t moe_intermediate_size = 64;
    static constexpr std::size_t shared_expert_intermediate_size = 64;
    static constexpr std::size_t num_experts = 8;
    static constexpr std::size_t num_experts_per_tok = 2;
    static constexpr TokenIds pad_token_id = 433;
    static constexpr TokenIds eos_token_id = 433;
  };
  struct vision_config : VisionDefaults {
    static constexpr std::size_t depth = 4;
    static constexpr std::size_t hidden_size = 96;
    static constexpr std::size_t intermediate_size = 256;
    static constexpr std::size_t num_heads = 4;
    static constexpr std::size_t num_position_embeddings = 64;
    static constexpr std::size_t out_hidden_size = 128;
  };
  static constexpr TokenId image_token_id = 438;
  static constexpr TokenId video_token_id = 439;
  static constexpr TokenId vision_start_token_id = 436;
  static constexpr TokenId vision_end_token_id = 437;
};

}  // namespace configs
QWEN35_END_NAMESPACE
