// SPDX-License-Identifier: Apache-2.0
// Bodies of PackedWeight.
#pragma once

#include <qwen35/weights/packed_weight.hpp>

#if QWEN35_BODIES
#include <qwen35/formats/unpack.hpp>

#include <algorithm>
#include <functional>
#include <numeric>

QWEN35_BEGIN_NAMESPACE

QWEN35_BODY bool PackedWeight::is_there(const TensorTaker& tensors, const std::string& name) {
  if (!name.ends_with(".weight")) {
    return false;
  }
  const TensorInfo* const plain = tensors.find(name);
  return (plain != nullptr && plain->dtype == "I8") || packed_tensor(tensors, name) != nullptr;
}

QWEN35_BODY const TensorInfo* PackedWeight::packed_tensor(const TensorTaker& tensors, const std::string& name) {
  const std::string module = module_of(name);
  const TensorInfo* const words = tensors.find(module + "qweight");
  return words != nullptr ? words : tensors.find(module + "weight_packed");
}

QWEN35_BODY bool PackedWeight::is_one(TensorTaker& tensors, const std::string& name) {
  const std::string module = module_of(name);
  std::string there;
  std::size_t count = 0;
  for (const char* const values : {"weight", "qweight", "weight_packed"}) {
    const TensorInfo* const tensor = tensors.find(module + values);
    if (tensor != nullptr) {
      tensors.take_any(module + values);
      there += concat(count++ == 0 ? "" : " and ", values);
    }
  }
  if (count > 1) {
    tensors.complain(name, concat("this module has several weights, ", there, ": expected one"));
  }
  return count <= 1;
}

QWEN35_BODY std::optional<PackedWeight::Sizes> PackedWeight::sizes(const TensorTaker& tensors,
                                                                   const std::string& name) {
  const std::string module = module_of(name);
  const auto pair = [&](const std::string& tensor_name) {
    const TensorInfo* const tensor = tensors.find(tensor_name);
    return tensor != nullptr && tensor->shape.size() == 2 && !tensor->bytes.empty() ? tensor : nullptr;
  };
  if (const TensorInfo* const bytes = pair(name)) {
    return Sizes{bytes->shape[0], bytes->shape[1], 8};
  }
  const TensorInfo *const packed = pair(module + "weight_packed"), *const words = pair(module + "qweight"),
                          *const scales = pair(module + "scales"), *const zeros = pair(module + "qzeros");
  if (packed != nullptr) {
    const TensorInfo* const extents = tensors.find(module + "weight_shape");
    if (extents == nullptr || extents->bytes.size() != (extents->dtype == "I64" ? 16u : 8u)) {
      return std::nullopt;
    }
    std::uint64_t cols = 0;
    std::memcpy(&cols, extents->bytes.data() + extents->bytes.size() / 2, extents->bytes.size() / 2);
    for (const std::size_t bits : {4u, 8u}) {
      if (cols > 0 && cols / (32 / bits) <= packed->shape[1] && (cols * bits + 31) / 32 == packed->shape[1]) {
        return Sizes{packed->shape[0], cols, bits};
      }
    }
    return std::nullopt;
  }
  if (words == nullptr || scales == nullptr || zeros == nullptr) {
    return std::nullopt;
  }
  const std::size_t rows = scales->shape[1];
  if (words->shape[1] != rows) {
    return words->shape[1] == rows / 8 && rows % 8 == 0 ? std::optional(Sizes{rows, words->shape[0], 4}) : std::nullopt;
  }
  for (const std::size_t bits : {4u, 8u}) {
    if (zeros->shape[1] == (rows * bits + 31) / 32) {
      return Sizes{rows, words->shape[0] * (32 / bits), bits};
    }
  }
  return std::nullopt;
}

QWEN35_BODY void PackedWeight::look(TensorTaker& tensors, const std::string& name, std::size_t rows, std::size_t cols) {
  if (!is_one(tensors, name)) {
    return;
  }
  for (const std::string& part : parts_of(name)) {
    tensors.take_any(part);
  }
  const std::optional<Sizes> found = sizes(tensors, name);
  if (!found) {
    tensors.complain(name, "its tensors of integers, scales and zero points are not complete, or of no known form");
  } else if (found->rows != rows || found->cols != cols) {
    tensors.complain(name, concat("its tensors are those of a weight [", found->rows, ", ", found->cols,
                                  "], expected [", rows, ", ", cols, "]"));
  }
}

