// SPDX-License-Identifier: Apache-2.0
// A vision tower's weights, found in a checkpoint.
#pragma once

#include <qwen35/config/vision_config.hpp>
#include <qwen35/weights/dialect_of.hpp>
#include <qwen35/weights/vision_weights.hpp>

QWEN35_BEGIN_NAMESPACE

// Binds every tensor of the vision tower; those of other parts are passed over. Raises one CheckpointError that lists
// all missing, unknown and misshapen tensors.
template <VisionConfig Vision>
VisionWeights bind_vision(const Checkpoint& checkpoint, Binding binding = Binding::whole) {
  VisionWeights weights = empty_vision_weights<Vision>();
  Binder binder(checkpoint, weights.storage, binding);
  if (declined()) {
    return weights;
  }
  const std::unique_ptr<Dialect> dialect = dialect_of(checkpoint, ModelPart::vision);
  DialectBinding bind(*dialect, binder);
  visit_vision<Vision>(weights, bind);
  binder.finish([&](std::string_view name) { return dialect->passes_over(name); });
  weights.file = binder.uses_checkpoint() ? checkpoint.owner() : nullptr;
  return weights;
}

QWEN35_END_NAMESPACE
