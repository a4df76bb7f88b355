// SPDX-License-Identifier: Apache-2.0
// expect: ValueHeadsGroupEvenly
#include <qwen35/config/text_config.hpp>

struct Model : qwen35::MoeTextDefaults {
#if defined(QWEN35_POSITIVE_CONTROL)
  static constexpr std::size_t linear_num_value_heads = 48;
#else
  static constexpr std::size_t linear_num_value_heads = 40;
#endif
};
static_assert(qwen35::TextConfig<Model>);
