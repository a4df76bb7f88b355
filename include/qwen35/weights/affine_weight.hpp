// SPDX-License-Identifier: Apache-2.0
// Weights of MLX: three tensors become one matrix of blocks, each with its scale and offset.
#pragma once

#include <qwen35/core/matrix.hpp>
#include <qwen35/core/tensor.hpp>
#include <qwen35/weights/block_scales.hpp>
#include <qwen35/weights/bound_storage.hpp>
#include <qwen35/weights/quantization_config.hpp>
#include <qwen35/weights/tensor_taker.hpp>

#include <optional>
#include <string>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/formats/unpack.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#endif

QWEN35_BEGIN_NAMESPACE

// A weight "M.weight" [..., rows, cols] of integers q of b bits, 2 to 6 or 8: U32 [..., rows, cols * b / 32], a row's
// bits one after the other from the lowest of its first word on; M.scales and M.biases [..., rows, groups] of f16, bf16
// or f32. A value is scale * q + bias, the last two of its group of 32, 64 or 128 columns. Bits and sizes of groups are
// told by the shapes. Source: the documentation of mlx.core.quantize.
//
// Up to 4 bits take 4 in memory, 5 to 8 take 8; what these blocks do not hold (f32 scales of more digits) becomes f32.
class AffineWeight {
 public:
  // Does this program hold any of the formats? One that does not is spared the code: it refuses such weights.
  static constexpr bool is_held = qwen35::is_available(Format::a4_32) || qwen35::is_available(Format::a4_64) ||
                                  qwen35::is_available(Format::a8_32) || qwen35::is_available(Format::a8_64);

  // Has the file such a weight?
  static bool is_there(const TensorTaker& tensors, const std::string& name);
  // Its shape, as the tensors tell it where the config says how large its groups are.
  static std::optional<std::vector<std::size_t>> shape(const TensorTaker& tensors, const QuantizationConfig& config,
                                                       const std::string& name);

  AffineWeight(TensorTaker& tensors, const std::string& name, const Shape& shape);

  // Complains, and is false, where tensors are missing or do not fit; reads no values.
  bool look();
  // The matrix [all but the last, the last]; an empty one after complaints, among them factors that are not finite. It
  // is kept in memory: the file is not looked at later.
  Matrix read(BoundStorage& storage);

 private:
  bool complain(const TensorInfo& tensor, const std::string& expected);
  // scales or biases; null after complaints.
  const TensorInfo* take_factors(const char* part, ScaleType& type);
  Format choose_format() const;
  float scale(std::size_t row, std::size_t col) const { return factor(*scales_, scale_type_, row, col); }
  float bias(std::size_t row, std::size_t col) const { return factor(*biases_, bias_type_, row, col); }
  float factor(const TensorInfo& of, ScaleType type, std::size_t row, std::size_t col) const {
    return scale_at(of.bytes.data(), type, (row * cols_ + col) / group_size_);
  }
  // Codes [col, col + 32) of a row, which are whole words.
  void read_32(std::size_t row, std::size_t col, std::uint8_t* to) const;
  // Large where groups are, unless this program or the format does not hold them.
  template <Format Small, Format Large>
  Format choose() const;
  template <Format F>
  Matrix fill(BoundStorage& storage) const;

  TensorTaker& tensors_;
  std::string name_;
  std::vector<std::size_t> leading_;
  std::size_t rows_ = 1, cols_;
  std::size_t bits_ = 0, group_size_ = 0;
  const TensorInfo* codes_ = nullptr;
  const TensorInfo* scales_ = nullptr;
  const TensorInfo* biases_ = nullptr;
  ScaleType scale_type_ = ScaleType::f32, bias_type_ = ScaleType::f32;
};

#if QWEN35_BODIES

namespace detail {

QWEN35_BODY bool is_affine_group(std::size_t size) {
  return size == 32 || size == 64 || size == 128;
}

QWEN35_BODY bool is_affine_bits(std::size_t bits) {
  return (bits >= 2 && bits <= 6) || bits == 8;
}

}  // namespace detail

