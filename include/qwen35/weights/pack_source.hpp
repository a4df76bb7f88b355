// SPDX-License-Identifier: Apache-2.0
// The weights of a checkpoint that packing can write in another format: each a tensor, or the tensors of a quantised
// module.
#pragma once

#include <qwen35/core/matrix.hpp>
#include <qwen35/weights/bound_storage.hpp>
#include <qwen35/weights/checkpoint_config.hpp>

#include <cstddef>
#include <string>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/weights/affine_weight.hpp>
#include <qwen35/weights/block_scales.hpp>
#include <qwen35/weights/fp4_weight.hpp>
#include <qwen35/weights/packed_weight.hpp>

#include <cstdint>
#include <functional>
#include <numeric>
#include <optional>
#include <string_view>
#include <unordered_map>
#endif

QWEN35_BEGIN_NAMESPACE

struct PackSource {
  // The weight by the name and shape that it has in a folder without quantisation, with the format of its values; the
  // bytes are those of its codes. No shape: the tensors of the module do not tell.
  TensorInfo weight;
  // What stands for it: one tensor, or codes, factors, zero points, ... in the order of the checkpoint.
  std::vector<const TensorInfo*> parts;

  bool is_module() const { return parts.size() > 1; }
  std::size_t bytes() const;
  // How many weights that is; of a module that does not tell, how many values its tensors have.
  std::size_t values() const;
};

// All tensors of a checkpoint, each in one source; the checkpoint must outlive them. Modules of FP8, GPTQ, AWQ,
// compressed-tensors, MLX and NVFP4 are found by their tensors' names, as on loading.
std::vector<PackSource> pack_sources(const Checkpoint& checkpoint);

// A source's values as a matrix [rows, cols]: a view of the checkpoint's bytes, or one in `storage`. Raises
// CheckpointError for the tensors of a module that do not fit each other.
Matrix pack_matrix(const Checkpoint& checkpoint, const PackSource& source, BoundStorage& storage);

#if QWEN35_BODIES

namespace detail {

// Takes tensors for a module; what does not fit is an error at once.
class ModuleTaker final : public TensorTaker {
 public:
  explicit ModuleTaker(const Checkpoint& checkpoint) : checkpoint_(checkpoint) {}
  const TensorInfo* find(const std::string& name) const override { return checkpoint_.find(name); }
  const TensorInfo* take_any(const std::string& name) override { return checkpoint_.find(name); }
  [[noreturn]] void complain(const std::string& name, const std::string& what) override {
    raise<CheckpointError>(concat(checkpoint_.name(), ": ", shortened(name), ": ", what));
  }

 private:
  const Checkpoint& checkpoint_;
};

// The name of the weight whose codes a tensor has, or "".
QWEN35_BODY std::string coded_weight(const Checkpoint& checkpoint, const TensorInfo& tensor) {
  for (const std::string_view codes : {".qweight", ".weight_packed"}) {
    if (tensor.name.ends_with(codes)) {
      return tensor.name.substr(0, tensor.name.size() - codes.size()) + ".weight";
    }
  }
  if (AffineWeight::is_there(ModuleTaker(checkpoint), tensor.name)) {
    return tensor.name;
  }
  const bool factors =
      checkpoint.find(tensor.name + "_scale_inv") != nullptr || checkpoint.find(tensor.name + "_scale") != nullptr;
  const bool bytes = (tensor.dtype == "I8" || tensor.dtype == "U8") && tensor.name.ends_with(".weight");
  return factors && (bytes || tensor.dtype == dtype_name(Format::f8_e4m3)) ? tensor.name : "";
}

QWEN35_BODY std::size_t product_of(const std::vector<std::size_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>());
}

// The format of integers that takes about as many bits, with scales and zero points, as the tensors do.
QWEN35_BODY std::string integers_name(const std::vector<std::size_t>& shape, std::size_t bytes) {
  const double bits = shape.empty() ? 0.0 : 8.0 * static_cast<double>(bytes) / static_cast<double>(product_of(shape));
  return dtype_name(bits > 5.5 ? Format::i8_128 : bits > 4.5 ? Format::i4_32 : Format::i4_128);
}

QWEN35_BODY std::size_t values_of(const TensorInfo& tensor) {
  return product_of(tensor.shape);
}

}  // namespace detail

QWEN35_BODY std::size_t PackSource::bytes() const {
  std::size_t sum = 0;
  for (const TensorInfo* const part : parts) {
    sum += part->bytes.size();
  }
  return sum;
}

