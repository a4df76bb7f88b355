// SPDX-License-Identifier: Apache-2.0
// expect: VisionFeedsText
#include <qwen35/config/vision_config.hpp>

struct Tower : qwen35::VisionDefaults {
#if defined(QWEN35_POSITIVE_CONTROL)
  static constexpr std::size_t out_hidden_size = 2048;
#endif
};

template <class Vision, class Text>
requires qwen35::VisionFeedsText<Vision, Text>
struct Model {
};
template struct Model<Tower, qwen35::MoeTextDefaults>;
