// SPDX-License-Identifier: Apache-2.0
// f32: values as they are worked with.
#pragma once

#include <qwen35/core/format.hpp>

QWEN35_BEGIN_NAMESPACE

template <>
struct StoredAs<Format::f32> {
  using Block = float;
  static constexpr void decode(const Block& block, float* values) { *values = block; }
  static constexpr void encode(const float* values, Block& block) { block = *values; }
};

QWEN35_END_NAMESPACE
