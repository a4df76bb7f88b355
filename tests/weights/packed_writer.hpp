// SPDX-License-Identifier: Apache-2.0
// Linear layers quantised to integers, as the definitions say, and packed as GPTQ, AWQ and compressed-tensors pack
// them: value by value, slowly.
#pragma once

#include "safetensors_writer.hpp"

#include <algorithm>
#include <cmath>

namespace weights_test {

// Words of 32 bits that hold small integers.
class Words {
 public:
  Words(std::size_t count, std::size_t bits) : words_(count), bits_(bits) {}
  void set(std::size_t word, std::size_t place, std::uint32_t value) {
    words_[word] |= (value & ((1u << bits_) - 1)) << place * bits_;
  }
  // One less in each place: a 0 borrows from the next.
  void take_one_each() {
    for (std::uint32_t& word : words_) {
      word -= bits_ == 4 ? 0x11111111u : 0x01010101u;
    }
  }
  Bytes bytes() const {
    const auto* const data = reinterpret_cast<const std::byte*>(words_.data());
    return {data, data + words_.size() * 4};
  }

 private:
  std::vector<std::uint32_t> words_;
  std::size_t bits_;
};

// A value is scale * (code - zero), the last two of the column's group.
struct QuantisedLayer {
  std::string module;  // "layers.0.mlp.experts.3.up_proj"
  std::size_t rows = 0, cols = 0, groups = 0, bits = 4;
  std::vector<std::uint32_t> codes;            // [rows, cols]
  std::vector<std::uint32_t> zeros;            // [rows, groups]
  std::vector<float> scales;                   // [rows, groups]
  std::vector<std::uint32_t> group_of_column;  // [cols]
  std::string scale_dtype = "F16";

  std::size_t in_word() const { return 32 / bits; }
  std::size_t words(std::size_t count) const { return (count + in_word() - 1) / in_word(); }

  float value(std::size_t i, std::size_t k) const {
    const std::size_t group = i * groups + group_of_column[k];
    return scales[group] * static_cast<float>(static_cast<int>(codes[i * cols + k]) - static_cast<int>(zeros[group]));
  }
  std::vector<float> values() const {
    std::vector<float> out(rows * cols);
    for (std::size_t i = 0; i < rows * cols; ++i) {
      out[i] = value(i / cols, i % cols);
    }
    return out;
  }

  // [rows, groups], or turned round.
  TestTensor scale_tensor(const std::string& part, bool turned) const {
    TestTensor out{module + part, {rows, groups}, scales, scale_dtype};
    if (turned) {
      out.shape = {groups, rows};
      for (std::size_t i = 0; i < rows * groups; ++i) {
        out.values[i % groups * rows + i / groups] = scales[i];
      }
    }
    return out;
  }
  RawTensor group_index(const std::string& part) const {
    Bytes bytes(cols * 4);
    std::memcpy(bytes.data(), group_of_column.data(), bytes.size());
    return {module + part, {cols}, "I32", std::move(bytes)};
  }

