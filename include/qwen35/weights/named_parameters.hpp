// SPDX-License-Identifier: Apache-2.0
// The parameters of a model as a list: names, shapes, formats, bytes.
#pragma once

#include <qwen35/weights/dialect_huggingface.hpp>
#include <qwen35/weights/text_weights.hpp>
#include <qwen35/weights/vision_weights.hpp>

#include <memory>
#include <string>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/layers/mlp.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

// A parameter as it is stored; the model must outlive it.
struct NamedParameter {
  std::string name;  // as the reference calls it
  Shape shape;
  Format format = Format::f32;
  std::vector<Matrix> pieces;                     // what is stored, one after the other; of one format, or of several
  std::shared_ptr<const std::vector<float>> own;  // what a piece looks at that is stored nowhere else

  // In `format`.
  std::size_t bytes() const;
};

namespace detail {

// The visitor that counts values.
class ParameterCount final : public ParameterReader {
 public:
  std::size_t sum = 0;

  void read(const Parameter& parameter, const Matrix&) override { sum += parameter.shape.size(); }
  void read(const Parameter& parameter, const float*) override { sum += parameter.shape.size(); }
  void read(const ExpertsParameter& experts, const std::vector<MlpWeights>&) override {
    sum += experts.gate_up_proj().shape.size() + experts.down_proj().shape.size();
  }
};

}  // namespace detail

// The visitor that makes the list.
class ParameterList final : public ParameterReader {
 public:
  explicit ParameterList(const BoundStorage& storage) : storage_(storage) {}

  void read(const Parameter& parameter, const Matrix& matrix) override {
    out.push_back({parameter.name, parameter.shape, matrix.format, {matrix}, nullptr});
  }
  QWEN35_BODY void read(const Parameter& parameter, const float* values) override;
  QWEN35_BODY void read(const ExpertsParameter& experts, const std::vector<MlpWeights>& weights) override;

  std::size_t bytes() const;

  std::vector<NamedParameter> out;

 private:
  // Experts of different formats are written as f32, which holds all of them.
  void add(const Parameter& parameter, std::vector<Matrix> pieces);

  const BoundStorage& storage_;
};

// Puts the value heads of a linear layer's parameters, which are in tiled order (see GatedDeltaNetWeights), back in the
// order of the key heads, by cutting what is stored into pieces. The columns of out_proj are in that order already, or
// in a format that only stays where it is.
void restore_value_heads(NamedParameter& parameter, std::size_t key_heads, const GatedDeltaNetSizes& sizes);

// How many values the parameters of a config's text model are, without a model; `lm_head` as in visit_text.
template <class Config>
std::size_t num_text_parameters(bool lm_head) {
  const TextWeights<Config> weights = empty_text_weights<Config>();
  detail::ParameterCount count;
  read_text(weights, count, lm_head);
  return count.sum;
}

template <VisionConfig Vision>
std::size_t num_vision_parameters() {
  const VisionWeights weights = empty_vision_weights<Vision>();
  detail::ParameterCount count;
  read_vision<Vision>(weights, count);
  return count.sum;
}

// In the order of the walk; `lm_head` as in visit_text.
template <class Config>
std::vector<NamedParameter> named_parameters(const TextWeights<Config>& weights, const HuggingFaceNames& names,
                                             bool lm_head) {
  ParameterList list(weights.storage);
  read_text(weights, list, lm_head);
  using Linear = typename LayersOf<Config>::Linear;
  const bool tiled = !weights.linear_layers.empty() && weights.linear_layers[0].mixer.tiled_heads;
  for (NamedParameter& parameter : list.out) {
    if (tiled) {
      restore_value_heads(parameter, Linear::key_size / text_config_t<Config>::linear_key_head_dim,
                          Linear::sizes(text_config_t<Config>::hidden_size));
    }
    parameter.name = names.text_name(parameter.name);
  }
  return std::move(list.out);
}

template <VisionConfig Vision>
std::vector<NamedParameter> named_parameters(const VisionWeights& weights, const HuggingFaceNames& names) {
  ParameterList list(weights.storage);
  read_vision<Vision>(weights, list);
  for (NamedParameter& parameter : list.out) {
    parameter.name = names.vision_name(parameter.name);
  }
  return std::move(list.out);
}

#if QWEN35_BODIES

QWEN35_BODY std::size_t NamedParameter::bytes() const {
  std::size_t sum = 0;
  for (const Matrix& piece : pieces) {
    sum += piece.rows * row_bytes(format, piece.cols);
  }
  return sum;
}

QWEN35_BODY void ParameterList::read(const Parameter& parameter, const float* values) {
  if (const Matrix* const stored = storage_.stored(values)) {
    read(parameter, *stored);
    return;
  }
  const std::size_t rows = parameter.shape[0], cols = parameter.shape.size() / rows;
  std::vector<float> stored(rows * cols);
  for (std::size_t i = 0; i < stored.size(); ++i) {
    stored[i] = stored_value(parameter.meaning, values[i % cols * rows + i / cols]);
  }
  const auto own = std::make_shared<const std::vector<float>>(std::move(stored));
  const Matrix matrix(reinterpret_cast<const std::byte*>(own->data()), Format::f32, rows, cols);
  out.push_back({parameter.name, parameter.shape, Format::f32, {matrix}, own});
}

QWEN35_BODY void ParameterList::read(const ExpertsParameter& experts, const std::vector<MlpWeights>& weights) {
  std::vector<Matrix> gate_up, down;
  for (const MlpWeights& expert : weights) {
    gate_up.push_back(expert.gate_proj);
    gate_up.push_back(expert.up_proj);
    down.push_back(expert.down_proj);
  }
  add(experts.gate_up_proj(), std::move(gate_up));
  add(experts.down_proj(), std::move(down));
}

QWEN35_BODY std::size_t ParameterList::bytes() const {
  std::size_t sum = 0;
  for (const NamedParameter& parameter : out) {
    sum += parameter.bytes();
  }
  return sum;
}

QWEN35_BODY void ParameterList::add(const Parameter& parameter, std::vector<Matrix> pieces) {
  Format format = pieces[0].format;
  for (const Matrix& piece : pieces) {
    format = piece.format == format ? format : Format::f32;
  }
  out.push_back({parameter.name, parameter.shape, format, std::move(pieces), nullptr});
}

QWEN35_BODY void restore_value_heads(NamedParameter& parameter, std::size_t key_heads,
                                     const GatedDeltaNetSizes& sizes) {
  const std::size_t part = parameter.name.find("linear_attn.");
  const std::string_view name = std::string_view(parameter.name).substr(part == std::string::npos ? 0 : part + 12);
  const bool mixed = name == "in_proj_qkv.weight" || name == "conv1d.weight";  // q and k come first
  if (part == std::string::npos || name == "out_proj.weight" || name == "norm.weight") {
    return;
  }
  const Matrix stored = parameter.pieces[0];
  const std::size_t first = mixed ? sizes.conv_channels - sizes.value_size : 0;
  const std::size_t rows = (stored.rows - first) / sizes.value_heads;
  parameter.pieces.clear();
  if (mixed) {
    parameter.pieces.push_back(stored.slice(0, first));
  }
  for (std::size_t head = 0; head < sizes.value_heads; ++head) {
    const std::size_t tiles = sizes.value_heads / key_heads, tiled = head % tiles * key_heads + head / tiles;
    parameter.pieces.push_back(stored.slice(first + tiled * rows, rows));
  }
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
