// SPDX-License-Identifier: Apache-2.0
// What a text config is: a type with static members named as in `config.json`. One concept, one question.
#pragma once

#include <qwen35/config/text_defaults.hpp>

#include <concepts>
#include <type_traits>

QWEN35_BEGIN_NAMESPACE

namespace detail {

template <class C>
struct TextConfigOf {
  using type = C;
};
// A text config that derives from a composite's `struct text_config` has that name too, as every class has its bases'
// names: the sizes tell.
template <class C>
requires(
    requires { typename C::text_config; } && !requires { C::hidden_size; }) struct TextConfigOf<C> {
  using type = typename C::text_config;
};

}  // namespace detail

template <class C>
concept HasTextSizes = requires {
  { C::vocab_size } -> std::convertible_to<std::size_t>;
  { C::hidden_size } -> std::convertible_to<std::size_t>;
  { C::num_hidden_layers } -> std::convertible_to<std::size_t>;
  { C::num_attention_heads } -> std::convertible_to<std::size_t>;
  { C::num_key_value_heads } -> std::convertible_to<std::size_t>;
  { C::head_dim } -> std::convertible_to<std::size_t>;
  { C::linear_num_key_heads } -> std::convertible_to<std::size_t>;
  { C::linear_num_value_heads } -> std::convertible_to<std::size_t>;
  { C::linear_key_head_dim } -> std::convertible_to<std::size_t>;
  { C::linear_value_head_dim } -> std::convertible_to<std::size_t>;
  { C::linear_conv_kernel_dim } -> std::convertible_to<std::size_t>;
  { C::rope_parameters } -> std::convertible_to<RopeParameters>;
  { C::layer_types.size() } -> std::convertible_to<std::size_t>;
};

// Are the fields there that are no sizes? Deriving from MoeTextDefaults or DenseTextDefaults gives them all.
template <class C>
concept HasTextValues = requires {
  { C::hidden_act } -> std::convertible_to<Activation>;
  { C::rms_norm_eps } -> std::convertible_to<double>;
  { C::attention_bias } -> std::convertible_to<bool>;
  { C::tie_word_embeddings } -> std::convertible_to<bool>;
  { C::max_position_embeddings } -> std::convertible_to<std::size_t>;
  { C::pad_token_id } -> std::convertible_to<TokenIds>;
  { C::bos_token_id } -> std::convertible_to<TokenIds>;
  { C::eos_token_id } -> std::convertible_to<TokenIds>;
};

namespace detail {

template <class C>
inline constexpr bool has_text_fields =
    HasTextSizes<typename TextConfigOf<C>::type>&& HasTextValues<typename TextConfigOf<C>::type>;
// What is no config is said once, where a model is made of it; all else then reads another, so that a compiler has
// nothing to add.
template <class C, class Type>
using if_config_t = std::conditional_t<has_text_fields<C>, Type, MoeTextDefaults>;

}  // namespace detail

// The text part of a composite config, or the config itself.
template <class C>
using text_config_t = detail::if_config_t<C, typename detail::TextConfigOf<C>::type>;

// Mixture of experts, or the dense feed-forward of the small siblings?
template <class C>
inline constexpr bool is_moe = requires {
  text_config_t<C>::num_experts;
};

// Does the head share the embedding's matrix? A composite config's own flag decides.
template <class C>
inline constexpr bool tied_embeddings = detail::if_config_t<C, C>::tie_word_embeddings;

// Layers of one kind.
template <class C>
inline constexpr std::size_t layer_count(LayerType type) {
  std::size_t count = 0;
  for (const LayerType other : text_config_t<C>::layer_types) {
    count += other == type ? 1 : 0;
  }
  return count;
}

// The number of rotary entries of a head: int(head_dim * partial_rotary_factor), rounded up to pairs.
template <class C>
inline constexpr std::size_t rotary_dim =
    (static_cast<std::size_t>(static_cast<double>(C::head_dim) * C::rope_parameters.partial_rotary_factor) + 1) / 2 * 2;

// Are all sizes positive?
template <class C>
concept SizesArePositive = C::vocab_size >
0 && C::hidden_size > 0 && C::num_hidden_layers > 0 && C::num_attention_heads > 0 && C::num_key_value_heads > 0 &&
    C::head_dim > 0 && C::linear_num_key_heads > 0 && C::linear_num_value_heads > 0 && C::linear_key_head_dim > 0 &&
    C::linear_value_head_dim > 0 && C::linear_conv_kernel_dim > 0;

// Is num_attention_heads a multiple of num_key_value_heads?
template <class C>
concept QueryHeadsGroupEvenly = C::num_attention_heads % C::num_key_value_heads == 0;

// Is linear_num_value_heads a multiple of linear_num_key_heads?
template <class C>
concept ValueHeadsGroupEvenly = C::linear_num_value_heads % C::linear_num_key_heads == 0;

// Does layer_types have one entry for each of num_hidden_layers?
template <class C>
concept LayerTypesMatchDepth = C::layer_types.size() == C::num_hidden_layers;

// Does the rotary embedding turn at least one pair, and no more entries than a head has?
template <class C>
concept RotaryFitsHead = rotary_dim<C>
>= 2 && rotary_dim<C> <= C::head_dim;

// Is there a feed-forward: experts or a dense intermediate_size?
template <class C>
concept HasFeedForward = requires {
  C::num_experts;
}
|| requires {
  C::intermediate_size;
};

// Is num_experts_per_tok between 1 and num_experts?
template <class C>
concept ExpertsPerTokenFit = !requires {
  C::num_experts;
}
|| (C::num_experts_per_tok >= 1 && C::num_experts_per_tok <= C::num_experts);

template <class C>
concept TextConfig = HasTextSizes<C> && HasTextValues<C> && SizesArePositive<C> && QueryHeadsGroupEvenly<C> &&
    ValueHeadsGroupEvenly<C> && LayerTypesMatchDepth<C> && RotaryFitsHead<C> && HasFeedForward<C> &&
    ExpertsPerTokenFit<C>;

QWEN35_END_NAMESPACE
