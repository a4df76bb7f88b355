// SPDX-License-Identifier: Apache-2.0
// Memory behind a model's weights that is not a file's.
#pragma once

#include <qwen35/core/aligned_buffer.hpp>
#include <qwen35/core/cancellation.hpp>
#include <qwen35/formats/formats.hpp>
#include <qwen35/io/huge_pages.hpp>
#include <qwen35/kernels/kernels.hpp>
#include <qwen35/layers/parameter.hpp>
#include <qwen35/parallel/parallel_for.hpp>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// The format of a model's vectors (norms, biases, decays) where all parameters are asked for in `format`: in one of
// fewer than 16 bits they stay as they are, or f32 where they come from nowhere.
std::optional<Format> vector_format(std::optional<Format> format);

// Moving it leaves the views valid.
struct BoundStorage {
  // A parameter as f32 values of what it means, and as it is stored: [rows, the other axes].
  struct Vector {
    AlignedBuffer<float> values;
    Matrix stored;
  };

  std::vector<Vector> vectors;
  std::vector<AlignedBuffer<std::byte>> copies;

  // fn(begin, end) on ranges of rows, on any thread. Between pieces of 64 MiB, of rows of that many bytes, it can be
  // cancelled.
  template <class F>
  static void for_rows(std::size_t rows, std::size_t bytes_of_row, const F& fn) {
    const std::size_t fit = (std::size_t{64} << 20) / std::max<std::size_t>(bytes_of_row, 1);
    const std::size_t piece = std::max<std::size_t>(fit / 16, 1) * 16;
    for (std::size_t first = 0; first < rows; first += piece) {
      CallScope::step("convert", first * bytes_of_row, rows * bytes_of_row);
      parallel_ranges(std::min(piece, rows - first), 16,
                      [&](std::size_t begin, std::size_t end) { fn(first + begin, first + end); });
    }
  }

  // A matrix of its own: fill(row, column, count, out) writes the values from that one on, on any thread.
  template <class Fill>
  Matrix make(Format format, std::size_t rows, std::size_t cols, const Fill& fill) {
    require_encodable(format, "weights");
    const std::size_t stride = row_bytes(format, cols);
    copies.push_back(large_buffer(rows * stride));
    std::byte* const data = copies.back().data();
    for_rows(rows, stride, [&](std::size_t begin, std::size_t end) {
      float values[256];
      for (std::size_t i = begin; i < end; ++i) {
        for (std::size_t j = 0; j < cols; j += std::size(values)) {
          const std::size_t count = std::min(std::size(values), cols - j);
          fill(i, j, count, values);
          kernels::encode_row({format, values, count, data + i * stride + row_bytes(format, j)});
        }
      }
    });
    return {data, format, rows, cols};
  }

  // The values of another matrix in a format, rounded.
  Matrix convert(const Matrix& from, Format format);
  // Room for numbers beside a matrix.
  template <class T>
  T* make(std::size_t count) {
    copies.push_back(large_buffer(count * sizeof(T)));
    return reinterpret_cast<T*>(copies.back().data());
  }

  // The values that `stored` means, transposed when it has more than one column. It is looked at again when the model
  // is written.
  const float* keep(const Matrix& stored, Meaning meaning);
  // The same for values that a file has as what they mean, so that nothing is stored in the form of a folder.
  const float* keep_meant(const Matrix& values);

  // As what a vector was stored, or null for one that keep() did not give.
  const Matrix* stored(const float* values) const;

 private:
  static AlignedBuffer<float> values_of(const Matrix& stored, Meaning meaning);
};

#if QWEN35_BODIES

QWEN35_BODY std::optional<Format> vector_format(std::optional<Format> format) {
  return format && row_bytes(*format, 64) < 128 ? std::nullopt : format;
}

QWEN35_BODY Matrix BoundStorage::convert(const Matrix& from, Format format) {
  require_encodable(format, "weights");
  const std::size_t stride = row_bytes(format, from.cols);
  copies.push_back(large_buffer(from.rows * stride));
  std::byte* const data = copies.back().data();
  for_rows(from.rows, stride, [&](std::size_t begin, std::size_t end) {
    std::vector<float> values(from.cols);
    for (std::size_t i = begin; i < end; ++i) {
      kernels::decode_row({from, i, values.data()});
      kernels::encode_row({format, values.data(), from.cols, data + i * stride});
    }
  });
  return {data, format, from.rows, from.cols};
}

QWEN35_BODY const float* BoundStorage::keep(const Matrix& stored, Meaning meaning) {
  vectors.push_back({values_of(stored, meaning), stored});
  return vectors.back().values.data();
}

QWEN35_BODY const float* BoundStorage::keep_meant(const Matrix& values) {
  vectors.push_back({values_of(values, Meaning::plain), {}});
  return vectors.back().values.data();
}

QWEN35_BODY const Matrix* BoundStorage::stored(const float* values) const {
  for (const Vector& vector : vectors) {
    if (vector.values.data() == values) {
      return vector.stored.empty() ? nullptr : &vector.stored;
    }
  }
  return nullptr;
}

QWEN35_BODY AlignedBuffer<float> BoundStorage::values_of(const Matrix& stored, Meaning meaning) {
  AlignedBuffer<float> values = AlignedBuffer<float>::uninitialised(stored.rows * stored.cols, "a tensor");
  std::vector<float> row(stored.cols);
  for (std::size_t i = 0; i < stored.rows; ++i) {
    kernels::decode_row({stored, i, row.data()});
    for (std::size_t j = 0; j < stored.cols; ++j) {
      values[j * stored.rows + i] = meant(meaning, row[j]);
    }
  }
  return values;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
