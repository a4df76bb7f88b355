// SPDX-License-Identifier: Apache-2.0
// expect: the vision tower's out_hidden_size is not the text model's hidden_size
// expect: VisionFeedsText
#include <qwen35/model/multimodal_model.hpp>

struct Pair : qwen35::CompositeDefaults {
  struct text_config : qwen35::MoeTextDefaults {};
  struct vision_config : qwen35::VisionDefaults {
#if defined(QWEN35_POSITIVE_CONTROL)
    static constexpr std::size_t out_hidden_size = 2048;
#endif
  };
};

static_assert(sizeof(qwen35::Model<Pair>) > 0);
