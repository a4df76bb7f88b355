// SPDX-License-Identifier: Apache-2.0
// Bodies of VisionTower, out of class so that `extern template` can keep them in one translation unit.
#pragma once

#include <qwen35/config/config_writer.hpp>
#include <qwen35/core/cancellation.hpp>
#include <qwen35/model/vision_tower.hpp>

QWEN35_BEGIN_NAMESPACE

template <VisionConfig Vision>
void VisionTower<Vision>::save_pretrained(const std::string& folder, const SaveOptions& options, bool moe) const {
  json::Value config = vision_config_json<Vision>(moe);
  config["architectures"].push_back(moe ? "Qwen3_5MoeVisionModel" : "Qwen3_5VisionModel");
  save_checkpoint(folder, std::move(config), named_parameters(), options);
}

template <VisionConfig Vision>
void VisionTower<Vision>::check(TensorView<float> pixel_values) {
  const Shape& shape = pixel_values.shape();
  require<InputError>(pixel_values && shape.rank() == 2 && shape[1] == patch_values && shape[0] > 0,
                      "pixel values of shape ", to_string(shape), ", expected [patches, ", patch_values,
                      "], not empty");
}

template <VisionConfig Vision>
std::vector<typename VisionTower<Vision>::Group> VisionTower<Vision>::groups_of(const VisionTowerInput& input) {
  check(input.hidden_states);
  const std::size_t items = grid_count(input.grid_thw, "grid_thw");
  require<InputError>(items > 0, "grid_thw of shape ", to_string(input.grid_thw.shape()),
                      ", expected [items, 3], not empty");
  constexpr std::size_t merge = Vision::spatial_merge_size;
  const std::size_t patches = input.hidden_states.shape()[0];
  std::vector<Group> groups(1);
  std::size_t seen = 0;
  for (std::size_t item = 0; item < items; ++item) {
    const Grid grid = grid_at(input.grid_thw, item, merge, "grid_thw");
    require<InputError>(grid.patches() <= patches - seen, "grid_thw[", item, "] is (", grid.t, ", ", grid.h, ", ",
                        grid.w, "), of the ", patches, " patches there are ", patches - seen, " left");
    const PatchGrid frame{static_cast<std::size_t>(grid.h), static_cast<std::size_t>(grid.w), merge};
    for (std::size_t t = 0; t < grid.frames(); ++t, seen += frame.size()) {
      if (groups.back().rows > 0 && groups.back().rows + frame.size() > group_patches) {
        groups.emplace_back().first = seen;
      }
      Group& group = groups.back();
      group.frames.push_back({group.rows, frame.size()});
      group.grids.push_back(frame);
      group.rows += frame.size();
    }
  }
  require<InputError>(seen == patches, "grid_thw describes ", seen, " patches, the pixel values hold ", patches);
  return groups;
}

template <VisionConfig Vision>
std::size_t VisionTower<Vision>::workspace_bytes(const Group& group) {
  return 2 * Arena::cost<float>(group.rows * (hidden_size / Vision::num_heads / 2)) +
         std::max({scratch_bytes<RowsScratch<ArenaMeter>>(vision_chunk(group.rows), patch_values),
                   Block::workspace_bytes(group.rows, group.frames.size(), Vision::intermediate_size),
                   Merger::workspace_bytes(group.rows / block_size)});
}

template <VisionConfig Vision>
Tensor<float> VisionTower<Vision>::patch_embed(TensorView<float> pixel_values) const {
  check(pixel_values);
  Tensor<float> out({pixel_values.shape()[0], hidden_size});
  const std::size_t patches = pixel_values.shape()[0];
  Arena arena(scratch_bytes<RowsScratch<ArenaMeter>>(vision_chunk(patches), patch_values));
  embed(pixel_values.data(), patches, out.data(), arena);
  return out;
}

template <VisionConfig Vision>
void VisionTower<Vision>::embed(const float* patches, std::size_t rows, float* x, Arena& arena) const {
  const Arena::Scope scope(arena);
  const RowsScratch<Arena> scratch(arena, vision_chunk(rows), patch_values);
  each_vision_chunk(rows, [&](std::size_t first, std::size_t count) {
    project(Rows(patches + first * patch_values, count, patch_values, scratch),
            {{weights_.patch_embed.weight, x + first * hidden_size, hidden_size, weights_.patch_embed.bias}});
  });
}

