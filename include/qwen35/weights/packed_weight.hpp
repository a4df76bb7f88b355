// SPDX-License-Identifier: Apache-2.0
// Weights of GPTQ, AWQ and compressed-tensors: the tensors that stand for a linear layer's weight become one matrix of
// blocks, each with its scale and zero point.
#pragma once

#include <qwen35/core/matrix.hpp>
#include <qwen35/weights/block_scales.hpp>
#include <qwen35/weights/bound_storage.hpp>
#include <qwen35/weights/packed_integers.hpp>
#include <qwen35/weights/quantization_config.hpp>
#include <qwen35/weights/tensor_taker.hpp>

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// A weight "M.weight" [rows, cols] that a folder keeps as integers q, with a scale s and a zero point z for each group
// of columns of a row: s * (q - z). Which tensors of the module M there are says how:
//
//   GPTQ        qweight [cols / 8, rows] (32-bit words along the columns; 8 bits: [cols / 4, rows]), scales
//               [groups, rows], qzeros [groups, rows / 8] (along the rows), g_idx [cols] (each column's group). Zero
//               points are stored as one less, which is taken from their words: a 0 borrows from the next; by
//               "checkpoint_format": "gptq_v2" as they are. Folders with "sym": true whose config names the wrong one
//               of the two are about, as other programs do not look at their zero points: where all are beside the
//               middle code, it is meant.
//   AWQ         qweight [cols, rows / 8] and qzeros [groups, rows / 8] (along the rows, in AWQ's order), scales
//               [groups, rows]
//   compressed  weight_packed [rows, cols / 8] (8 bits: / 4), weight_scale [rows, groups], weight_zero_point
//   -tensors    [rows / 8, groups] (along the rows; or bytes [rows, groups] around 0), absent where it is the middle
//               code, weight_shape [2], weight_g_idx [cols]; or weight I8 [rows, cols] with the last three
//
// Bits and sizes of groups are read from the shapes. Groups of multiples of 32 neighbours become blocks. Where columns
// are put into groups by their activations (desc_act, actorder), or groups are of other sizes, the integers stay in the
// order of the columns, and scales and zero points stand beside them: the same values and as few bits, but slower
// products, which are those of decoded values. Rows of a length that 32 does not divide become f32.
class PackedWeight {
 public:
  // Has the file such tensors for the parameter `name`?
  static bool is_there(const TensorTaker& tensors, const std::string& name);
  // Complains, and is false, where a module has two weights that nothing chooses between: stored plainly and as
  // integers, or as integers of two methods. All of them then count as parts of the model.
  static bool is_one(TensorTaker& tensors, const std::string& name);

  // The names that the tensors of a parameter can have.
  static std::vector<std::string> parts_of(const std::string& name);

  // As the tensors of the parameter `name` tell them, if they do.
  struct Sizes {
    std::size_t rows, cols, bits;
  };
  static std::optional<Sizes> sizes(const TensorTaker& tensors, const std::string& name);

  // Looks, and complains, whether the tensors of the parameter are there and have its sizes; reads no values.
  static void look(TensorTaker& tensors, const std::string& name, std::size_t rows, std::size_t cols);

  // The matrix; an empty one after complaints, among them scales that are not finite. Of whole rows that are kept in
  // memory: the file is not looked at later.
  static Matrix read(TensorTaker& tensors, BoundStorage& storage, const QuantizationConfig& config,
                     const std::string& name, std::size_t rows, std::size_t cols);

 private:
  PackedWeight(TensorTaker& tensors, const QuantizationConfig& config, const std::string& name, std::size_t rows,
               std::size_t cols)
      : tensors_(tensors), config_(config), module_(module_of(name)), rows_(rows), cols_(cols) {}

  // The tensor of a module's integers, or null.
  static const TensorInfo* packed_tensor(const TensorTaker& tensors, const std::string& name);
  static std::string module_of(const std::string& name) { return name.substr(0, name.size() - 6); }

  const TensorInfo* take(const char* part, bool optional = false);
  bool complain(const TensorInfo& tensor, const std::string& expected);
  bool expect_shape(const TensorInfo& tensor, std::initializer_list<std::size_t> shape);
  bool expect_dtype(const TensorInfo& tensor, std::initializer_list<std::string_view> dtypes);

  bool read_gptq();
  bool read_awq();
  bool read_compressed();
  bool read_codes_of_gptq(const TensorInfo& codes);
  // Are all zero points the same, one more or one less than the middle code?
  bool are_all_beside_the_middle() const;
  bool read_scales(const char* part, bool rows_first);
  bool read_zero_bytes(const TensorInfo& tensor);
  bool read_shape();
  bool read_group_index(const char* part);
  bool find_groups();
  // How many neighbours are of one group everywhere.
  std::size_t run() const;
  std::optional<Format> choose_format();

  float scale(std::size_t row, std::size_t group) const {
    return scale_at(scales_->bytes.data(), scale_type_, row * scale_row_step_ + group * scale_group_step_);
  }
  std::uint32_t zero(std::size_t row, std::size_t group) const {
    return zeros_.data == nullptr ? middle() : zeros_.at(row, group);
  }
  std::uint32_t middle() const { return 1u << (codes_.bits - 1); }

  Matrix fill(BoundStorage& storage, Format format) const;
  BlockScales scales_beside(BoundStorage& storage) const;
  template <Format F>
  void fill_rows(std::size_t begin, std::size_t end, std::byte* to) const;

  TensorTaker& tensors_;
  const QuantizationConfig& config_;
  std::string module_;  // with the dot
  std::size_t rows_, cols_;
  PackedIntegers codes_, zeros_;  // [rows, cols], [rows, groups]
  const TensorInfo* scales_ = nullptr;
  ScaleType scale_type_ = ScaleType::f32;
  std::size_t scale_row_step_ = 0, scale_group_step_ = 0;
  std::size_t groups_ = 0;
  std::vector<std::byte> zero_bytes_;
  std::vector<std::uint32_t> group_of_column_;  // [cols]
};

QWEN35_END_NAMESPACE

#include <qwen35/weights/packed_weight_impl.hpp>
