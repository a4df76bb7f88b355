// SPDX-License-Identifier: Apache-2.0
// Bicubic resizing with antialiasing of 8-bit pixels, equal bit for bit to the reference's (torchvision's uint8 kernel).
#pragma once

#include <qwen35/media/image.hpp>
#include <qwen35/parallel/parallel_for.hpp>

#include <algorithm>
#include <cmath>

QWEN35_BEGIN_NAMESPACE

namespace detail {

// The weights of one axis, n_in -> n_out, in fixed point with `precision` fraction bits.
struct ResizeWeights {
  struct Span {
    std::size_t first;  // first source index
    std::size_t count;  // taps
  };
  std::vector<Span> spans;           // [n_out]
  std::vector<std::int16_t> values;  // [n_out, taps]
  std::size_t taps = 0;
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
  out.taps = static_cast<std::size_t>(std::ceil(radius)) * 2 + 1;
  out.spans.resize(n_out);
  std::vector<double> weights(n_out * out.taps, 0.0);
  double largest = 0.0;
  for (std::size_t i = 0; i < n_out; ++i) {
    const double centre = scale * (static_cast<double>(i) + 0.5);
    const auto low = static_cast<std::int64_t>(centre - radius + 0.5);
    const auto high = static_cast<std::int64_t>(centre + radius + 0.5);
    const std::int64_t first = std::max<std::int64_t>(low, 0);
    const std::int64_t count = std::clamp<std::int64_t>(std::min<std::int64_t>(high, static_cast<std::int64_t>(n_in)) - first, 0,
                                                        static_cast<std::int64_t>(out.taps));
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
    out.spans[i] = {static_cast<std::size_t>(first), static_cast<std::size_t>(count)};
  }
  // As many fraction bits as let the largest weight stay below 2^15.
  while (out.precision < 22 && static_cast<std::int64_t>(0.5 + largest * static_cast<double>(1 << (out.precision + 1))) < (1 << 15)) {
    ++out.precision;
  }
  const auto unit = static_cast<double>(1 << out.precision);
  out.values.resize(weights.size());
  for (std::size_t k = 0; k < weights.size(); ++k) {
    out.values[k] = static_cast<std::int16_t>(weights[k] * unit + (weights[k] < 0.0 ? -0.5 : 0.5));
  }
  return out;
}

// Sums of `lanes` neighbouring values over the taps of one output position. Constant trip counts and products written as 16 x 16 -> 32 bits:
// compilers turn the loops into vector code at -O2 and for any instruction set.
template <std::size_t lanes, class T>
inline void weighted_bytes(const T* in, std::size_t stride, const std::int16_t* weights, std::size_t taps, int precision, std::uint8_t* out) {
  std::int32_t sums[lanes];
  for (std::size_t k = 0; k < lanes; ++k) {
    sums[k] = 1 << (precision - 1);
  }
  for (std::size_t j = 0; j < taps; ++j, in += stride) {
    const std::int16_t q = weights[j];
    for (std::size_t k = 0; k < lanes; ++k) {
      sums[k] += static_cast<std::int32_t>(q) * static_cast<std::int32_t>(static_cast<std::int16_t>(in[k]));
    }
  }
  for (std::size_t k = 0; k < lanes; ++k) {
    out[k] = static_cast<std::uint8_t>(std::clamp(sums[k] >> precision, 0, 255));
  }
}

inline constexpr std::size_t resize_rows = 8;  // rows that go through the x axis together

// `rows` (at most resize_rows) rows of RGB along x. They are interleaved byte by byte first, [x][channel][row], so that the sums run over
// neighbouring values; against sums over the three channels of a row this halved the time. `buffer`: room for 3 x n_in x resize_rows values.
inline void resize_along_x(const std::uint8_t* const* in, std::uint8_t* const* out, std::size_t rows, std::size_t n_in, std::int16_t* buffer,
                           const ResizeWeights& weights) {
  constexpr std::size_t lanes = 3 * resize_rows;
  for (std::size_t r = 0; r < resize_rows; ++r) {
    const std::uint8_t* const row = in[r < rows ? r : 0];
    for (std::size_t x = 0; x < 3 * n_in; ++x) {
      buffer[x * resize_rows + r] = row[x];
    }
  }
  std::uint8_t result[lanes];
  for (std::size_t i = 0; i < weights.spans.size(); ++i) {
    const ResizeWeights::Span span = weights.spans[i];
    weighted_bytes<lanes>(buffer + span.first * lanes, lanes, weights.row(i), span.count, weights.precision, result);
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < 3; ++c) {
        out[r][3 * i + c] = result[c * resize_rows + r];
      }
    }
  }
}

