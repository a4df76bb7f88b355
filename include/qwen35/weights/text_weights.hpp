// SPDX-License-Identifier: Apache-2.0
// All weights of a text model, and the one walk over them.
#pragma once

#include <qwen35/layers/layers_of.hpp>
#include <qwen35/weights/bound_storage.hpp>

#include <memory>
#include <string>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// Views into a file or into `storage`, where also the few vectors are that are kept as f32.
template <class Config>
struct TextWeights {
  using Layers = LayersOf<Config>;
  using LinearLayer = typename Layers::LinearLayer;
  using FullLayer = typename Layers::FullLayer;

  Matrix embed_tokens;                                       // [vocab_size, hidden_size]
  Matrix lm_head;                                            // [vocab_size, hidden_size]; embed_tokens when tied
  RmsNormWeights norm;                                       // [hidden_size]: 1 + w
  std::vector<typename LinearLayer::Weights> linear_layers;  // in model order
  std::vector<typename FullLayer::Weights> full_layers;      // in model order

  // What the views look at.
  BoundStorage storage;
  std::shared_ptr<const void> file;
};

// Calls `visitor` with each parameter of a text model and the member that holds it; the layers exist already. Names are
// those of the reference's text model, and "lm_head.weight"; `lm_head`: with the head, which belongs to the models
// around the text model. A tied head is no parameter.
template <class Config>
void visit_text(TextWeights<Config>& weights, ParameterVisitor& visitor, bool lm_head = true) {
  using Layers = LayersOf<Config>;
  using Text = typename Layers::Text;
  constexpr std::size_t hidden = Text::hidden_size;
  const auto feed_forward = Layers::FeedForward::sizes(hidden);
  visitor(Parameter{"", "embed_tokens.weight", {Text::vocab_size, hidden}, Initial::normal_but_padding},
          weights.embed_tokens);
  visitor.norm(Parameter{"", "norm.weight", {hidden}, Initial::zeros, Meaning::one_plus}, weights.norm);
  if (lm_head && !tied_embeddings<Config>) {
    visitor(Parameter{"", "lm_head.weight", {Text::vocab_size, hidden}}, weights.lm_head);
  }
  std::size_t linear = 0, full = 0;
  for (std::size_t layer = 0; layer < Text::num_hidden_layers; ++layer) {
    const std::string prefix = "layers." + std::to_string(layer) + ".";
    if (Text::layer_types[layer] == LayerType::linear_attention) {
      visit_parameters(weights.linear_layers[linear++], Layers::Linear::sizes(hidden), feed_forward, "linear_attn.",
                       prefix, visitor);
    } else {
      visit_parameters(weights.full_layers[full++], Layers::Full::sizes(hidden, Text::attention_bias), feed_forward,
                       "self_attn.", prefix, visitor);
    }
  }
}

template <class Config>
void read_text(const TextWeights<Config>& weights, ParameterReader& reader, bool lm_head = true) {
  visit_text(const_cast<TextWeights<Config>&>(weights), reader, lm_head);  // which changes nothing
}

// Weights whose layers are there and whose views are empty: what a walk fills.
template <class Config>
TextWeights<Config> empty_text_weights() {
  TextWeights<Config> weights;
  weights.linear_layers.resize(TextWeights<Config>::Layers::linear_layers);
  weights.full_layers.resize(TextWeights<Config>::Layers::full_layers);
  return weights;
}

QWEN35_END_NAMESPACE
