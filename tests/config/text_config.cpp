// SPDX-License-Identifier: Apache-2.0
#include <qwen35/config/text_config.hpp>

#include <doctest/doctest.h>

using namespace qwen35;

namespace {

struct Good : MoeTextDefaults {
  static constexpr std::size_t num_hidden_layers = 6;
  static constexpr auto layer_types = hybrid_layer_types<6>(3);
  static constexpr std::size_t num_experts = 4;
  static constexpr std::size_t num_experts_per_tok = 4;
};
struct Dense : DenseTextDefaults {
  static constexpr bool tie_word_embeddings = true;
};
struct Composite {
  using text_config = Dense;
  static constexpr bool tie_word_embeddings = false;
};

struct WithName {
  struct text_config : Good {};
  static constexpr bool tie_word_embeddings = true;
};
struct Derived : WithName::text_config {  // has its base's name `text_config` as a member
  static constexpr std::size_t num_experts = 9;
};

struct OddQueryHeads : Good {
  static constexpr std::size_t num_attention_heads = 7;
};
struct OddValueHeads : Good {
  static constexpr std::size_t linear_num_value_heads = 24;
};
struct ShortPattern : Good {
  static constexpr auto layer_types = hybrid_layer_types<5>();
};
struct NoRotation : Good {
  static constexpr RopeParameters rope_parameters = {.partial_rotary_factor = 0.001};
};
struct WideRotation : Good {
  static constexpr RopeParameters rope_parameters = {.partial_rotary_factor = 1.5};
};
struct NoExpert : Good {
  static constexpr std::size_t num_experts_per_tok = 0;
};
struct TooManyExperts : Good {
  static constexpr std::size_t num_experts_per_tok = 5;
};
struct NoWidth : Good {
  static constexpr std::size_t hidden_size = 0;
};
struct OddRotation : Good {
  static constexpr std::size_t head_dim = 20;  // int(20 * 0.25) = 5
};
struct NoFeedForward : HybridTextDefaults {};
struct Nothing {};

}  // namespace

static_assert(TextConfig<MoeTextDefaults> && TextConfig<DenseTextDefaults> && TextConfig<Good> && TextConfig<Dense>);
static_assert(!QueryHeadsGroupEvenly<OddQueryHeads> && !TextConfig<OddQueryHeads>);
static_assert(!ValueHeadsGroupEvenly<OddValueHeads> && !TextConfig<OddValueHeads>);
static_assert(!LayerTypesMatchDepth<ShortPattern> && !TextConfig<ShortPattern>);
static_assert(!RotaryFitsHead<NoRotation> && !TextConfig<NoRotation>);
static_assert(!RotaryFitsHead<WideRotation> && !TextConfig<WideRotation>);
static_assert(!ExpertsPerTokenFit<NoExpert> && !TextConfig<NoExpert>);
static_assert(!ExpertsPerTokenFit<TooManyExperts> && !TextConfig<TooManyExperts>);
static_assert(!SizesArePositive<NoWidth> && !TextConfig<NoWidth>);
static_assert(!HasFeedForward<NoFeedForward> && !TextConfig<NoFeedForward>);
static_assert(!HasTextSizes<Nothing> && !HasTextValues<Nothing> && !TextConfig<Nothing>);

TEST_CASE("traits of text and composite configs") {
  CHECK(is_moe<Good>);
  CHECK_FALSE(is_moe<Dense>);
  CHECK_FALSE(is_moe<Composite>);
  CHECK(std::is_same_v<text_config_t<Composite>, Dense>);
  CHECK(std::is_same_v<text_config_t<Good>, Good>);
  CHECK(std::is_same_v<text_config_t<WithName>, WithName::text_config>);
  CHECK(std::is_same_v<text_config_t<Derived>, Derived>);
  CHECK((Derived::num_experts == 9 && tied_embeddings<WithName>));
  CHECK(tied_embeddings<Dense>);
  CHECK_FALSE(tied_embeddings<Composite>);  // a composite config's own flag decides
  CHECK(layer_count<Good>(LayerType::full_attention) == 2);
  CHECK(layer_count<Good>(LayerType::linear_attention) == 4);
  CHECK(layer_count<Composite>(LayerType::linear_attention) == 24);
}

TEST_CASE("rotary entries of a head come in pairs") {
  CHECK(rotary_dim<Good> == 64);
  CHECK(rotary_dim<OddRotation> == 6);
}
