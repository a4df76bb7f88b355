// SPDX-License-Identifier: Apache-2.0
// The factors of FP8 weights: a tensor beside the weight's, one factor for each block, row or tensor.
#pragma once

#include <qwen35/core/matrix.hpp>
#include <qwen35/weights/bound_storage.hpp>
#include <qwen35/weights/quantization_config.hpp>
#include <qwen35/weights/tensor_taker.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#if QWEN35_BODIES
#include <qwen35/formats/bf16.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <iterator>
#endif

QWEN35_BEGIN_NAMESPACE

// Sizes of a weight: `count` matrices of one size, one after the other.
struct StackedSizes {
  std::size_t count = 0;  // 0: one matrix, which is not stacked
  std::size_t rows = 0;
  std::size_t cols = 0;
};

// The factors beside the tensor `name`: `<name>_scale_inv` (which multiplies, in spite of its name) or `<name>_scale`,
// of f32, f16, bf16 or f8_e8m0. Along rows and columns it has one for all, one for each, or one for each block, of the
// sizes of the config; the last ones are cut short. (`<name>_scale_inv` of a config that says blocks has those alone:
// one factor for all would be a file that was cut or of another tool.) All must be finite. None where the file has no
// such tensor, which is fine in a folder that does not say that it is quantised. Factors of activations are taken and
// not used: activations are not rounded here. Source: the reference's Fp8Dequantize; compressed-tensors'
// float-quantized.
BlockScales read_block_scales(TensorTaker& tensors, BoundStorage& storage, const QuantizationConfig& config,
                              const std::string& name, const StackedSizes& sizes);

enum class ScaleType : std::uint8_t { f32, f16, bf16, f8_e8m0 };
std::optional<ScaleType> scale_type(std::string_view dtype);

// Value `index` of a tensor of factors, at any address.
float scale_at(const std::byte* data, ScaleType type, std::size_t index);

// Complains, and is false, where a factor is infinite or not a number: with its place in the tensor.
bool has_finite_scales(TensorTaker& tensors, const TensorInfo& scales, ScaleType type);

namespace detail {

// How many neighbours along an extent share one of `count` factors; 0 when they do not fit.
std::size_t values_of_a_scale(std::size_t extent, std::size_t count, std::size_t block);

}  // namespace detail

#if QWEN35_BODIES

QWEN35_BODY std::optional<ScaleType> scale_type(std::string_view dtype) {
  constexpr std::string_view names[] = {"F32", "F16", "BF16", "F8_E8M0"};
  for (std::size_t i = 0; i < std::size(names); ++i) {
    if (names[i] == dtype) {
      return static_cast<ScaleType>(i);
    }
  }
  return std::nullopt;
}

QWEN35_BODY float scale_at(const std::byte* data, ScaleType type, std::size_t index) {
  if (type == ScaleType::f8_e8m0) {  // 2^(e - 127)
    const auto e = std::to_integer<std::uint32_t>(data[index]);
    return std::bit_cast<float>(e == 255 ? 0x7fc00000u : e == 0 ? 0x00400000u : e << 23);
  }
  if (type == ScaleType::f32) {
    float value;
    std::memcpy(&value, data + index * sizeof(value), sizeof(value));
    return value;
  }
  std::uint16_t bits;
  std::memcpy(&bits, data + index * sizeof(bits), sizeof(bits));
  return type == ScaleType::f16 ? f16_to_f32(bits) : bf16_to_f32(bits);
}

QWEN35_BODY bool has_finite_scales(TensorTaker& tensors, const TensorInfo& scales, ScaleType type) {
  constexpr std::size_t piece = 4096;  // looked at without a branch for each
  const std::size_t width = type == ScaleType::f32 ? 4 : type == ScaleType::f8_e8m0 ? 1 : 2;
  const std::size_t count = scales.bytes.size() / width;
  const auto finite = [&](std::size_t i) { return std::isfinite(scale_at(scales.bytes.data(), type, i)); };
  for (std::size_t begin = 0; begin < count; begin += piece) {
    const std::size_t end = std::min(count, begin + piece);
    std::size_t bad = 0;
    for (std::size_t i = begin; i < end; ++i) {
      bad += finite(i) ? 0u : 1u;
    }
    for (std::size_t i = begin; bad > 0; ++i) {
      if (!finite(i)) {
        std::string place;
        std::size_t rest = i;
        for (std::size_t axis = scales.shape.size(); axis-- > 0; rest /= scales.shape[axis]) {
          place = concat(rest % scales.shape[axis], place.empty() ? "" : ", ", place);
        }
        tensors.complain(scales.name, concat("the factor at [", place, "] is ", scale_at(scales.bytes.data(), type, i),
                                             ", expected a finite number"));
        return false;
      }
    }
  }
  return true;
}

