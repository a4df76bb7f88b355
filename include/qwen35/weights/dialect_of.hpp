// SPDX-License-Identifier: Apache-2.0
// The dialect of a checkpoint.
#pragma once

#include <qwen35/weights/dialect.hpp>

#if QWEN35_BODIES
#include <qwen35/weights/affine_weight.hpp>
#include <qwen35/weights/dialect_gguf.hpp>
#include <qwen35/weights/dialect_huggingface.hpp>
#include <qwen35/weights/dialect_mlx.hpp>
#endif

#include <memory>

QWEN35_BEGIN_NAMESPACE

std::unique_ptr<Dialect> dialect_of(const Checkpoint& checkpoint, ModelPart part);

#if QWEN35_BODIES

QWEN35_BODY std::unique_ptr<Dialect> dialect_of(const Checkpoint& checkpoint, ModelPart part) {
  if (checkpoint.is_gguf()) {
    return std::make_unique<GgufDialect>(checkpoint, part);
  }
  if constexpr (AffineWeight::is_held) {  // one that does not hold MLX's formats is spared the rest too
    if (MlxDialect::is_of(checkpoint)) {
      return std::make_unique<MlxDialect>(checkpoint, part);
    }
  }
  return std::make_unique<HuggingFaceDialect>(checkpoint, part);
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
