// SPDX-License-Identifier: Apache-2.0
// The layout of a small cache that belongs to no config.
#pragma once

#include <qwen35/cache/cache_layout.hpp>

namespace test_support {

inline constexpr qwen35::CacheLayout small_layout{.linear_layers = 1,
                                                  .full_layers = 2,
                                                  .conv_floats = 6,
                                                  .recurrent_floats = 10,
                                                  .kv_heads = 2,
                                                  .head_dim = 4,
                                                  .kv_dtype = qwen35::DType::f16};

}  // namespace test_support
