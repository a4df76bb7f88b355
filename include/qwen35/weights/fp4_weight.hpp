// SPDX-License-Identifier: Apache-2.0
// Weights in NVFP4: three tensors become one matrix of blocks.
#pragma once

#include <qwen35/core/matrix.hpp>
#include <qwen35/weights/bound_storage.hpp>
#include <qwen35/weights/packed_weight.hpp>
#include <qwen35/weights/tensor_taker.hpp>

#include <optional>
#include <string>

#if QWEN35_BODIES
#include <qwen35/formats/unpack.hpp>

#include <cmath>
#include <cstring>
#endif

QWEN35_BEGIN_NAMESPACE

// A weight "M.weight" [rows, cols] of codes of f4_e2m1, two a byte, the first in the low half; a scale of f8_e4m3 for
// each 16 columns of a row; and a factor for all. Which tensors of the module M there are says whose it is:
//
//   compressed-tensors  weight_packed U8 [rows, cols / 2], weight_scale [rows, cols / 16], weight_global_scale, which
//                       divides
//   ModelOpt            weight U8 [rows, cols / 2], weight_scale [rows, cols / 16], weight_scale_2, which multiplies
//
// Factors of activations are taken and not used. Rows of a length that 64 does not divide become f32. Source:
// compressed_tensors' nvfp4_quantized and forward.py (dequantize), ModelOpt's NVFP4QTensor.
class Fp4Weight {
 public:
  // Has the file such tensors for the parameter `name`?
  static bool is_there(const TensorTaker& tensors, const std::string& name) {
    return codes_of(tensors, name) != nullptr;
  }
  static std::optional<PackedWeight::Sizes> sizes(const TensorTaker& tensors, const std::string& name);

  Fp4Weight(TensorTaker& tensors, const std::string& name, std::size_t rows, std::size_t cols)
      : tensors_(tensors), name_(name), rows_(rows), cols_(cols) {}

  // Complains, and is false, where tensors are missing or do not fit; reads no scales.
  bool look();
  // The matrix; an empty one after complaints. It is kept in memory: the file is not looked at later.
  Matrix read(BoundStorage& storage);

 private:
  static const TensorInfo* codes_of(const TensorTaker& tensors, const std::string& name);
  const TensorInfo* take(const std::string& part, const char* dtype);
  bool expect_shape(const TensorInfo& tensor, std::size_t cols);
  bool has_finite_scales() const;
  const std::uint8_t* bytes(const TensorInfo& of, std::size_t row, std::size_t per_byte) const {
    return reinterpret_cast<const std::uint8_t*>(of.bytes.data()) + row * (cols_ / per_byte);
  }
  Matrix fill(BoundStorage& storage) const;

  TensorTaker& tensors_;
  std::string name_;
  std::size_t rows_, cols_;
  const TensorInfo* codes_ = nullptr;
  const TensorInfo* scales_ = nullptr;
  float factor_ = 0;  // one that divides as its negative
};

#if QWEN35_BODIES

QWEN35_BODY const TensorInfo* Fp4Weight::codes_of(const TensorTaker& tensors, const std::string& name) {
  if (!name.ends_with(".weight")) {
    return nullptr;
  }
  for (const char* const ending : {"_packed", ""}) {
    const TensorInfo* const codes = tensors.find(name + ending);
    if (codes != nullptr && codes->dtype == "U8") {
      return codes;
    }
  }
  return nullptr;
}

QWEN35_BODY std::optional<PackedWeight::Sizes> Fp4Weight::sizes(const TensorTaker& tensors, const std::string& name) {
  const TensorInfo* const codes = codes_of(tensors, name);
  return codes == nullptr || codes->shape.size() != 2 || codes->bytes.empty()
             ? std::nullopt
             : std::optional(PackedWeight::Sizes{codes->shape[0], codes->shape[1] * 2, 4});
}

QWEN35_BODY const TensorInfo* Fp4Weight::take(const std::string& part, const char* dtype) {
  const TensorInfo* const tensor = tensors_.take_any(name_ + part);
  if (tensor == nullptr) {
    tensors_.complain(name_ + part, "missing, expected beside the module's other tensors");
  } else if (tensor->dtype != dtype) {
    tensors_.complain(tensor->name, concat("dtype ", tensor->dtype, ", expected ", dtype));
    return nullptr;
  }
  return tensor;
}

