// SPDX-License-Identifier: Apache-2.0
#include <qwen35/config/presets.hpp>
#include <qwen35/config/vision_config.hpp>

#include <doctest/doctest.h>

using namespace qwen35;

namespace {

struct UnevenHeads : VisionDefaults {
  static constexpr std::size_t num_heads = 7;
};
struct OddHead : VisionDefaults {
  static constexpr std::size_t hidden_size = 96;  // heads of 6: no two even halves for height and width
};
struct NoHeads : VisionDefaults {
  static constexpr std::size_t num_heads = 0;
};
struct NoPatch : VisionDefaults {
  static constexpr std::size_t patch_size = 0;
};

}  // namespace

static_assert(VisionConfig<VisionDefaults>);
static_assert(!VisionHeadsDivideWidth<UnevenHeads> && !VisionConfig<UnevenHeads>);
static_assert(!VisionHeadRotates<OddHead> && !VisionConfig<OddHead>);
static_assert(!VisionHeadsDivideWidth<NoHeads> && !VisionConfig<NoHeads>);
static_assert(!VisionConfig<NoPatch>);

TEST_CASE("a tower feeds the text model of its width") {
  using Small = configs::Qwen35_0_8B;
  using Large = configs::Qwen35_27B;
  CHECK(VisionFeedsText<vision_config_t<Small>, text_config_t<Small>>);
  CHECK(VisionFeedsText<vision_config_t<Large>, text_config_t<Large>>);
  CHECK_FALSE(VisionFeedsText<vision_config_t<Large>, text_config_t<Small>>);
  CHECK_FALSE(VisionFeedsText<VisionDefaults, MoeTextDefaults>);
}

TEST_CASE("composite configs have a tower") {
  CHECK(is_multimodal<configs::Shapes>);
  CHECK_FALSE(is_multimodal<configs::Shapes::text_config>);
}