// Output row `i` of the y axis; rows of `bytes` = 3 x width, `stride` apart.
inline void resize_along_y(const std::uint8_t* in, std::size_t stride, std::uint8_t* out, std::size_t bytes, const ResizeWeights& weights,
                           std::size_t i) {
  const ResizeWeights::Span span = weights.spans[i];
  in += span.first * stride;
  std::size_t x = 0;
  for (; x + 32 <= bytes; x += 32) {
    weighted_bytes<32>(in + x, stride, weights.row(i), span.count, weights.precision, out + x);
  }
  for (; x < bytes; ++x) {
    weighted_bytes<1>(in + x, stride, weights.row(i), span.count, weights.precision, out + x);
  }
}

}  // namespace detail

// The picture at `width` x `height`. First along x, rounded and clamped to 8 bits, then along y; an axis that keeps its size is left alone.
// Raises InputError when a size is 0 or beyond 2^24.
inline Image resize_bicubic(const PixelView& source, std::size_t width, std::size_t height) {
  detail::check_view(source);
  constexpr std::size_t rows = detail::resize_rows;
  const std::size_t grain = (1 + 32768 / (source.width + width)) * rows;  // rows that are worth a thread
  const bool same_width = width == source.width;
  const bool in_place = same_width && height != source.height && source.format == PixelFormat::rgb;  // nothing to do along x
  Image narrow = in_place ? Image() : Image(width, source.height);
  const detail::ResizeWeights along_x = same_width ? detail::ResizeWeights() : detail::resize_weights(source.width, width);
  parallel_ranges(in_place ? 0 : source.height, grain, [&](std::size_t begin, std::size_t end) {
    if (same_width) {
      for (std::size_t y = begin; y < end; ++y) {
        detail::row_to_rgb(source.row(y), narrow.row(y), width, source.format);
      }
      return;
    }
    std::vector<std::uint8_t> lines(source.format == PixelFormat::rgb ? 0 : source.width * 3 * rows);
    std::vector<std::int16_t> buffer(source.width * 3 * rows);
    for (std::size_t y = begin; y < end; y += rows) {
      const std::size_t count = std::min(rows, end - y);
      const std::uint8_t* in[rows];
      std::uint8_t* out[rows];
      for (std::size_t r = 0; r < count; ++r) {
        in[r] = source.row(y + r);
        out[r] = narrow.row(y + r);
        if (source.format != PixelFormat::rgb) {
          std::uint8_t* const line = lines.data() + r * source.width * 3;
          detail::row_to_rgb(in[r], line, source.width, source.format);
          in[r] = line;
        }
      }
      detail::resize_along_x(in, out, count, source.width, buffer.data(), along_x);
    }
  });
  if (height == source.height) {
    return narrow;
  }
  Image out(width, height);
  const PixelView rows_in = in_place ? source : narrow.view();
  const detail::ResizeWeights along_y = detail::resize_weights(source.height, height);
  parallel_ranges(height, grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t y = begin; y < end; ++y) {
      detail::resize_along_y(rows_in.data, rows_in.row_stride(), out.row(y), width * 3, along_y, y);
    }
  });
  return out;
}

QWEN35_END_NAMESPACE
