// SPDX-License-Identifier: Apache-2.0
// expect: RotaryFitsHead
#include <qwen35/config/text_config.hpp>

struct Model : qwen35::MoeTextDefaults {
#if defined(QWEN35_POSITIVE_CONTROL)
  static constexpr qwen35::RopeParameters rope_parameters = {.partial_rotary_factor = 1.0};
#else
  static constexpr qwen35::RopeParameters rope_parameters = {.partial_rotary_factor = 1.25};
#endif
};
static_assert(qwen35::TextConfig<Model>);
