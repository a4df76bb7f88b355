// SPDX-License-Identifier: Apache-2.0
// The vision tower: patch rows to the rows that stand in the language model's input. Source: reference
// `Qwen3_5MoeVisionModel`.
#pragma once

#include <qwen35/config/config_file.hpp>
#include <qwen35/core/grid.hpp>
#include <qwen35/core/lifetime.hpp>
#include <qwen35/layers/vision_positions.hpp>
#include <qwen35/model/image_features.hpp>
#include <qwen35/weights/bind_vision.hpp>
#include <qwen35/weights/fingerprint.hpp>
#include <qwen35/weights/initialise.hpp>
#include <qwen35/weights/save_checkpoint.hpp>

#include <functional>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// Called before the first block and after each, on the calling thread; units are patches x blocks. Returning false
// stops the encoding: its output is then empty.
using VisionProgress = std::function<bool(std::size_t done, std::size_t total)>;

// Arguments as in the reference.
struct VisionTowerInput {
  TensorView<float> hidden_states{};    // [patches of all items, in_channels * temporal_patch_size * patch_size^2]: a
                                        // processor's pixel values
  TensorView<std::int64_t> grid_thw{};  // [items, 3]: frames / temporal_patch_size, height and width in patches
  bool output_hidden_states = false;
  bool output_attentions = false;
  VisionProgress progress{};
};

// Outputs as in the reference.
struct BaseModelOutputWithPooling {
  Tensor<float> last_hidden_state;  // [patches, hidden_size], before the merger
  Tensor<float> pooler_output;      // [patches / spatial_merge_size^2, out_hidden_size]
  std::vector<Tensor<float>>
      hidden_states;  // depth + 1, [patches, hidden_size]: what enters the first block, and what leaves each
  // depth, [patches, hidden_size]: as in the reference what the attention of each block adds, behind its projection,
  // not the probabilities. 4 bytes x depth x patches x hidden_size: 0.5 GB for 4096 patches of the published towers.
  std::vector<Tensor<float>> attentions;
};

// Immutable and shared between threads. A picture's result does not depend, bit for bit, on what is encoded with it.
template <VisionConfig Vision>
class VisionTower {
 public:
  using config_type = Vision;
  using Block = VisionBlock<Vision::num_heads, Vision::hidden_size / Vision::num_heads, Vision::hidden_act>;
  using Merger = PatchMerger<Vision::hidden_size, Vision::spatial_merge_size * Vision::spatial_merge_size>;

  static constexpr std::size_t hidden_size = Vision::hidden_size;
  static constexpr std::size_t patch_values =
      Vision::in_channels * Vision::temporal_patch_size * Vision::patch_size * Vision::patch_size;
  static constexpr std::size_t block_size = Vision::spatial_merge_size * Vision::spatial_merge_size;
  // Frames are encoded together up to this many patches, larger ones alone; a patch takes about 16 bytes x hidden_size
  // of memory meanwhile.
  static constexpr std::size_t group_patches = 4096;

  explicit VisionTower(VisionWeights weights)
      : weights_(std::move(weights)), fingerprint_(declined() ? 0 : qwen35::fingerprint<Vision>(weights_)) {
    require_isa_of_environment();
  }
  // With fresh weights.
  explicit VisionTower(const InitOptions& options) : VisionTower(initialised_vision<Vision>(options)) {}
  // Holds the vision_config of config.json against the type and binds the visual tensors. Raises ConfigError,
  // CheckpointError.
  explicit VisionTower(const Checkpoint& checkpoint)
      : VisionTower((check_vision<Vision>(checkpoint), bind_vision<Vision>(checkpoint))) {}
  static VisionTower from_pretrained(const std::string& folder, const CheckpointOptions& options = {}) {
    return VisionTower(Checkpoint::open(folder, checked_for_tower<Vision>(options)));
  }
  // The same, with what it would raise as a failure.
  static Result<VisionTower> try_from_pretrained(const std::string& folder, const CheckpointOptions& options = {}) {
    return try_bind<VisionTower>(folder, checked_for_tower<Vision>(options));
  }

  // Raises InputError for patch rows and grids that contradict each other or the config.
  BaseModelOutputWithPooling forward(const VisionTowerInput& input) const;
  BaseModelOutputWithPooling operator()(const VisionTowerInput& input) const { return forward(input); }

  // One ImageFeatures for each item of the grid; none when `progress` stopped it. Raises InputError as forward().
  std::vector<ImageFeatures> encode(TensorView<float> pixel_values, TensorView<std::int64_t> grid_thw,
                                    const VisionProgress& progress = {}) const;

  // The patch embedding alone: `[patches, patch_values]` -> `[patches, hidden_size]`.
  Tensor<float> patch_embed(TensorView<float> pixel_values) const;

  std::vector<NamedParameter> named_parameters() const {
    return qwen35::named_parameters<Vision>(weights_, HuggingFaceNames::of_part());
  }
  static std::size_t num_parameters() { return num_vision_parameters<Vision>(); }
  // Writes a folder that from_pretrained() and the reference load, see save_checkpoint(). `moe`: as the tower of a
  // model with experts. Raises CheckpointError.
  void save_pretrained(const std::string& folder, const SaveOptions& options = {}, bool moe = true) const;

  const VisionWeights& weights() const QWEN35_LIFETIMEBOUND { return weights_; }
  static constexpr Vision config() { return {}; }  // its members are the fields: config().depth
  // Identifies the tower: rows of one are not rows of another.
  std::uint64_t fingerprint() const { return fingerprint_; }

 private:
  // Consecutive frames of the input that go through the blocks together.
  struct Group {
    std::size_t first = 0;  // patches
    std::size_t rows = 0;
    std::vector<Frame> frames;     // counted from `first`
    std::vector<PatchGrid> grids;  // of each frame
  };

  static std::vector<Group> groups_of(const VisionTowerInput& input);
  static void check(TensorView<float> pixel_values);
  void embed(const float* patches, std::size_t rows, float* x, Arena& arena) const;
  void embed(const float* patches, const Group& group, float* x, Arena& arena) const;
  static std::size_t workspace_bytes(const Group& group);

  VisionWeights weights_;
  std::uint64_t fingerprint_;
};

QWEN35_END_NAMESPACE

#include <qwen35/model/vision_tower_impl.hpp>
