// SPDX-License-Identifier: Apache-2.0
// The dialect of MLX's folders, quantised or not: names and values as its converters leave them.
#pragma once

#include <qwen35/weights/dialect_huggingface.hpp>

#include <string>
#include <string_view>
#include <vector>

#if QWEN35_BODIES
#include <algorithm>
#endif

QWEN35_BEGIN_NAMESPACE

// Beside the names of its roots, what is not as published: the experts are stacked tensors switch_mlp.gate_proj,
// up_proj and down_proj; norms have their 1 added already; the taps of the short convolution are [channels, taps, 1],
// the patches' of the picture tower [width, frames, patch, patch, channels]. What predicts further tokens is left out.
// Source: `sanitize` in mlx_lm/models/qwen3_5.py and in mlx_vlm/models/qwen3_5/qwen3_5.py, which agree.
class MlxDialect final : public Dialect {
 public:
  MlxDialect(const Checkpoint& checkpoint, ModelPart part);

  // Is a folder in it?
  static bool is_of(const Checkpoint& checkpoint);

  std::string file_name(const std::string& name) const override {
    return part_ == ModelPart::text ? names_.text_name(name) : names_.vision_name(name);
  }
  bool passes_over(std::string_view name) const override { return names_.passes_over(name, part_); }

  QWEN35_BODY void bind(Binder& binder, const Parameter& parameter, Matrix& out) override;
  QWEN35_BODY void bind(Binder& binder, const Parameter& parameter, const float*& out) override;
  QWEN35_BODY void bind(Binder& binder, const ExpertsParameter& experts, std::vector<MlpWeights>& out) override;

 private:
  void bind_patches(Binder& binder, const Parameter& parameter, Matrix& out) const;

  HuggingFaceNames names_;
  ModelPart part_;
  bool has_taps_ = false;  // of more than one, whose axes show that the converter has been at work
};

#if QWEN35_BODIES

namespace detail {

QWEN35_BODY bool is_taps(const TensorInfo& tensor) {
  return tensor.name.ends_with("linear_attn.conv1d.weight");
}
// As MLX has them.
QWEN35_BODY bool is_turned_taps(const TensorInfo& tensor) {
  return is_taps(tensor) && tensor.shape.size() == 3 && tensor.shape[1] > 1 && tensor.shape[2] == 1;
}

}  // namespace detail

QWEN35_BODY bool MlxDialect::is_of(const Checkpoint& checkpoint) {
  const auto& tensors = checkpoint.tensors();
  return quantization_of(checkpoint).method == QuantizationConfig::Method::mlx ||
         std::any_of(tensors.begin(), tensors.end(), [](const TensorInfo& tensor) {
           return detail::is_turned_taps(tensor) || tensor.name.find(".mlp.switch_mlp.") != std::string::npos;
         });
}

QWEN35_BODY MlxDialect::MlxDialect(const Checkpoint& checkpoint, ModelPart part)
    : names_(HuggingFaceNames::of(checkpoint)), part_(part) {
  const auto& tensors = checkpoint.tensors();
  has_taps_ = std::any_of(tensors.begin(), tensors.end(), detail::is_turned_taps);
}

QWEN35_BODY void MlxDialect::bind(Binder& binder, const Parameter& parameter, Matrix& out) {
  if (part_ == ModelPart::vision && parameter.name == "patch_embed.proj.weight") {
    bind_patches(binder, parameter, out);
    return;
  }
  out = binder.matrix(file_name(parameter.name), parameter.shape);
  // Small, and what they choose by is not to be rounded: as in folders of other methods, which leave them as they are.
  if (parameter.name.ends_with("mlp.gate.weight") || parameter.name.ends_with("shared_expert_gate.weight")) {
    out = binder.single_values(out);
  }
}

QWEN35_BODY void MlxDialect::bind(Binder& binder, const Parameter& parameter, const float*& out) {
  const std::string name = file_name(parameter.name);
  Shape shape = parameter.shape;
  if (shape.rank() == 3) {
    shape = {shape[0], shape[2], shape[1]};
  }
  const bool one_plus = parameter.meaning == Meaning::one_plus;
  if (one_plus && !has_taps_) {
    binder.complain(name,
                    "is it stored as in MLX, with the 1 of 1 + w added? No linear_attn.conv1d.weight [channels, taps, "
                    "1] of more than one tap shows it");
  }
  out = binder.vector(name, shape, parameter.meaning, one_plus);
}

QWEN35_BODY void MlxDialect::bind(Binder& binder, const ExpertsParameter& experts, std::vector<MlpWeights>& out) {
  const std::string_view mlp = std::string_view(experts.name).substr(0, experts.name.size() - 8);  // "experts."
  const auto stacked = [&](const char* projection, std::size_t height, std::size_t width) {
    return binder.stacked(file_name(concat(mlp, "switch_mlp.", projection, ".weight")), {experts.count, height, width});
  };
  const std::size_t rows = experts.intermediate, hidden = experts.hidden_size;
  const Matrix gate = stacked("gate_proj", rows, hidden), up = stacked("up_proj", rows, hidden);
  const Matrix down = stacked("down_proj", hidden, rows);
  out.resize(experts.count);
  for (std::size_t e = 0; e < experts.count && !gate.empty() && !up.empty() && !down.empty(); ++e) {
    out[e] = {gate.slice(e * rows, rows), up.slice(e * rows, rows), down.slice(e * hidden, hidden)};
  }
}

// [width, frames, patch, patch, channels] becomes [width, channels, frames, patch, patch].
QWEN35_BODY void MlxDialect::bind_patches(Binder& binder, const Parameter& parameter, Matrix& out) const {
  const Shape& shape = parameter.shape;
  const std::string name = file_name(parameter.name);
  const Matrix stored = binder.matrix(name, {shape[0], shape[2], shape[3], shape[4], shape[1]});
  if (stored.empty()) {
    return;
  }
  if (format_info(stored.format).block_values != 1) {
    binder.complain(name, "values in blocks, which lie across its channels, expected single ones");
    return;
  }
  std::vector<ColumnBlock> blocks;
  for (std::size_t channel = 0; channel < shape[1]; ++channel) {
    for (std::size_t place = 0; place < shape[2] * shape[3] * shape[4]; ++place) {
      blocks.push_back({&stored, place * shape[1] + channel});
    }
  }
  out = binder.columns(blocks, 1);
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
