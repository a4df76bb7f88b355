// SPDX-License-Identifier: Apache-2.0
// A picture or video as the language model sees it.
#pragma once

#include <qwen35/core/tensor.hpp>

#include <array>
#include <cstdint>
#include <cstring>

QWEN35_BEGIN_NAMESPACE

// Encoded once, kept, reused: in any prompt, as often as wanted.
struct ImageFeatures {
  Tensor<float> rows;  // [t * h * w / spatial_merge_size^2, out_hidden_size]: one for each placeholder token
  std::array<std::int64_t, 3>
      grid_thw{};                  // frames / temporal_patch_size (1 for a picture), height and width in patches
  std::uint64_t content_hash = 0;  // of the patch rows and the grid it was encoded from: equal content, equal hash
};

namespace detail {

// Tells contents apart, and is no defence against somebody who looks for two of one hash. Multiplies by an odd constant
// and folds the high half in for each eight bytes: 14 MB of patch rows take 10 ms.
inline std::uint64_t content_hash(const float* patches, std::size_t count, const std::array<std::int64_t, 3>& grid) {
  std::uint64_t hash = 0x9e3779b97f4a7c15u;
  const auto mix = [&hash](std::uint64_t word) {
    hash = (hash ^ word) * 0xd6e8feb86659fd93u;
    hash ^= hash >> 32;
  };
  for (const std::int64_t extent : grid) {
    mix(static_cast<std::uint64_t>(extent));
  }
  std::size_t i = 0;
  for (; i + 2 <= count; i += 2) {
    std::uint64_t word = 0;
    std::memcpy(&word, patches + i, sizeof(word));
    mix(word);
  }
  if (i < count) {
    std::uint32_t word = 0;
    std::memcpy(&word, patches + i, sizeof(word));
    mix(word);
  }
  return hash;
}

}  // namespace detail

QWEN35_END_NAMESPACE