  std::vector<RawTensor> gptq(bool minus_one, bool with_index) const {
    Words packed(words(cols) * rows, bits), zero(groups * words(rows), bits);
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t k = 0; k < cols; ++k) {
        packed.set(k / in_word() * rows + i, k % in_word(), codes[i * cols + k]);
      }
      for (std::size_t g = 0; g < groups; ++g) {
        zero.set(g * words(rows) + i / in_word(), i % in_word(), zeros[i * groups + g]);
      }
    }
    if (minus_one) {
      zero.take_one_each();
    }
    std::vector<RawTensor> out = {{module + ".qweight", {words(cols), rows}, "I32", packed.bytes()},
                                  {module + ".qzeros", {groups, words(rows)}, "I32", zero.bytes()},
                                  scale_tensor(".scales", true)};
    if (with_index) {
      out.push_back(group_index(".g_idx"));
    }
    return out;
  }

  std::vector<RawTensor> awq() const {
    constexpr std::size_t order[] = {0, 2, 4, 6, 1, 3, 5, 7};  // row of a word's place
    Words packed(cols * rows / 8, 4), zero(groups * rows / 8, 4);
    for (std::size_t word = 0; word < rows / 8; ++word) {
      for (std::size_t place = 0; place < 8; ++place) {
        const std::size_t i = word * 8 + order[place];
        for (std::size_t k = 0; k < cols; ++k) {
          packed.set(k * (rows / 8) + word, place, codes[i * cols + k]);
        }
        for (std::size_t g = 0; g < groups; ++g) {
          zero.set(g * (rows / 8) + word, place, zeros[i * groups + g]);
        }
      }
    }
    return {{module + ".qweight", {cols, rows / 8}, "I32", packed.bytes()},
            {module + ".qzeros", {groups, rows / 8}, "I32", zero.bytes()},
            scale_tensor(".scales", true)};
  }

  enum class Zeros { none, packed, bytes };

  RawTensor zero_point(Zeros how) const {
    if (how == Zeros::packed) {
      Words zero(words(rows) * groups, bits);
      for (std::size_t i = 0; i < rows * groups; ++i) {
        zero.set(i / groups / in_word() * groups + i % groups, i / groups % in_word(), zeros[i]);
      }
      return {module + ".weight_zero_point", {words(rows), groups}, "I32", zero.bytes()};
    }
    Bytes bytes(rows * groups);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<std::byte>(zeros[i] - (1u << (bits - 1)));
    }
    return {module + ".weight_zero_point", {rows, groups}, "I8", std::move(bytes)};
  }

  std::vector<RawTensor> compressed(Zeros how, bool with_index) const {
    Words packed(rows * words(cols), bits);
    for (std::size_t i = 0; i < rows * cols; ++i) {
      packed.set(i / cols * words(cols) + i % cols / in_word(), i % cols % in_word(), codes[i]);
    }
    const std::int64_t extents[] = {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(cols)};
    Bytes shape(sizeof(extents));
    std::memcpy(shape.data(), extents, sizeof(extents));
    std::vector<RawTensor> out = {{module + ".weight_packed", {rows, words(cols)}, "I32", packed.bytes()},
                                  scale_tensor(".weight_scale", false),
                                  {module + ".weight_shape", {2}, "I64", std::move(shape)}};
    if (how != Zeros::none) {
      out.push_back(zero_point(how));
    }
    if (with_index) {
      out.push_back(group_index(".weight_g_idx"));
    }
    return out;
  }

  // 8 bits, a byte each.
  std::vector<RawTensor> compressed_bytes(bool with_zeros) const {
    Bytes bytes(rows * cols);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<std::byte>(codes[i] ^ 128u);
    }
    std::vector<RawTensor> out = {{module + ".weight", {rows, cols}, "I8", std::move(bytes)},
                                  scale_tensor(".weight_scale", false)};
    if (with_zeros) {
      out.push_back(zero_point(Zeros::bytes));
    }
    return out;
  }
};

// The smallest error of the largest value of a group, as quantisers without data do it.
inline QuantisedLayer quantise(const std::string& module, std::size_t rows, std::size_t cols,
                               const std::vector<float>& values, std::size_t bits, std::size_t group_size,
                               bool symmetric, const std::string& scale_dtype) {
  QuantisedLayer out;
  out.module = module;
  out.rows = rows;
  out.cols = cols;
  out.groups = cols / group_size;
  out.bits = bits;
  out.scale_dtype = scale_dtype;
  out.codes.resize(rows * cols);
  out.zeros.resize(rows * out.groups);
  out.scales.resize(rows * out.groups);
  const float most = static_cast<float>((1u << bits) - 1), middle = static_cast<float>(1u << (bits - 1));
  for (std::size_t k = 0; k < cols; ++k) {
    out.group_of_column.push_back(static_cast<std::uint32_t>(k / group_size));
  }
  for (std::size_t group = 0; group < rows * out.groups; ++group) {
    const float* const from = &values[group * group_size];
    const float low = std::min(0.0f, *std::min_element(from, from + group_size));
    const float high = std::max(0.0f, *std::max_element(from, from + group_size));
    float scale = symmetric ? std::max(-low, high) / (middle - 0.5f) : (high - low) / (most - 1.0f);
    scale = qwen35::visit(qwen35::dtype_of(scale_dtype).value(), [scale]<class Stored>(Stored) {
      typename Stored::Block block;
      float back = std::max(scale, 1e-6f);
      Stored::encode(&back, block);
      Stored::decode(block, &back);
      return back;
    });
    const float zero = symmetric ? middle : std::clamp(std::nearbyint(-low / scale), 1.0f, most);
    out.scales[group] = scale;
    out.zeros[group] = static_cast<std::uint32_t>(zero);
    for (std::size_t i = 0; i < group_size; ++i) {
      out.codes[group * group_size + i] =
          static_cast<std::uint32_t>(std::clamp(std::nearbyint(from[i] / scale) + zero, 0.0f, most));
    }
  }
  return out;
}

}  // namespace weights_test