// Patch embedding and positions of a group: patches `[all patches, patch_values]` -> x `[group.rows, hidden_size]`.
template <VisionConfig Vision>
void VisionTower<Vision>::embed(const float* patches, const Group& group, float* x, Arena& arena) const {
  embed(patches + group.first * patch_values, group.rows, x, arena);
  for (std::size_t f = 0; f < group.frames.size();) {
    std::size_t same = f + 1;  // frames of one size
    while (same < group.frames.size() && group.grids[same] == group.grids[f]) {
      ++same;
    }
    add_position_embedding(weights_.pos_embed, group.grids[f], same - f, x + group.frames[f].first * hidden_size);
    f = same;
  }
}

template <VisionConfig Vision>
BaseModelOutputWithPooling VisionTower<Vision>::forward(const VisionTowerInput& input) const {
  const std::vector<Group> groups = groups_of(input);
  const std::size_t patches = input.hidden_states.shape()[0];
  constexpr std::size_t half = hidden_size / Vision::num_heads / 2;
  BaseModelOutputWithPooling output;
  output.last_hidden_state = Tensor<float>({patches, hidden_size});
  output.pooler_output = Tensor<float>({patches / block_size, Vision::out_hidden_size});
  if (input.output_hidden_states) {
    output.hidden_states.assign(Vision::depth + 1, Tensor<float>({patches, hidden_size}));
  }
  if (input.output_attentions) {
    output.attentions.assign(Vision::depth, Tensor<float>({patches, hidden_size}));
  }
  std::size_t needed = 0;
  for (const Group& group : groups) {
    needed = std::max(needed, workspace_bytes(group));
  }
  Arena arena(needed);
  const std::size_t total = patches * Vision::depth;
  for (const Group& group : groups) {
    const Arena::Scope scope(arena);
    float* const x = output.last_hidden_state.data() + group.first * hidden_size;
    embed(input.hidden_states.data(), group, x, arena);
    float* const cos = arena.take<float>(group.rows * half);
    float* const sin = arena.take<float>(group.rows * half);
    for (std::size_t f = 0; f < group.frames.size(); ++f) {
      const std::size_t place = group.frames[f].first * half;
      if (f > 0 && group.grids[f] == group.grids[f - 1]) {
        std::copy_n(cos + group.frames[f - 1].first * half, group.frames[f].count * half, cos + place);
        std::copy_n(sin + group.frames[f - 1].first * half, group.frames[f].count * half, sin + place);
      } else {
        fill_vision_rotary(group.grids[f], half, cos + place, sin + place);
      }
    }
    for (std::size_t layer = 0; layer <= Vision::depth; ++layer) {
      if (layer > 0) {
        float* const attended =
            input.output_attentions ? output.attentions[layer - 1].data() + group.first * hidden_size : nullptr;
        Block::forward(weights_.blocks[layer - 1], x, group.rows, group.frames, {cos, sin, half}, arena, attended);
      }
      if (input.output_hidden_states) {
        std::copy_n(x, group.rows * hidden_size, output.hidden_states[layer].data() + group.first * hidden_size);
      }
      CallScope::step("encode", group.first * Vision::depth + group.rows * layer, total);
      if (input.progress && !input.progress(group.first * Vision::depth + group.rows * layer, total)) {
        return {};
      }
    }
    Merger::forward(weights_.merger, x,
                    output.pooler_output.data() + group.first / block_size * Vision::out_hidden_size,
                    group.rows / block_size, arena);
  }
  return output;
}

template <VisionConfig Vision>
std::vector<ImageFeatures> VisionTower<Vision>::encode(TensorView<float> pixel_values,
                                                       TensorView<std::int64_t> grid_thw,
                                                       const VisionProgress& progress) const {
  const BaseModelOutputWithPooling encoded =
      forward({.hidden_states = pixel_values, .grid_thw = grid_thw, .progress = progress});
  std::vector<ImageFeatures> out;
  if (encoded.pooler_output.empty()) {
    return out;
  }
  std::size_t patch = 0;
  for (std::size_t item = 0; item < grid_thw.shape()[0]; ++item) {
    ImageFeatures& features = out.emplace_back();
    std::copy_n(grid_thw.data() + 3 * item, 3, features.grid_thw.begin());
    const auto patches = static_cast<std::size_t>(features.grid_thw[0] * features.grid_thw[1] * features.grid_thw[2]);
    features.pooler_output = Tensor<float>({patches / block_size, Vision::out_hidden_size});
    std::copy_n(encoded.pooler_output.data() + patch / block_size * Vision::out_hidden_size,
                features.pooler_output.size(), features.pooler_output.data());
    features.content_hash =
        content_hash(pixel_values.data() + patch * patch_values, patches * patch_values, features.grid_thw);
    patch += patches;
  }
  return out;
}

QWEN35_END_NAMESPACE