QWEN35_BODY std::vector<std::string> PackedWeight::parts_of(const std::string& name) {
  std::vector<std::string> out;
  for (const char* const beside :
       {"", "_scale_inv", "_scale", "_zero_point", "_shape", "_g_idx", "_packed", "_scale_2", "_global_scale"}) {
    out.push_back(name + beside);
  }
  if (name.ends_with(".weight")) {
    for (const char* const part : {"qweight", "qzeros", "scales", "biases", "g_idx", "input_scale", "input_zero_point",
                                   "input_global_scale", "activation_scale"}) {
      out.push_back(module_of(name) + part);
    }
  }
  return out;
}

QWEN35_BODY Matrix PackedWeight::read(TensorTaker& tensors, BoundStorage& storage, const QuantizationConfig& config,
                                      const std::string& name, std::size_t rows, std::size_t cols) {
  PackedWeight weight(tensors, config, name, rows, cols);
  if (!is_one(tensors, name)) {
    return {};
  }
  const TensorInfo* const words = tensors.find(weight.module_ + "qweight");
  const bool awq =
      words != nullptr && (config.method == QuantizationConfig::Method::awq ||
                           (config.method != QuantizationConfig::Method::gptq && words->shape.size() == 2 &&
                            words->shape[0] == cols && words->shape[1] * 8 == rows));
  const bool read = words == nullptr ? weight.read_compressed() : awq ? weight.read_awq() : weight.read_gptq();
  if (!read || !has_finite_scales(tensors, *weight.scales_, weight.scale_type_)) {
    return {};
  }
  const std::optional<Format> format = weight.choose_format();
  return format ? weight.fill(storage, *format) : Matrix();
}

QWEN35_BODY const TensorInfo* PackedWeight::take(const char* part, bool optional) {
  const TensorInfo* const tensor = tensors_.take_any(module_ + part);
  if (tensor == nullptr && !optional) {
    tensors_.complain(module_ + part, "missing, expected beside the module's other tensors");
  }
  return tensor;
}

QWEN35_BODY bool PackedWeight::complain(const TensorInfo& tensor, const std::string& expected) {
  tensors_.complain(tensor.name, concat("shape ", shape_text(tensor.shape), ", expected ", expected, " of a weight [",
                                        rows_, ", ", cols_, "]"));
  return false;
}

QWEN35_BODY bool PackedWeight::expect_shape(const TensorInfo& tensor, std::initializer_list<std::size_t> shape) {
  const std::vector<std::size_t> expected(shape);
  return tensor.shape == expected || complain(tensor, shape_text(expected));
}

QWEN35_BODY bool PackedWeight::expect_dtype(const TensorInfo& tensor, std::initializer_list<std::string_view> dtypes) {
  std::string list;
  for (const std::string_view dtype : dtypes) {
    if (tensor.dtype == dtype) {
      return true;
    }
    list.append(list.empty() ? "" : " or ").append(dtype);
  }
  tensors_.complain(tensor.name, "dtype " + tensor.dtype + ", expected " + list);
  return false;
}

QWEN35_BODY bool PackedWeight::read_codes_of_gptq(const TensorInfo& codes) {
  for (const std::size_t bits : {4u, 8u}) {
    if (cols_ * bits % 32 == 0 && codes.shape == std::vector<std::size_t>{cols_ * bits / 32, rows_}) {
      codes_ = {.data = codes.bytes.data(), .row_step = 1, .col_step = rows_, .bits = bits};
      return true;
    }
  }
  return complain(codes, "words of 8 (or, in 8 bits, 4) columns, then rows,");
}

QWEN35_BODY bool PackedWeight::read_gptq() {
  const TensorInfo* const codes = take("qweight");
  const TensorInfo* const zeros = take("qzeros");
  const bool scales = read_scales("scales", false);
  if (zeros == nullptr || !expect_dtype(*codes, {"I32", "U32"}) || !expect_dtype(*zeros, {"I32", "U32"}) || !scales ||
      !read_codes_of_gptq(*codes) || !read_group_index("g_idx")) {
    return false;
  }
  const std::size_t words = (rows_ * codes_.bits + 31) / 32;
  zeros_ = {.data = zeros->bytes.data(), .row_step = 1, .col_step = words, .bits = codes_.bits, .along_rows = true};
  zeros_.added = !config_.zeros_minus_one ? 0 : codes_.bits == 4 ? 0x11111111u : 0x01010101u;
  if (!expect_shape(*zeros, {groups_, words})) {
    return false;
  }
  if (config_.symmetric && are_all_beside_the_middle()) {
    zeros_ = {};
  }
  return true;
}