QWEN35_BODY bool AffineWeight::is_there(const TensorTaker& tensors, const std::string& name) {
  const TensorInfo* const codes = name.ends_with(".weight") ? tensors.find(name) : nullptr;
  return codes != nullptr && codes->dtype == "U32";
}

QWEN35_BODY std::optional<std::vector<std::size_t>> AffineWeight::shape(const TensorTaker& tensors,
                                                                        const QuantizationConfig& config,
                                                                        const std::string& name) {
  const std::string module = name.substr(0, name.size() - 7);
  const TensorInfo *const codes = tensors.find(name), *const scales = tensors.find(module + ".scales");
  const std::size_t size = config.group_size_of(module);
  if (codes == nullptr || scales == nullptr || codes->bytes.empty() || scales->bytes.empty() ||
      scales->shape.size() < 2 || !detail::is_affine_group(size)) {
    return std::nullopt;
  }
  std::vector<std::size_t> out = scales->shape, words = out;
  const std::size_t groups = out.back();
  words.back() = codes->shape.empty() ? 0 : codes->shape.back();
  // A group of 32 columns has a word for each bit.
  if (codes->shape != words || words.back() % groups != 0 || words.back() / groups % (size / 32) != 0 ||
      !detail::is_affine_bits(words.back() / groups / (size / 32))) {
    return std::nullopt;
  }
  out.back() = groups * size;
  return out;
}

QWEN35_BODY AffineWeight::AffineWeight(TensorTaker& tensors, const std::string& name, const Shape& shape)
    : tensors_(tensors), name_(name), cols_(shape[shape.rank() - 1]) {
  for (std::size_t axis = 0; axis + 1 < shape.rank(); ++axis) {
    leading_.push_back(shape[axis]);
    rows_ *= shape[axis];
  }
}

QWEN35_BODY bool AffineWeight::complain(const TensorInfo& tensor, const std::string& expected) {
  std::vector<std::size_t> whole = leading_;
  whole.push_back(cols_);
  tensors_.complain(tensor.name, concat("shape ", shape_text(tensor.shape), ", expected ", expected, " of a weight ",
                                        shape_text(whole)));
  return false;
}

QWEN35_BODY const TensorInfo* AffineWeight::take_factors(const char* part, ScaleType& type) {
  const std::string name = name_.substr(0, name_.size() - 6) + part;
  const TensorInfo* const tensor = tensors_.take_any(name);
  if (tensor == nullptr) {
    tensors_.complain(name, "missing, expected beside the module's other tensors");
    return nullptr;
  }
  const std::optional<ScaleType> found = scale_type(tensor->dtype);
  if (!found || *found == ScaleType::f8_e8m0) {
    tensors_.complain(name, "dtype " + tensor->dtype + ", expected F16, BF16 or F32");
    return nullptr;
  }
  type = *found;
  return tensor;
}

QWEN35_BODY bool AffineWeight::look() {
  codes_ = tensors_.take_any(name_);
  scales_ = take_factors("scales", scale_type_);
  biases_ = take_factors("biases", bias_type_);
  if (scales_ == nullptr || biases_ == nullptr) {
    return false;
  }
  std::vector<std::size_t> expected = leading_;
  expected.push_back(codes_->shape.empty() ? 0 : codes_->shape.back());
  const std::size_t words = expected.back();
  if (codes_->shape != expected || words == 0 || words * 32 % cols_ != 0 ||
      !detail::is_affine_bits(words * 32 / cols_)) {
    return complain(*codes_, "rows of words that hold 2 to 6 or 8 bits a column,");
  }
  bits_ = words * 32 / cols_;
  expected.back() = scales_->shape.empty() ? 0 : scales_->shape.back();
  const std::size_t groups = expected.back();
  if (scales_->shape != expected || groups == 0 || cols_ % groups != 0 || !detail::is_affine_group(cols_ / groups)) {
    return complain(*scales_, "rows, then groups of 32, 64 or 128 columns,");
  }
  group_size_ = cols_ / groups;
  return biases_->shape == scales_->shape || complain(*biases_, "the shape of scales, " + shape_text(scales_->shape));
}