namespace detail {

QWEN35_BODY std::size_t values_of_a_scale(std::size_t extent, std::size_t count, std::size_t block) {
  if (count == 1 || count == extent) {
    return extent / count;
  }
  if (count == (extent + block - 1) / block) {
    return block;
  }
  return 0;
}

}  // namespace detail

QWEN35_BODY BlockScales read_block_scales(TensorTaker& tensors, BoundStorage& storage, const QuantizationConfig& config,
                                          const std::string& name, const StackedSizes& sizes) {
  const TensorInfo* tensor = tensors.take_any(name + "_scale_inv");
  const TensorInfo* const other = tensors.take_any(name + "_scale");
  if (tensor != nullptr && other != nullptr) {
    tensors.complain(other->name, concat("stands beside ", tensor->name, ": two sets of factors for one weight"));
    return {};
  }
  tensor = tensor == nullptr ? other : tensor;
  if (name.ends_with("weight")) {
    for (const char* const unused : {"input_scale", "activation_scale"}) {
      tensors.take_any(name.substr(0, name.size() - 6) + unused);
    }
  }
  if (tensor == nullptr) {
    if (config.method != QuantizationConfig::Method::none) {
      tensors.complain(name + "_scale_inv", "missing (and " + name.substr(name.rfind('.') + 1) +
                                                "_scale is too), expected the factors of a tensor of F8_E4M3");
    }
    return {};
  }
  const std::optional<ScaleType> type = scale_type(tensor->dtype);
  if (!type) {
    tensors.complain(tensor->name, "dtype " + tensor->dtype + ", expected F32, F16, BF16 or F8_E8M0");
    return {};
  }
  std::vector<std::size_t> shape = tensor->shape;
  bool fits = sizes.count == 0 || (!shape.empty() && shape[0] == sizes.count);
  if (fits && sizes.count > 0) {
    shape.erase(shape.begin());
  }
  fits =
      fits && (shape.size() == 2 || shape.empty() || (shape.size() == 1 && (shape[0] == 1 || shape[0] == sizes.rows)));
  shape.resize(2, 1);
  BlockScales out;
  if (fits) {
    out.stride = shape[1];
    out.rows = detail::values_of_a_scale(sizes.rows, shape[0], config.block_rows);
    out.cols = detail::values_of_a_scale(sizes.cols, shape[1], config.block_cols);
    fits = out.rows > 0 && out.cols > 0;
  }
  const bool in_blocks = config.in_blocks && tensor->name.ends_with("_scale_inv");
  if (fits && in_blocks) {
    const auto blocks = [](std::size_t extent, std::size_t block) { return (extent + block - 1) / block; };
    fits = shape[0] == blocks(sizes.rows, config.block_rows) && shape[1] == blocks(sizes.cols, config.block_cols);
  }
  if (fits && !has_finite_scales(tensors, *tensor, *type)) {
    return {};
  }
  if (!fits) {
    tensors.complain(
        tensor->name,
        concat("shape ", shape_text(tensor->shape), ", expected one factor for each block of ", config.block_rows,
               " x ", config.block_cols, in_blocks ? " of " : ", each row, or all values of ", name));
    return {};
  }
  // Blocks that do not end with each matrix become rows of their own.
  const std::size_t lines = shape[0], apart = sizes.count > 1 && sizes.rows % out.rows != 0 ? out.rows : 1;
  const std::size_t kept = apart == 1 ? lines : sizes.rows;
  out.rows /= apart;
  const std::size_t kept_of_all = std::max<std::size_t>(sizes.count, 1) * kept;
  float* const data = storage.make<float>(kept_of_all * out.stride);
  for (std::size_t i = 0; i < kept_of_all; ++i) {
    const std::size_t line = i / kept * lines + i % kept / apart;
    for (std::size_t j = 0; j < out.stride; ++j) {
      data[i * out.stride + j] = scale_at(tensor->bytes.data(), *type, line * out.stride + j);
    }
  }
  out.data = data;
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
