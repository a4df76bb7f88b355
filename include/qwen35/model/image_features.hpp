// SPDX-License-Identifier: Apache-2.0
// A picture or video as the language model sees it.
#pragma once

#include <qwen35/core/tensor.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/core/hash.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

// Encoded once, kept, reused: in any prompt, as often as wanted.
struct ImageFeatures {
  Tensor<float> pooler_output;  // [t * h * w / spatial_merge_size^2, out_hidden_size]: a row for each placeholder token
  std::array<std::int64_t, 3>
      grid_thw{};                  // frames / temporal_patch_size (1 for a picture), height and width in patches
  std::uint64_t content_hash = 0;  // of the patch rows and the grid it was encoded from: equal content, equal hash
};

// Several of them, which must outlive it: a view of temporaries does not compile.
struct ImageFeaturesView : std::span<const ImageFeatures> {
  using span::span;
  ImageFeaturesView(std::span<const ImageFeatures> features) : span(features) {}
  ImageFeaturesView(std::vector<ImageFeatures>&& temporary) = delete;
  ImageFeaturesView(const std::vector<ImageFeatures>&& temporary) = delete;
};

std::uint64_t content_hash(const float* patches, std::size_t count, const std::array<std::int64_t, 3>& grid);

#if QWEN35_BODIES

QWEN35_BODY std::uint64_t content_hash(const float* patches, std::size_t count,
                                       const std::array<std::int64_t, 3>& grid) {
  Hasher hasher;
  hasher.bytes(grid.data(), sizeof(grid));
  hasher.bytes(patches, count * sizeof(float));
  return hasher.value();
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