QWEN35_BODY bool PackedWeight::are_all_beside_the_middle() const {
  const std::uint32_t first = zero(0, 0);
  bool all = first == middle() - 1 || first == middle() + 1;
  for (std::size_t i = 0; i < rows_ && all; ++i) {
    for (std::size_t group = 0; group < groups_; ++group) {
      all = all && zero(i, group) == first;
    }
  }
  return all;
}

QWEN35_BODY bool PackedWeight::read_awq() {
  const TensorInfo* const codes = take("qweight");
  if (rows_ % 8 != 0) {
    return complain(*codes, "words of 8 rows, which do not divide those");
  }
  const TensorInfo* const zeros = take("qzeros");
  const bool scales = read_scales("scales", false);
  if (zeros == nullptr || !expect_dtype(*codes, {"I32", "U32"}) || !expect_dtype(*zeros, {"I32", "U32"}) || !scales) {
    return false;
  }
  codes_ = {.data = codes->bytes.data(),
            .row_step = 1,
            .col_step = rows_ / 8,
            .bits = 4,
            .along_rows = true,
            .awq_order = true};
  zeros_ = codes_;
  zeros_.data = zeros->bytes.data();
  const bool codes_fit = expect_shape(*codes, {cols_, rows_ / 8});
  return expect_shape(*zeros, {groups_, rows_ / 8}) && codes_fit && find_groups();
}

QWEN35_BODY bool PackedWeight::read_compressed() {
  const TensorInfo* const packed = take("weight_packed", true);
  const TensorInfo* const plain = packed == nullptr ? take("weight") : nullptr;
  const TensorInfo& codes = packed == nullptr ? *plain : *packed;
  const TensorInfo* const zeros = take("weight_zero_point", true);
  for (const char* const unused : {"input_scale", "input_zero_point"}) {
    take(unused, true);
  }
  if (!read_scales("weight_scale", true) || !expect_dtype(codes, {packed == nullptr ? "I8" : "I32"})) {
    return false;
  }
  if (packed == nullptr) {
    if (!expect_shape(codes, {rows_, cols_})) {
      return false;
    }
    codes_ = {.data = codes.bytes.data(), .row_step = cols_ / 4, .col_step = 1, .bits = 8, .flip = 128};
    if (cols_ % 4 != 0) {
      return complain(codes, "rows of a multiple of 4 values: not those");
    }
  } else {
    codes_.bits = 0;
    for (const std::size_t bits : {4u, 8u}) {
      const std::size_t words = (cols_ * bits + 31) / 32;
      if (codes.shape == std::vector<std::size_t>{rows_, words}) {
        codes_ = {.data = codes.bytes.data(), .row_step = words, .col_step = 1, .bits = bits};
        break;
      }
    }
    if (codes_.bits == 0) {
      codes_.bits = 4;
      return complain(codes, "rows, then words of 8 (or, in 8 bits, 4) columns,");
    }
  }
  if (!read_shape() || !read_group_index("weight_g_idx")) {
    return false;
  }
  if (zeros == nullptr) {
    if (config_.asymmetric) {
      tensors_.complain(module_ + "weight_zero_point", "missing, but quantization_config says symmetric: false");
    }
    return !config_.asymmetric;
  }
  if (!expect_dtype(*zeros, {"I32", "I8"})) {
    return false;
  }
  if (zeros->dtype == "I8") {
    return read_zero_bytes(*zeros);
  }
  const std::size_t words = (rows_ * codes_.bits + 31) / 32;
  zeros_ = {.data = zeros->bytes.data(), .row_step = groups_, .col_step = 1, .bits = codes_.bits, .along_rows = true};
  return expect_shape(*zeros, {words, groups_});
}

// Signed, around 0: as the codes, they get the middle code added.
QWEN35_BODY bool PackedWeight::read_zero_bytes(const TensorInfo& tensor) {
  if (tensor.bytes.size() != rows_ * groups_) {
    return expect_shape(tensor, {rows_, groups_});
  }
  const std::size_t words = (groups_ + 3) / 4;
  zero_bytes_.resize(rows_ * words * 4);
  for (std::size_t i = 0; i < tensor.bytes.size(); ++i) {
    const int zero = static_cast<std::int8_t>(std::to_integer<std::uint8_t>(tensor.bytes[i]));
    const int code = zero + static_cast<int>(middle());
    if (code < 0 || code > static_cast<int>(2 * middle() - 1)) {
      tensors_.complain(tensor.name, concat("a zero point of ", zero, ", expected one of ", codes_.bits, " bits"));
      return false;
    }
    zero_bytes_[i / groups_ * words * 4 + i % groups_] = static_cast<std::byte>(code);
  }
  zeros_ = {.data = zero_bytes_.data(), .row_step = words, .col_step = 1, .bits = 8};
  return true;
}

