// SPDX-License-Identifier: Apache-2.0
// expect: QueryHeadsGroupEvenly
#include <qwen35/config/text_config.hpp>

struct Model : qwen35::MoeTextDefaults {
#if defined(QWEN35_POSITIVE_CONTROL)
  static constexpr std::size_t num_attention_heads = 14;
#else
  static constexpr std::size_t num_attention_heads = 15;
#endif
};
static_assert(qwen35::TextConfig<Model>);
