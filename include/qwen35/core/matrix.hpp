// SPDX-License-Identifier: Apache-2.0
// A stored matrix as the file holds it: a view with its format.
#pragma once

#include <qwen35/core/dtype.hpp>

QWEN35_BEGIN_NAMESPACE

// A row-major weight matrix `[rows, cols]` ("out, in"). The bytes belong to someone else (a mapped file, the binary, a
// buffer) and are aligned to the size of an element. cols is a multiple of the format's block_values, rows of its
// rows_together.
struct Matrix {
  const std::byte* data = nullptr;
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::size_t row_bytes = 0;
  Format format = Format::f32;

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
  Matrix slice(std::size_t first, std::size_t count) const { return {row(first), format, count, cols}; }
};

QWEN35_END_NAMESPACE
