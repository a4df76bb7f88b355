// SPDX-License-Identifier: Apache-2.0
// The front door: everything a program needs that has text, or patch rows and grids of pictures. Decoding of pictures:
// qwen35/media/.
#pragma once

// First, so that what they say stands on few lines.
#include <qwen35/core/requirements.hpp>
#include <qwen35/core/tensor.hpp>
#include <qwen35/layers/layers_of.hpp>
#include <qwen35/model/generate_calls.hpp>

#include <qwen35/cache/cache_file.hpp>
#include <qwen35/cache/hybrid_cache.hpp>
#include <qwen35/config/presets.hpp>
#include <qwen35/core/error.hpp>
#include <qwen35/generate/batch.hpp>
#include <qwen35/generate/generate.hpp>
#include <qwen35/kernels/kernels.hpp>
#include <qwen35/model/causal_lm.hpp>
#include <qwen35/model/conditional_generation.hpp>
#include <qwen35/model/reference_names.hpp>
#include <qwen35/model/text_model.hpp>
#include <qwen35/parallel/parallel_for.hpp>
#include <qwen35/text/chat_template.hpp>
#include <qwen35/text/tokenizer.hpp>
#include <qwen35/weights/checkpoint.hpp>
