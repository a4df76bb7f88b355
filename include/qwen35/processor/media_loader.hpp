// SPDX-License-Identifier: Apache-2.0
// How a session gets at the pixels of a message: a function, so that a session itself needs no image library.
#pragma once

#include <qwen35/core/result.hpp>
#include <qwen35/core/tensor.hpp>
#include <qwen35/text/message.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// One picture or video, ready for the vision tower.
struct LoadedMedium {
  Tensor<float> pixel_values;              // [patches, in_channels * temporal_patch_size * patch_size^2]
  std::array<std::int64_t, 3> grid_thw{};  // frames / temporal_patch_size, height and width in patches
  std::vector<double> timestamps;          // video: seconds, of each temporal patch
  std::size_t merge_size = 2;              // a token stands for merge_size^2 patches
};

// Loads what a part of type image or video names or carries. Raises MediaError. Processor::media_loader() makes one.
using MediaLoader = std::function<LoadedMedium(const ContentPart&)>;

// How messages call each of several media; only asked when one cannot be read.
using PlaceOfMedium = std::function<std::string(std::size_t index)>;

// "images[1]".
inline PlaceOfMedium place_in_list(const char* list) {
  return [list](std::size_t index) { return concat(list, "[", index, "]"); };
}

QWEN35_END_NAMESPACE
