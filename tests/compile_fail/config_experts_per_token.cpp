// SPDX-License-Identifier: Apache-2.0
// expect: ExpertsPerTokenFit
#include <qwen35/config/text_config.hpp>

struct Model : qwen35::MoeTextDefaults {
#if defined(QWEN35_POSITIVE_CONTROL)
  static constexpr std::size_t num_experts = 8;
#else
  static constexpr std::size_t num_experts = 4;
#endif
};
static_assert(qwen35::TextConfig<Model>);