QWEN35_BODY bool PackedWeight::read_shape() {
  const TensorInfo* const tensor = take("weight_shape", tensors_.find(module_ + "weight_packed") == nullptr);
  if (tensor == nullptr) {
    return tensors_.find(module_ + "weight_packed") == nullptr;
  }
  if (!expect_dtype(*tensor, {"I64", "I32"})) {
    return false;
  }
  const std::size_t bytes = tensor->dtype == "I64" ? 8 : 4;
  if (tensor->bytes.size() != 2 * bytes) {
    return expect_shape(*tensor, {2});
  }
  std::int64_t extents[2] = {0, 0};
  for (std::size_t i = 0; i < 2; ++i) {
    std::memcpy(&extents[i], tensor->bytes.data() + i * bytes, bytes);
  }
  if (extents[0] != static_cast<std::int64_t>(rows_) || extents[1] != static_cast<std::int64_t>(cols_)) {
    tensors_.complain(tensor->name,
                      concat("holds ", extents[0], " and ", extents[1], ", expected ", rows_, " and ", cols_));
    return false;
  }
  return true;
}

QWEN35_BODY bool PackedWeight::read_scales(const char* part, bool rows_first) {
  scales_ = take(part);
  if (scales_ == nullptr || !expect_dtype(*scales_, {"F16", "BF16", "F32"})) {
    return false;
  }
  scale_type_ = *scale_type(scales_->dtype);
  std::vector<std::size_t> shape = scales_->shape;
  if (rows_first) {
    const std::size_t count = std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>());
    if (shape.size() < 2 && (count == rows_ || count == 1)) {
      shape = {count, 1};
    }
    if (shape.size() == 2 && count == 1) {  // one for all
      groups_ = 1;
      return true;
    }
  }
  if (shape.size() != 2 || shape[rows_first ? 0 : 1] != rows_ || shape[rows_first ? 1 : 0] == 0) {
    return complain(*scales_, rows_first ? "rows, then groups of columns," : "groups of columns, then rows,");
  }
  groups_ = shape[rows_first ? 1 : 0];
  scale_row_step_ = rows_first ? groups_ : 1;
  scale_group_step_ = rows_first ? 1 : rows_;
  return true;
}

// Groups of neighbours, all of one size but the last.
QWEN35_BODY bool PackedWeight::find_groups() {
  const auto fits = [this](std::size_t size) { return size > 0 && (cols_ + size - 1) / size == groups_; };
  const std::size_t size = fits(config_.group_size) ? config_.group_size : cols_ / groups_;
  if (!fits(size) || (size != config_.group_size && cols_ % groups_ != 0)) {
    return complain(*scales_, "groups of one size");
  }
  group_of_column_.resize(cols_);
  for (std::size_t k = 0; k < cols_; ++k) {
    group_of_column_[k] = static_cast<std::uint32_t>(k / size);
  }
  return true;
}

QWEN35_BODY bool PackedWeight::read_group_index(const char* part) {
  const TensorInfo* const tensor = take(part, true);
  if (tensor == nullptr) {
    if (config_.ordered && groups_ > 1) {
      tensors_.complain(module_ + part,
                        "missing, but quantization_config says that columns are put into groups by their activations "
                        "(desc_act, actorder)");
      return false;
    }
    return find_groups();
  }
  if (!expect_dtype(*tensor, {"I32"}) || !expect_shape(*tensor, {cols_})) {
    return false;
  }
  group_of_column_.resize(cols_);
  for (std::size_t k = 0; k < cols_; ++k) {
    std::int32_t group;
    std::memcpy(&group, tensor->bytes.data() + 4 * k, 4);
    if (group < 0 || static_cast<std::size_t>(group) >= groups_) {
      tensors_.complain(tensor->name, concat("column ", k, " has group ", group, " of ", groups_));
      return false;
    }
    group_of_column_[k] = static_cast<std::uint32_t>(group);
  }
  return true;
}

QWEN35_BODY std::size_t PackedWeight::run() const {
  std::size_t run = cols_;
  for (std::size_t k = 1; k < cols_; ++k) {
    run = group_of_column_[k] == group_of_column_[k - 1] ? run : std::gcd(run, k);
  }
  return run;
}