QWEN35_BODY std::size_t PackSource::values() const {
  if (!weight.shape.empty() || !is_module()) {
    return detail::values_of(weight);
  }
  std::size_t sum = 0;
  for (const TensorInfo* const part : parts) {
    sum += detail::values_of(*part);
  }
  return sum;
}

QWEN35_BODY std::vector<PackSource> pack_sources(const Checkpoint& checkpoint) {
  std::vector<PackSource> out;
  std::unordered_map<const TensorInfo*, std::size_t> source_of;  // of the parts of modules
  QuantizationConfig config;  // of a method that is not read: the tensors are looked at all the same
  if (const auto read = attempt([&] { return quantization_of(checkpoint); })) {
    config = read.value();
  }
  for (const TensorInfo& tensor : checkpoint.tensors()) {
    const std::string weight = checkpoint.is_gguf() ? "" : detail::coded_weight(checkpoint, tensor);
    if (weight.empty() || source_of.contains(&tensor)) {
      continue;
    }
    detail::ModuleTaker tensors(checkpoint);
    const bool integers = tensor.dtype != dtype_name(Format::f8_e4m3);
    PackSource source{.weight = tensor, .parts = {}};
    source.weight.name = weight;
    if (AffineWeight::is_there(tensors, weight)) {
      source.weight.shape = AffineWeight::shape(tensors, config, weight).value_or(std::vector<std::size_t>());
    } else if (integers) {
      const std::optional<PackedWeight::Sizes> sizes = Fp4Weight::is_there(tensors, weight)
                                                           ? Fp4Weight::sizes(tensors, weight)
                                                           : PackedWeight::sizes(tensors, weight);
      source.weight.shape = sizes ? std::vector<std::size_t>{sizes->rows, sizes->cols} : std::vector<std::size_t>{};
    }
    std::size_t bytes = 0;
    for (const std::string& name : PackedWeight::parts_of(weight)) {
      if (const TensorInfo* const part = checkpoint.find(name)) {
        source_of.emplace(part, out.size());
        bytes += part->bytes.size();
      }
    }
    if (integers) {
      source.weight.dtype = detail::integers_name(source.weight.shape, bytes);
    }
    out.push_back(std::move(source));
  }
  const std::size_t modules = out.size();
  // In the order of the checkpoint.
  std::vector<PackSource> ordered;
  std::vector<std::size_t> place(modules, SIZE_MAX);
  for (const TensorInfo& tensor : checkpoint.tensors()) {
    const auto found = source_of.find(&tensor);
    if (found == source_of.end()) {
      ordered.push_back({.weight = tensor, .parts = {&tensor}});
      continue;
    }
    if (place[found->second] == SIZE_MAX) {
      place[found->second] = ordered.size();
      ordered.push_back(std::move(out[found->second]));
    }
    ordered[place[found->second]].parts.push_back(&tensor);
  }
  return ordered;
}

QWEN35_BODY Matrix pack_matrix(const Checkpoint& checkpoint, const PackSource& source, BoundStorage& storage) {
  const TensorInfo& weight = source.weight;
  const std::size_t cols = weight.shape.back();
  const Format format = *stored_format(weight.dtype);
  if (checkpoint.is_gguf() || (!source.is_module() && format != Format::f8_e4m3)) {
    return {weight.bytes.data(), format, weight.bytes.size() / row_bytes(format, cols), cols};
  }
  const QuantizationConfig config = quantization_of(checkpoint);
  detail::ModuleTaker tensors(checkpoint);
  if (AffineWeight::is_there(tensors, weight.name)) {
    Shape shape;
    for (const std::size_t extent : weight.shape) {
      shape.push_back(extent);
    }
    return AffineWeight(tensors, weight.name, shape).read(storage);
  }
  if (Fp4Weight::is_there(tensors, weight.name)) {
    return Fp4Weight(tensors, weight.name, weight.shape[0], cols).read(storage);
  }
  if (format != Format::f8_e4m3) {
    return PackedWeight::read(tensors, storage, config, weight.name, weight.shape[0], cols);
  }
  const std::size_t count = weight.shape.size() > 2 ? weight.shape[0] : 0, rows = weight.bytes.size() / cols;
  Matrix out(weight.bytes.data(), format, rows, cols);
  out.scales =
      read_block_scales(tensors, storage, config, weight.name, {count, count == 0 ? rows : rows / count, cols});
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
