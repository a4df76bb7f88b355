// SPDX-License-Identifier: Apache-2.0
// A text model's weights, found in a checkpoint.
#pragma once

#include <qwen35/weights/dialect_of.hpp>
#include <qwen35/weights/text_weights.hpp>

QWEN35_BEGIN_NAMESPACE

// Must the head be there? A text model alone runs without one.
enum class Head : std::uint8_t { if_present, required };

// Binds every tensor of the text model; vision and multi-token-prediction tensors are passed over. Raises one
// CheckpointError that lists all missing, unknown and misshapen tensors. Source: the published checkpoints' names, with
// or without the `language_model` level, or those of GGUF files.
template <class Config>
TextWeights<Config> bind_text(const Checkpoint& checkpoint, Head lm_head = Head::required,
                              Binding binding = Binding::whole) {
  using Text = text_config_t<Config>;
  TextWeights<Config> weights = empty_text_weights<Config>();
  Binder binder(checkpoint, weights.storage, binding);
  if (declined()) {
    return weights;
  }
  const std::unique_ptr<Dialect> dialect = dialect_of(checkpoint, ModelPart::text);
  DialectBinding bind(*dialect, binder);
  const std::string head = dialect->file_name("lm_head.weight");
  visit_text(weights, bind, lm_head == Head::required || binder.has(head));
  for (auto& layer : weights.linear_layers) {
    layer.mixer.tiled_heads = dialect->tiled_value_heads();
    layer.mixer.tiled_out_proj = layer.mixer.tiled_heads && format_info(layer.mixer.out_proj.format).block_values != 1;
  }
  if (tied_embeddings<Config>) {
    weights.lm_head = weights.embed_tokens;
    if (binder.has(head)) {  // some exports write the tied matrix twice
      binder.check(head, {Text::vocab_size, Text::hidden_size});
    }
  }
  binder.finish([&](std::string_view name) { return dialect->passes_over(name); });
  weights.file = binder.uses_checkpoint() ? checkpoint.owner() : nullptr;
  return weights;
}

QWEN35_END_NAMESPACE
