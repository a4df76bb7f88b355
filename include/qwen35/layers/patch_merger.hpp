// SPDX-License-Identifier: Apache-2.0
// The patches of a block become one token of the language model. Source: reference `Qwen3_5MoeVisionPatchMerger`.
#pragma once

#include <qwen35/layers/vision_block.hpp>

QWEN35_BEGIN_NAMESPACE

struct PatchMergerWeights {
  LayerNormWeights norm;     // [hidden_size]
  LinearWeights linear_fc1;  // [block * hidden_size, block * hidden_size]
  LinearWeights linear_fc2;  // [out_hidden_size, block * hidden_size]
};

struct PatchMergerSizes {
  std::size_t hidden_size = 0;
  std::size_t block = 0;  // patches
  std::size_t out_hidden_size = 0;
};

void visit_parameters(PatchMergerWeights& weights, const PatchMergerSizes& sizes, const std::string& prefix,
                      ParameterVisitor& visitor);

// BlockSize patches (spatial_merge_size squared) follow each other.
template <std::size_t HiddenSize, std::size_t BlockSize>
struct PatchMerger {
  static_assert(HiddenSize > 0 && BlockSize > 0, "PatchMerger<HiddenSize, BlockSize>: both must be positive");
  using Weights = PatchMergerWeights;
  static constexpr std::size_t width = HiddenSize * BlockSize;

  static constexpr std::size_t workspace_bytes(std::size_t blocks) {
    return scratch_bytes<Scratch<ArenaMeter>>(blocks);
  }

  // x `[blocks * BlockSize, HiddenSize]` -> y `[blocks, out_hidden_size]`
  static void forward(const Weights& weights, const float* x, float* y, std::size_t blocks, Arena& arena) {
    const Scratch<Arena> scratch(arena, blocks);
    const std::size_t out = weights.linear_fc2.weight.rows;
    each_vision_chunk(blocks, [&](std::size_t first, std::size_t count) {
      layer_norm_rows(weights.norm, x + first * width, count * BlockSize, HiddenSize, scratch.normed);
      project(Rows(scratch.normed, count, width, scratch.rows),
              {{weights.linear_fc1.weight, scratch.hidden, width, weights.linear_fc1.bias}});
      activate_rows(Activation::gelu, scratch.hidden, count, width);
      project(Rows(scratch.hidden, count, width, scratch.rows),
              {{weights.linear_fc2.weight, y + first * out, out, weights.linear_fc2.bias}});
    });
  }

 private:
  template <class A>
  struct Scratch {
    typename A::Scope scope;
    float* normed;  // [chunk, width]
    float* hidden;  // [chunk, width]
    RowsScratch<A> rows;

    constexpr Scratch(A& arena, std::size_t blocks)
        : scope(arena),
          normed(arena.template take<float>(vision_chunk(blocks) * width)),
          hidden(arena.template take<float>(vision_chunk(blocks) * width)),
          rows(arena, vision_chunk(blocks), width) {}
  };
};

#if QWEN35_BODIES

QWEN35_BODY void visit_parameters(PatchMergerWeights& weights, const PatchMergerSizes& sizes, const std::string& prefix,
                                  ParameterVisitor& visitor) {
  const std::size_t width = sizes.block * sizes.hidden_size;
  visit_layer_norm(weights.norm, sizes.hidden_size, prefix + "norm", visitor);
  visit_linear(weights.linear_fc1, {width, width}, prefix + "linear_fc1", visitor);
  visit_linear(weights.linear_fc2, {sizes.out_hidden_size, width}, prefix + "linear_fc2", visitor);
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