QWEN35_BODY void AffineWeight::read_32(std::size_t row, std::size_t col, std::uint8_t* to) const {
  const std::byte* from = codes_->bytes.data() + (row * cols_ + col) / 32 * bits_ * 4;
  std::uint64_t ahead = 0;
  std::size_t count = 0;  // bits of it
  for (std::size_t i = 0; i < 32; ++i, ahead >>= bits_, count -= bits_) {
    if (count < bits_) {
      std::uint32_t word;
      std::memcpy(&word, from, sizeof(word));
      from += sizeof(word);
      ahead |= std::uint64_t{word} << count;
      count += 32;
    }
    to[i] = static_cast<std::uint8_t>(ahead & ((1u << bits_) - 1));
  }
}

template <Format Small, Format Large>
inline Format AffineWeight::choose() const {
  const Format chosen = group_size_ >= 64 ? Large : Small;
  if (!is_available(chosen)) {
    return Format::f32;
  }
  if (bits_ <= 4 && scale_type_ != ScaleType::f32 && bias_type_ != ScaleType::f32) {
    return chosen;
  }
  bool holds = true;
  for (std::size_t i = 0; i < rows_ && holds; ++i) {
    for (std::size_t k = 0; k < cols_; k += group_size_) {
      holds = holds && StoredAs<Small>::holds(scale(i, k), bias(i, k));
    }
  }
  return holds ? chosen : Format::f32;
}

QWEN35_BODY Format AffineWeight::choose_format() const {
  return bits_ <= 4 ? choose<Format::a4_32, Format::a4_64>() : choose<Format::a8_32, Format::a8_64>();
}

template <Format F>
inline Matrix AffineWeight::fill(BoundStorage& storage) const {
  using Block = typename StoredAs<F>::Block;
  constexpr std::size_t values = format_info(F).block_values;
  const std::size_t stride = row_bytes(F, cols_);
  storage.copies.push_back(large_buffer(rows_ * stride));
  std::byte* const data = storage.copies.back().data();
  storage.for_rows(rows_, stride, [&](std::size_t begin, std::size_t end) {
    std::uint8_t codes[values];
    for (std::size_t i = begin; i < end; ++i) {
      Block* const row = reinterpret_cast<Block*>(data + i * stride);
      for (std::size_t k = 0; k < cols_; k += values) {
        for (std::size_t j = 0; j < values; j += 32) {
          read_32(i, k + j, codes + j);
        }
        StoredAs<F>::pack(codes, scale(i, k), bias(i, k), row[k / values]);
      }
    }
  });
  return {data, F, rows_, cols_};
}

QWEN35_BODY Matrix AffineWeight::read(BoundStorage& storage) {
  if (!look() || !has_finite_scales(tensors_, *scales_, scale_type_) ||
      !has_finite_scales(tensors_, *biases_, bias_type_)) {
    return {};
  }
  switch (choose_format()) {
    case Format::a4_32:
      return fill<Format::a4_32>(storage);
    case Format::a4_64:
      return fill<Format::a4_64>(storage);
    case Format::a8_32:
      return fill<Format::a8_32>(storage);
    case Format::a8_64:
      return fill<Format::a8_64>(storage);
    default:
      break;
  }
  return storage.make(Format::f32, rows_, cols_,
                      [this](std::size_t i, std::size_t first, std::size_t count, float* to) {
                        std::uint8_t codes[32];
                        for (std::size_t j = 0; j < count; ++j) {
                          if (j % 32 == 0) {
                            read_32(i, first + j, codes);
                          }
                          const float product = scale(i, first + j) * static_cast<float>(codes[j % 32]);
                          to[j] = product + bias(i, first + j);
                        }
                      });
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
