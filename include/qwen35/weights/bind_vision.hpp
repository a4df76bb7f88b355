// SPDX-License-Identifier: Apache-2.0
// The vision tower's tensors, found under the checkpoint's own names.
#pragma once

#include <qwen35/config/vision_config.hpp>
#include <qwen35/weights/name_map.hpp>
#include <qwen35/weights/vision_weights.hpp>

QWEN35_BEGIN_NAMESPACE

namespace detail {

class VisionBinder {
 public:
  VisionBinder(const Checkpoint& checkpoint, VisionWeights& weights)
      : binder_(checkpoint, weights.storage), prefix_(NameMap::of(checkpoint).visual) {}

  template <class Vision>
  void bind(VisionWeights& out) {
    constexpr std::size_t hidden = Vision::hidden_size;
    constexpr std::size_t merged = hidden * Vision::spatial_merge_size * Vision::spatial_merge_size;
    const std::string patches = prefix_ + "patch_embed.proj";
    out.patch_embed.weight = binder_.flattened(
        patches + ".weight",
        {hidden, Vision::in_channels, Vision::temporal_patch_size, Vision::patch_size, Vision::patch_size});
    out.patch_embed.bias = binder_.vector(patches + ".bias", hidden);
    out.pos_embed = binder_.matrix(prefix_ + "pos_embed.weight", Vision::num_position_embeddings, hidden);
    for (std::size_t i = 0; i < Vision::depth; ++i) {
      const std::string block = prefix_ + "blocks." + std::to_string(i) + ".";
      out.blocks.push_back({norm(block + "norm1", hidden), norm(block + "norm2", hidden),
                            linear(block + "attn.qkv", 3 * hidden, hidden), linear(block + "attn.proj", hidden, hidden),
                            linear(block + "mlp.linear_fc1", Vision::intermediate_size, hidden),
                            linear(block + "mlp.linear_fc2", hidden, Vision::intermediate_size)});
    }
    out.merger = {norm(prefix_ + "merger.norm", hidden), linear(prefix_ + "merger.linear_fc1", merged, merged),
                  linear(prefix_ + "merger.linear_fc2", Vision::out_hidden_size, merged)};
    binder_.finish([](std::string_view name) { return !NameMap::is_visual(name) || NameMap::is_rotary_buffer(name); });
  }

 private:
  LayerNormWeights norm(const std::string& name, std::size_t size) {
    return {binder_.vector(name + ".weight", size), binder_.vector(name + ".bias", size)};
  }
  LinearWeights linear(const std::string& name, std::size_t rows, std::size_t cols) {
    return {binder_.matrix(name + ".weight", rows, cols), binder_.vector(name + ".bias", rows)};
  }

  Binder binder_;
  std::string prefix_;
};

}  // namespace detail

// Binds every tensor of the vision tower; those of other parts are passed over. Raises one CheckpointError that lists
// all missing, unknown and misshapen tensors.
template <VisionConfig Vision>
VisionWeights bind_vision(const Checkpoint& checkpoint) {
  VisionWeights weights;
  detail::VisionBinder(checkpoint, weights).bind<Vision>(weights);
  weights.file = checkpoint.owner();
  return weights;
}

QWEN35_END_NAMESPACE
