// SPDX-License-Identifier: Apache-2.0
// All weights of a text model: views into the checkpoint, and the few vectors that are kept as f32.
#pragma once

#include <qwen35/layers/decoder_layer.hpp>
#include <qwen35/weights/binder.hpp>

#include <memory>
#include <vector>

QWEN35_BEGIN_NAMESPACE

template <class Config>
struct TextWeights {
  using Layers = LayersOf<Config>;
  using LinearLayer = DecoderLayer<typename Layers::Linear, typename Layers::FeedForward>;
  using FullLayer = DecoderLayer<typename Layers::Full, typename Layers::FeedForward>;

  Matrix embed_tokens;                                       // [vocab_size, hidden_size]
  Matrix lm_head;                                            // [vocab_size, hidden_size]; embed_tokens when tied
  const float* norm = nullptr;                               // [hidden_size]: 1 + w
  std::vector<typename LinearLayer::Weights> linear_layers;  // in model order
  std::vector<typename FullLayer::Weights> full_layers;      // in model order

  // What the views look at.
  std::vector<MlpWeights> experts;  // [layers, num_experts]
  BoundStorage storage;
  std::shared_ptr<const void> file;
};

QWEN35_END_NAMESPACE
