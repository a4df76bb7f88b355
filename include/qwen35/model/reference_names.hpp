// SPDX-License-Identifier: Apache-2.0
// The classes of the reference's API under its own names, for programs that are written after it.
#pragma once

#include <qwen35/cache/hybrid_cache.hpp>
#include <qwen35/config/vision_config.hpp>
#include <qwen35/model/causal_lm.hpp>
#include <qwen35/model/conditional_generation.hpp>
#include <qwen35/model/text_model.hpp>
#include <qwen35/model/vision_tower.hpp>

QWEN35_BEGIN_NAMESPACE

// A config is a type that derives from these and overrides members; those of the published models are in configs. The
// reference's defaults are no runnable model: their tower's out_hidden_size is not their text model's hidden_size.
using Qwen3_5MoeConfig = CompositeDefaults;
using Qwen3_5MoeTextConfig = MoeTextDefaults;
using Qwen3_5MoeVisionConfig = VisionDefaults;

template <VisionConfig Config>
using Qwen3_5MoeVisionModel = VisionTower<Config>;
template <class Config>
using Qwen3_5MoeTextModel = TextModel<Config>;
template <class Config>
using Qwen3_5MoeModel = Model<Config>;
template <class Config>
using Qwen3_5MoeForCausalLM = CausalLM<Config>;
template <class Config>
using Qwen3_5MoeForConditionalGeneration = ConditionalGeneration<Config>;
template <class Config>
using Qwen3_5MoeDynamicCache = HybridCache<Config>;

QWEN35_END_NAMESPACE
