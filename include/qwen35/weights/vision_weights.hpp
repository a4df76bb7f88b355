// SPDX-License-Identifier: Apache-2.0
// All weights of a vision tower: views into the checkpoint, and the vectors that are kept as f32.
#pragma once

#include <qwen35/layers/patch_merger.hpp>
#include <qwen35/weights/binder.hpp>

#include <memory>
#include <vector>

QWEN35_BEGIN_NAMESPACE

struct VisionWeights {
  LinearWeights patch_embed;  // [hidden_size, in_channels * temporal_patch_size * patch_size^2]
  Matrix pos_embed;           // [num_position_embeddings, hidden_size]
  std::vector<VisionBlockWeights> blocks;
  PatchMergerWeights merger;

  // What the views look at.
  BoundStorage storage;
  std::shared_ptr<const void> file;
};

QWEN35_END_NAMESPACE
