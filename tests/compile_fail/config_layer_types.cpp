// SPDX-License-Identifier: Apache-2.0
// expect: LayerTypesMatchDepth
#include <qwen35/config/text_config.hpp>

struct Model : qwen35::MoeTextDefaults {
#if defined(QWEN35_POSITIVE_CONTROL)
  static constexpr std::size_t num_hidden_layers = 40;
#else
  static constexpr std::size_t num_hidden_layers = 48;
#endif
};
static_assert(qwen35::TextConfig<Model>);
