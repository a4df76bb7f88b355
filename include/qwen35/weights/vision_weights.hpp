// SPDX-License-Identifier: Apache-2.0
// All weights of a vision tower, and the one walk over them.
#pragma once

#include <qwen35/layers/patch_merger.hpp>
#include <qwen35/weights/bound_storage.hpp>

#include <memory>
#include <string>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// Views into a file or into `storage`, where also the vectors are that are kept as f32.
struct VisionWeights {
  LinearWeights patch_embed;  // [hidden_size, in_channels * temporal_patch_size * patch_size^2]
  Matrix pos_embed;           // [num_position_embeddings, hidden_size]
  std::vector<VisionBlockWeights> blocks;
  PatchMergerWeights merger;

  // What the views look at.
  BoundStorage storage;
  std::shared_ptr<const void> file;
};

// Calls `visitor` with each parameter of a tower and the member that holds it, see Parameter; the blocks exist already.
// Names are those of the reference's vision model.
template <VisionConfig Vision>
void visit_vision(VisionWeights& weights, ParameterVisitor& visitor) {
  constexpr std::size_t hidden = Vision::hidden_size;
  visit_linear(weights.patch_embed,
               {hidden, Vision::in_channels, Vision::temporal_patch_size, Vision::patch_size, Vision::patch_size},
               "patch_embed.proj", visitor);
  visitor(Parameter{"", "pos_embed.weight", {Vision::num_position_embeddings, hidden}}, weights.pos_embed);
  for (std::size_t i = 0; i < Vision::depth; ++i) {
    visit_parameters(weights.blocks[i], VisionBlockSizes{hidden, Vision::intermediate_size},
                     "blocks." + std::to_string(i) + ".", visitor);
  }
  visit_parameters(
      weights.merger,
      PatchMergerSizes{hidden, Vision::spatial_merge_size * Vision::spatial_merge_size, Vision::out_hidden_size},
      "merger.", visitor);
}

template <VisionConfig Vision>
void read_vision(const VisionWeights& weights, ParameterReader& reader) {
  visit_vision<Vision>(const_cast<VisionWeights&>(weights), reader);  // which changes nothing
}

// Weights whose blocks are there and whose views are empty: what a walk fills.
template <VisionConfig Vision>
VisionWeights empty_vision_weights() {
  VisionWeights weights;
  weights.blocks.resize(Vision::depth);
  return weights;
}

QWEN35_END_NAMESPACE
