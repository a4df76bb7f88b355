// SPDX-License-Identifier: Apache-2.0
// Pixels: `Image` owns 8-bit RGB, `PixelView` looks at the caller's pixels in the usual layouts.
#pragma once

#include <qwen35/core/lifetime.hpp>
#include <qwen35/media/image_size.hpp>
#include <qwen35/media/limits.hpp>

#include <algorithm>
#include <span>
#include <vector>

QWEN35_BEGIN_NAMESPACE

enum class PixelFormat : std::uint8_t { rgb, bgr, rgba, bgra, grey };

constexpr std::size_t bytes_per_pixel(PixelFormat format) {
  return format == PixelFormat::grey ? 1 : format == PixelFormat::rgb || format == PixelFormat::bgr ? 3 : 4;
}

// The caller's pixels, 8 bits a channel, rows from the top. Alpha is dropped without blending, grey is replicated.
struct PixelView {
  const std::uint8_t* data = nullptr;
  std::size_t width = 0;
  std::size_t height = 0;
  PixelFormat format = PixelFormat::rgb;
  std::size_t stride = 0;  // bytes from one row to the next; 0: rows follow each other

  ImageSize size() const { return {width, height}; }
  std::size_t row_stride() const { return stride != 0 ? stride : width * bytes_per_pixel(format); }
  const std::uint8_t* row(std::size_t y) const { return data + y * row_stride(); }
};

// Raises InputError when the numbers of the pixels contradict each other.
inline void check_pixels(const PixelView& view) {
  require<InputError>(view.data != nullptr && view.width > 0 && view.height > 0,
                      "pixels: expected at least one pixel, got ", view.width, " x ", view.height,
                      view.data == nullptr ? " without data" : "");
  require<InputError>(view.width <= max_picture_side && view.height <= max_picture_side, "pixels: ", view.width, " x ",
                      view.height, " is too large, the longest side is ", max_picture_side);
  require<InputError>(view.row_stride() >= view.width * bytes_per_pixel(view.format), "pixels: a row stride of ",
                      view.stride, " bytes for ", view.width, " pixels of ", bytes_per_pixel(view.format), " bytes");
}

// One row of `width` pixels as RGB.
inline void row_to_rgb(const std::uint8_t* in, std::uint8_t* out, std::size_t width, PixelFormat format) {
  if (format == PixelFormat::rgb) {
    std::copy_n(in, 3 * width, out);
    return;
  }
  const std::size_t step = bytes_per_pixel(format);
  const bool grey = format == PixelFormat::grey;
  const bool swapped = format == PixelFormat::bgr || format == PixelFormat::bgra;
  const std::size_t red = swapped ? 2 : 0, green = grey ? 0 : 1, blue = swapped || grey ? 0 : 2;
  for (std::size_t x = 0; x < width; ++x, in += step, out += 3) {
    out[0] = in[red];
    out[1] = in[green];
    out[2] = in[blue];
  }
}

// CMYK as Adobe writes it, inverted: 255 is no ink. `in` may not be `out`.
inline void inverted_cmyk_to_rgb(const std::uint8_t* in, std::uint8_t* out, std::size_t width) {
  for (std::size_t x = 0; x < width; ++x) {
    for (std::size_t c = 0; c < 3; ++c) {
      const unsigned product = unsigned{in[4 * x + c]} * in[4 * x + 3] + 128u;
      out[3 * x + c] = static_cast<std::uint8_t>((product + (product >> 8)) >> 8);
    }
  }
}

// 8-bit RGB, `[height, width, 3]` without gaps.
class Image {
 public:
  Image() = default;
  // Black. Raises InputError when a side is 0 or beyond 2^24.
  Image(std::size_t width, std::size_t height) : width_(width), height_(height) {
    require<InputError>(width > 0 && height > 0 && width <= max_picture_side && height <= max_picture_side,
                        "image: ", width, " x ", height, " pixels, expected sides from 1 to ", max_picture_side);
    pixels_.resize(width * height * 3);
  }
  // A copy of the caller's pixels as RGB.
  explicit Image(const PixelView& view) {
    check_pixels(view);
    *this = Image(view.width, view.height);
    for (std::size_t y = 0; y < height_; ++y) {
      row_to_rgb(view.row(y), row(y), width_, view.format);
    }
  }

  std::size_t width() const { return width_; }
  std::size_t height() const { return height_; }
  bool empty() const { return pixels_.empty(); }
  std::uint8_t* row(std::size_t y) QWEN35_LIFETIMEBOUND { return pixels_.data() + y * width_ * 3; }
  const std::uint8_t* row(std::size_t y) const QWEN35_LIFETIMEBOUND { return pixels_.data() + y * width_ * 3; }
  std::span<std::uint8_t> pixels() QWEN35_LIFETIMEBOUND { return pixels_; }
  std::span<const std::uint8_t> pixels() const QWEN35_LIFETIMEBOUND { return pixels_; }

  PixelView view() const { return {pixels_.data(), width_, height_}; }
  operator PixelView() const { return view(); }
  friend bool operator==(const Image&, const Image&) = default;

 private:
  std::size_t width_ = 0;
  std::size_t height_ = 0;
  std::vector<std::uint8_t> pixels_;
};

QWEN35_END_NAMESPACE
