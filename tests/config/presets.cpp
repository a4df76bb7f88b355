// SPDX-License-Identifier: Apache-2.0
// The presets against the files that the reference writes for the published sizes, and the reference's defaults.
#include <qwen35/config/config_file.hpp>
#include <qwen35/config/presets.hpp>

#include "config_test.hpp"

#include <doctest/doctest.h>

using namespace qwen35;

namespace {

template <class C>
inline constexpr bool sound = TextConfig<text_config_t<C>>&& VisionConfig<vision_config_t<C>>&&
    VisionFeedsText<vision_config_t<C>, text_config_t<C>>;

template <class C>
void holds(const json::Value& file) {
  config_test::check_values<C>(check<C>(file));  // raises when a shape differs
  const ConfigValues own = ConfigValues::from<C>();
  const json::Value& text = file.at("text_config");
  CHECK(text.at("initializer_range").as_number() == text_config_t<C>::initializer_range);
  CHECK(text.at("attention_dropout").as_number() == text_config_t<C>::attention_dropout);
  CHECK(text.at("tie_word_embeddings").as_bool() == text_config_t<C>::tie_word_embeddings);
  CHECK(file.at("vision_config").at("initializer_range").as_number() == vision_config_t<C>::initializer_range);
  // The text part as a type of its own, from the whole file and from a text-only one.
  CHECK(check<text_config_t<C>>(file).text_config.rope_parameters == own.text_config.rope_parameters);
  CHECK(check<text_config_t<C>>(text).text_config.eos_token_id == own.text_config.eos_token_id);
  CHECK(check<C>(text).vision_end_token_id == own.vision_end_token_id);
}

struct MoeDefaults : CompositeDefaults {
  using text_config = MoeTextDefaults;
  using vision_config = VisionDefaults;
};
struct DenseDefaults : CompositeDefaults {
  using text_config = DenseTextDefaults;
  using vision_config = VisionDefaults;
};

}  // namespace

static_assert(sound<configs::Qwen35_35B_A3B> && sound<configs::Qwen36_35B_A3B> && sound<configs::Qwen35_122B_A10B> &&
              sound<configs::Qwen35_397B_A17B>);
static_assert(sound<configs::Qwen35_0_8B> && sound<configs::Qwen35_2B> && sound<configs::Qwen35_4B> &&
              sound<configs::Qwen35_9B> && sound<configs::Qwen35_27B> && sound<configs::Shapes>);

TEST_CASE("the presets describe the published files") {
  const json::Value recorded = config_test::recorded("published.json");
  holds<configs::Qwen35_35B_A3B>(recorded.at("Qwen35_35B_A3B"));
  holds<configs::Qwen36_35B_A3B>(recorded.at("Qwen36_35B_A3B"));
  holds<configs::Qwen35_122B_A10B>(recorded.at("Qwen35_122B_A10B"));
  holds<configs::Qwen35_397B_A17B>(recorded.at("Qwen35_397B_A17B"));
  holds<configs::Qwen35_0_8B>(recorded.at("Qwen35_0_8B"));
  holds<configs::Qwen35_2B>(recorded.at("Qwen35_2B"));
  holds<configs::Qwen35_4B>(recorded.at("Qwen35_4B"));
  holds<configs::Qwen35_9B>(recorded.at("Qwen35_9B"));
  holds<configs::Qwen35_27B>(recorded.at("Qwen35_27B"));
}

TEST_CASE("a preset does not describe another model's file") {
  const json::Value recorded = config_test::recorded("published.json");
  CHECK_THROWS_AS(check<configs::Qwen35_35B_A3B>(recorded.at("Qwen35_122B_A10B")), ConfigError);
  CHECK_THROWS_AS(check<configs::Qwen35_0_8B>(recorded.at("Qwen35_2B")), ConfigError);
  CHECK_THROWS_AS(check<configs::Qwen35_9B>(recorded.at("Qwen35_35B_A3B")), ConfigError);
}

TEST_CASE("the defaults are the reference's") {
  const json::Value recorded = config_test::recorded("published.json");
  holds<MoeDefaults>(recorded.at("MoeDefaults"));
  holds<DenseDefaults>(recorded.at("DenseDefaults"));
  // An empty file says the same, but the family.
  CHECK(check<MoeDefaults>(json::parse("{}")).text_config.max_position_embeddings == 32768);
  CHECK(check<MoeDefaults>(json::parse(R"({"model_type": "qwen3_5_moe"})")).image_token_id == 248056);
  CHECK(check<DenseDefaults>(json::parse(R"({"model_type": "qwen3_5"})")).image_token_id == 248056);
  CHECK(check<DenseTextDefaults>(json::parse(R"({"model_type": "qwen3_5_text"})")).image_token_id == -1);
}
