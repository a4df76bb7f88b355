// SPDX-License-Identifier: Apache-2.0
// The models of the shapes config are compiled in one file of our own programs.
#pragma once

#include <qwen35/config/presets.hpp>
#include <qwen35/generate/instantiate.hpp>
#include <qwen35/model/instantiate.hpp>

QWEN35_EXTERN_MULTIMODAL(qwen35::configs::Shapes)
QWEN35_EXTERN_GENERATE(qwen35::CausalLM<qwen35::configs::Shapes>)
