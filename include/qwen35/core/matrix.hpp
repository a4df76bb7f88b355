// SPDX-License-Identifier: Apache-2.0
// A stored matrix as the file holds it: a view with its format.
#pragma once

#include <qwen35/core/dtype.hpp>

QWEN35_BEGIN_NAMESPACE

// Factors that stand beside the stored values, one for each block of rows and columns: value [i, k] of a matrix is what
// its format says (less a zero point, if there are such), times row(i)[column(k)], rounded to f32.
struct BlockScales {
  const float* data = nullptr;  // [blocks of rows, stride], null: no factors
  std::size_t stride = 0;       // blocks of columns
  std::size_t rows = 1;         // of a block
  std::size_t cols = 1;
  std::size_t first_row = 0;               // where in the blocks the matrix begins
  const float* zeros = nullptr;            // as data, or null
  const std::uint32_t* columns = nullptr;  // the block of each column where they are no neighbours, or null

  bool empty() const { return data == nullptr; }
  std::size_t place(std::size_t row) const { return (first_row + row) / rows * stride; }
  std::size_t column(std::size_t k) const { return columns == nullptr ? k / cols : columns[k]; }
};

// A row-major weight matrix `[rows, cols]` ("out, in"). The bytes belong to someone else (a mapped file, the binary, a
// buffer) and are aligned to the size of an element. cols is a multiple of the format's block_values, rows of its
// rows_together.
struct Matrix {
  const std::byte* data = nullptr;
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::size_t row_bytes = 0;
  Format format = Format::f32;
  BlockScales scales{};

  constexpr Matrix() = default;
  constexpr Matrix(const std::byte* bytes, Format stored, std::size_t row_count, std::size_t col_count)
      : data(bytes),
        rows(row_count),
        cols(col_count),
        row_bytes(qwen35::row_bytes(stored, col_count)),
        format(stored) {}

  bool empty() const { return data == nullptr; }
  std::size_t bytes() const { return rows * row_bytes; }
  // Row `index`, a multiple of rows_together.
  const std::byte* row(std::size_t index) const { return data + index * row_bytes; }

  // Rows [first, first + count) as a matrix of their own; both are multiples of rows_together.
  Matrix slice(std::size_t first, std::size_t count) const {
    Matrix out(row(first), format, count, cols);
    out.scales = scales;
    out.scales.first_row += first;
    return out;
  }
};

QWEN35_END_NAMESPACE
