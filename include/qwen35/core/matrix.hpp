// SPDX-License-Identifier: Apache-2.0
// A stored matrix as the file holds it: a view with its format.
#pragma once

#include <qwen35/core/dtype.hpp>

QWEN35_BEGIN_NAMESPACE

// A row-major weight matrix `[rows, cols]` ("out, in"). The bytes belong to someone else (a mapped file, the binary, a
// buffer) and are aligned to the size of an element.
struct Matrix {
  const std::byte* data = nullptr;
  DType dtype = DType::f32;
  std::size_t rows = 0;
  std::size_t cols = 0;

  bool empty() const { return data == nullptr; }
  std::size_t bytes() const { return rows * row_bytes(dtype, cols); }
  const std::byte* row(std::size_t index) const { return data + index * row_bytes(dtype, cols); }

  // Rows [first, first + count) as a matrix of their own.
  Matrix slice(std::size_t first, std::size_t count) const { return {row(first), dtype, count, cols}; }
};

QWEN35_END_NAMESPACE
