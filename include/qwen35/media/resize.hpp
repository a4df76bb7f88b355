// SPDX-License-Identifier: Apache-2.0
// Bicubic resizing with antialiasing of 8-bit pixels, equal bit for bit to the reference's (torchvision's uint8
// kernel).
#pragma once

#include <qwen35/kernels/kernels.hpp>
#include <qwen35/media/image.hpp>
#include <qwen35/parallel/parallel_for.hpp>

#include <algorithm>
#include <cmath>

QWEN35_BEGIN_NAMESPACE

namespace detail {

// The weights of one axis, n_in -> n_out, in fixed point with `precision` fraction bits.
struct ResizeWeights {
  std::vector<std::uint32_t> first;  // [n_out] the first source index
  std::vector<std::uint32_t> count;  // [n_out] taps that are not 0
  std::vector<std::int16_t> values;  // [n_out, taps]
  std::size_t taps = 0;              // a multiple of 4
  int precision = 0;

  const std::int16_t* row(std::size_t i) const { return values.data() + i * taps; }
};

// Keys' cubic with a = -0.5, in float64 and the reference's order of evaluation.
inline double cubic(double x) {
  constexpr double a = -0.5;
  x = x < 0.0 ? -x : x;
  if (x < 1.0) {
    return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  }
  return x < 2.0 ? (((x - 5.0) * x + 8.0) * x - 4.0) * a : 0.0;
}

inline ResizeWeights resize_weights(std::size_t n_in, std::size_t n_out) {
  const double scale = static_cast<double>(n_in) / static_cast<double>(n_out);
  const double filter_scale = std::max(scale, 1.0);
  const double radius = 2.0 * filter_scale;
  const double inverse = 1.0 / filter_scale;
  ResizeWeights out;
  out.taps = (static_cast<std::size_t>(std::ceil(radius)) * 2 + 4) / 4 * 4;
  out.first.resize(n_out);
  out.count.resize(n_out);
  std::vector<double> weights(n_out * out.taps, 0.0);
  double largest = 0.0;
  for (std::size_t i = 0; i < n_out; ++i) {
    const double centre = scale * (static_cast<double>(i) + 0.5);
    const auto low = static_cast<std::int64_t>(centre - radius + 0.5);
    const auto high = static_cast<std::int64_t>(centre + radius + 0.5);
    const std::int64_t first = std::max<std::int64_t>(low, 0);
    const std::int64_t count = std::clamp<std::int64_t>(
        std::min<std::int64_t>(high, static_cast<std::int64_t>(n_in)) - first, 0, static_cast<std::int64_t>(out.taps));
    double* const w = weights.data() + i * out.taps;
    double total = 0.0;
    for (std::int64_t j = 0; j < count; ++j) {
      w[j] = cubic((static_cast<double>(j + first) - centre + 0.5) * inverse);
      total += w[j];
    }
    for (std::int64_t j = 0; j < count; ++j) {
      w[j] = total != 0.0 ? w[j] / total : w[j];
      largest = std::max(largest, w[j]);
    }
    out.first[i] = static_cast<std::uint32_t>(first);
    out.count[i] = static_cast<std::uint32_t>(count);
  }
  // As many fraction bits as let the largest weight stay below 2^15.
  while (out.precision < 22 &&
         static_cast<std::int64_t>(0.5 + largest * static_cast<double>(1 << (out.precision + 1))) < (1 << 15)) {
    ++out.precision;
  }
  const auto unit = static_cast<double>(1 << out.precision);
  out.values.resize(weights.size());
  for (std::size_t k = 0; k < weights.size(); ++k) {
    out.values[k] = static_cast<std::int16_t>(weights[k] * unit + (weights[k] < 0.0 ? -0.5 : 0.5));
  }
  return out;
}

}  // namespace detail

// A picture being resized: along x at once, rounded and clamped to 8 bits, along y row by row, so that the result need
// not be in memory as a whole. The source must outlive it.
class BicubicRows {
 public:
  BicubicRows(const PixelView& source, ImageSize size) : rows_(source), width_(size.width) {
    const auto [width, height] = size;
    check_pixels(source);
    require<InputError>(width > 0 && height > 0 && width <= max_picture_side && height <= max_picture_side,
                        "resizing to ", width, " x ", height, " pixels, expected sides from 1 to ", max_picture_side);
    if (height != source.height) {
      along_y_ = detail::resize_weights(source.height, height);
    }
    if (width != source.width || (source.format != PixelFormat::rgb && height != source.height)) {
      resize_along_x(source);
    }
  }

  BicubicRows(const BicubicRows&) = delete;
  BicubicRows& operator=(const BicubicRows&) = delete;

  // A number of rows that is worth a thread.
  std::size_t grain() const { return 1 + 262144 / width_; }

  // Row `y` of the result, [width, 3].
  void row(std::size_t y, std::uint8_t* out) const {
    if (along_y_.taps == 0) {
      row_to_rgb(rows_.row(y), out, width_, rows_.format);
    } else {
      kernels::resize_column({.in = rows_.row(along_y_.first[y]),
                              .stride = rows_.row_stride(),
                              .weights = along_y_.row(y),
                              .taps = along_y_.count[y],
                              .precision = along_y_.precision,
                              .n = 3 * width_,
                              .out = out});
    }
  }

 private:
  void resize_along_x(const PixelView& source) {
    const bool resized = width_ != source.width;
    const detail::ResizeWeights weights =
        resized ? detail::resize_weights(source.width, width_) : detail::ResizeWeights();
    narrow_ = Image(width_, source.height);
    parallel_ranges(source.height, 1 + 262144 / (source.width + width_), [&](std::size_t begin, std::size_t end) {
      // A row with room behind it, which the kernel reads.
      std::vector<std::uint8_t> line(resized ? 3 * (source.width + weights.taps) + 4 : 0);
      for (std::size_t y = begin; y < end; ++y) {
        row_to_rgb(source.row(y), resized ? line.data() : narrow_.row(y), source.width, source.format);
        if (resized) {
          kernels::resize_row({.in = line.data(),
                               .first = weights.first.data(),
                               .weights = weights.values.data(),
                               .taps = weights.taps,
                               .precision = weights.precision,
                               .n = width_,
                               .out = narrow_.row(y)});
        }
      }
    });
    rows_ = narrow_.view();
  }

  PixelView rows_;  // of the source, or narrow_
  std::size_t width_;
  detail::ResizeWeights along_y_;  // empty: rows are as they are
  Image narrow_;
};

// The picture at `size`. First along x, rounded and clamped to 8 bits, then along y; an axis that keeps its
// size is left alone. Raises InputError when a size is 0 or beyond 2^24.
inline Image resize_bicubic(const PixelView& source, ImageSize size) {
  const BicubicRows rows(source, size);
  Image out(size.width, size.height);
  parallel_ranges(size.height, rows.grain(), [&](std::size_t begin, std::size_t end) {
    for (std::size_t y = begin; y < end; ++y) {
      rows.row(y, out.row(y));
    }
  });
  return out;
}

QWEN35_END_NAMESPACE