QWEN35_BODY std::optional<Format> PackedWeight::choose_format() {
  if (cols_ % 32 != 0) {
    return Format::f32;
  }
  bool holds = true, plain = true;
  for (std::size_t i = 0; i < rows_ && scale_type_ == ScaleType::f32; ++i) {
    for (std::size_t group = 0; group < groups_; ++group) {
      holds = holds && GroupHead::holds(scale(i, group));
      plain = plain && zero(i, group) == middle();
    }
  }
  const std::size_t neighbours = run();
  Format format = codes_.bits == 4 ? Format::i4_16 : Format::i8_16;
  if (neighbours % 32 == 0 && codes_.bits == 4) {
    format = !holds                  ? Format::i4_32_f32
             : neighbours % 128 == 0 ? Format::i4_128
             : neighbours % 64 == 0  ? Format::i4_64
                                     : Format::i4_32;
  } else if (neighbours % 32 == 0 && (holds || plain)) {
    format = !holds ? Format::i8_32_f32 : neighbours % 128 == 0 ? Format::i8_128 : Format::i8_32;
  }
  if (!is_available(format)) {
    tensors_.complain(scales_->name, unavailable_text(format));
    return std::nullopt;
  }
  return format;
}

QWEN35_BODY BlockScales PackedWeight::scales_beside(BoundStorage& storage) const {
  BlockScales out;
  out.stride = groups_;
  float* const scales = storage.make<float>(rows_ * groups_);
  float* const zeros = storage.make<float>(rows_ * groups_);
  std::uint32_t* const columns = storage.make<std::uint32_t>(cols_);
  std::copy(group_of_column_.begin(), group_of_column_.end(), columns);
  const int stored_zero = codes_.bits == 4 ? 0 : 128;  // the code that is stored as 0
  for (std::size_t i = 0; i < rows_ * groups_; ++i) {
    const std::size_t row = i / groups_, group = i % groups_;
    scales[i] = scale(row, group);
    zeros[i] = static_cast<float>(static_cast<int>(zero(row, group)) - stored_zero);
  }
  out.data = scales;
  out.zeros = zeros;
  out.columns = columns;
  return out;
}

QWEN35_BODY Matrix PackedWeight::fill(BoundStorage& storage, Format format) const {
  if (format == Format::f32) {
    return storage.make(format, rows_, cols_, [&](std::size_t i, std::size_t first, std::size_t count, float* to) {
      for (std::size_t j = 0; j < count; ++j) {
        const std::size_t group = group_of_column_[first + j];
        to[j] = scale(i, group) *
                static_cast<float>(static_cast<int>(codes_.at(i, first + j)) - static_cast<int>(zero(i, group)));
      }
    });
  }
  storage.copies.push_back(large_buffer(rows_ * row_bytes(format, cols_)));
  std::byte* const data = storage.copies.back().data();
  // Of 16 rows whose words are neighbours the first brings the others' into the cache.
  storage.for_rows(rows_, row_bytes(format, cols_), [&](std::size_t begin, std::size_t end) {
    switch (format) {
#define QWEN35_GROUP_CASE(name, ...)                                                     \
  case Format::name:                                                                     \
    if constexpr (is_available(Format::name)) fill_rows<Format::name>(begin, end, data); \
    break;
      QWEN35_GROUP_FORMATS(QWEN35_GROUP_CASE)
#undef QWEN35_GROUP_CASE
      default:
        break;
    }
  });
  Matrix out(data, format, rows_, cols_);
  if (format == Format::i4_16 || format == Format::i8_16) {
    out.scales = scales_beside(storage);
  }
  return out;
}

template <Format F>
inline void PackedWeight::fill_rows(std::size_t begin, std::size_t end, std::byte* to) const {
  using Block = typename StoredAs<F>::Block;
  constexpr std::size_t values = format_info(F).block_values;
  std::uint8_t codes[values < 32 ? 32 : values];
  for (std::size_t i = begin; i < end; ++i) {
    Block* const row = reinterpret_cast<Block*>(to + i * row_bytes(F, cols_));
    for (std::size_t k = 0; k < cols_; k += sizeof(codes)) {
      for (std::size_t j = 0; j < sizeof(codes); j += 32) {
        codes_.read_32(i, k + j, codes + j);
      }
      if constexpr (values < 32) {
        StoredAs<F>::pack(codes, row[k / values]);
        StoredAs<F>::pack(codes + values, row[k / values + 1]);
      } else {
        const std::size_t group = group_of_column_[k];
        StoredAs<F>::pack(codes, scale(i, group), zero(i, group), row[k / values]);
      }
    }
  }
}

QWEN35_END_NAMESPACE
#endif  // QWEN35_BODIES
