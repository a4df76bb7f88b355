// SPDX-License-Identifier: Apache-2.0
#include "shapes_model.hpp"

QWEN35_INSTANTIATE_MULTIMODAL(qwen35::configs::Shapes)
QWEN35_INSTANTIATE_GENERATE(qwen35::CausalLM<qwen35::configs::Shapes>)