QWEN35_BODY bool Fp4Weight::expect_shape(const TensorInfo& tensor, std::size_t cols) {
  const std::size_t expected[] = {rows_, cols};
  if (tensor.shape == std::vector<std::size_t>{rows_, cols}) {
    return true;
  }
  tensors_.complain(tensor.name, concat("shape ", shape_text(tensor.shape), ", expected ", shape_text(expected),
                                        " of a weight [", rows_, ", ", cols_, "]"));
  return false;
}

QWEN35_BODY bool Fp4Weight::look() {
  if (!PackedWeight::is_one(tensors_, name_)) {
    return false;
  }
  codes_ = tensors_.take_any(codes_of(tensors_, name_)->name);
  const std::string module = name_.substr(0, name_.size() - 6);
  for (const char* const unused : {"input_scale", "input_global_scale", "weight_shape"}) {
    tensors_.take_any(module + unused);
  }
  const bool divides = codes_->name != name_;
  scales_ = take("_scale", "F8_E4M3");
  const TensorInfo* const factor = take(divides ? "_global_scale" : "_scale_2", "F32");
  if (scales_ == nullptr || factor == nullptr) {
    return false;
  }
  if (cols_ % 16 != 0) {
    tensors_.complain(name_, concat("rows of ", cols_, " columns, expected a multiple of 16, which share a scale"));
    return false;
  }
  if (factor->bytes.size() != sizeof(factor_) || factor->shape.size() > 1) {
    tensors_.complain(factor->name, concat("shape ", shape_text(factor->shape), ", expected one factor"));
    return false;
  }
  std::memcpy(&factor_, factor->bytes.data(), sizeof(factor_));
  if (!std::isfinite(factor_) || factor_ <= 0) {
    tensors_.complain(factor->name, concat("the factor is ", factor_, ", expected a finite number above 0"));
    return false;
  }
  factor_ = divides ? -factor_ : factor_;
  const bool scales_fit = expect_shape(*scales_, cols_ / 16);
  return expect_shape(*codes_, cols_ / 2) && scales_fit;
}

QWEN35_BODY bool Fp4Weight::has_finite_scales() const {
  for (std::size_t i = 0; i < rows_; ++i) {
    const std::uint8_t* const scales = bytes(*scales_, i, 16);
    for (std::size_t group = 0; group < cols_ / 16; ++group) {
      if ((scales[group] & 0x7fu) == 0x7fu) {
        tensors_.complain(scales_->name,
                          concat("the factor at [", i, ", ", group, "] is nan, expected a finite number"));
        return false;
      }
    }
  }
  return true;
}

QWEN35_BODY Matrix Fp4Weight::read(BoundStorage& storage) {
  using Stored = StoredAs<Format::nvfp4_64>;
  if (!look() || !has_finite_scales()) {
    return {};
  }
  if (cols_ % Stored::values == 0 && Stored::holds(factor_) && is_available(Format::nvfp4_64)) {
    return fill(storage);
  }
  return storage.make(
      Format::f32, rows_, cols_, [this](std::size_t i, std::size_t first, std::size_t count, float* to) {
        const std::uint8_t *const codes = bytes(*codes_, i, 2), *const scales = bytes(*scales_, i, 16);
        for (std::size_t j = 0; j < count; ++j) {
          const std::size_t k = first + j;
          const float value = 0.5f * static_cast<float>(coded::mxfp4_values[coded::nibble(codes[k / 2], k % 2)]);
          to[j] = Stored::scale(scales[k / 16], factor_) * value;
        }
      });
}

QWEN35_BODY Matrix Fp4Weight::fill(BoundStorage& storage) const {
  using Stored = StoredAs<Format::nvfp4_64>;
  const std::size_t stride = row_bytes(Format::nvfp4_64, cols_);
  storage.copies.push_back(large_buffer(rows_ * stride));
  std::byte* const data = storage.copies.back().data();
  storage.for_rows(rows_, stride, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      auto* const row = reinterpret_cast<Stored::Block*>(data + i * stride);
      const std::uint8_t *const codes = bytes(*codes_, i, 2), *const scales = bytes(*scales_, i, 16);
      for (std::size_t block = 0; block < cols_ / Stored::values; ++block) {
        Stored::pack(codes + block * 32, scales + block * 4, factor_, row[block]);
      }
    }
  });
  return {data, Format::nvfp4_64, rows_, cols_};
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
