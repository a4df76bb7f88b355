// SPDX-License-Identifier: Apache-2.0
// expect: Config has no vision_config; a text model is a TextModel or a CausalLM
#include <qwen35/config/presets.hpp>
#include <qwen35/model/multimodal_model.hpp>

#if defined(QWEN35_POSITIVE_CONTROL)
static_assert(sizeof(qwen35::Model<qwen35::configs::Qwen35_35B_A3B>) > 0);
#else
static_assert(sizeof(qwen35::Model<qwen35::configs::Qwen35_35B_A3B::text_config>) > 0);
#endif
