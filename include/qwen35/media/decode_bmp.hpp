// SPDX-License-Identifier: Apache-2.0
// BMP: 1, 2, 4, 8 bits with a palette, run lengths, 16, 24 and 32 bits with or without masks.
#pragma once

#include <qwen35/media/image.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <string_view>

QWEN35_BEGIN_NAMESPACE

namespace detail {

class BmpReader {
 public:
  BmpReader(std::span<const std::byte> bytes, const MediaLimits& limits, std::string_view source_name)
      : data_(reinterpret_cast<const std::uint8_t*>(bytes.data())),
        size_(bytes.size()),
        limits_(limits),
        name_(source_name) {}

  Image decode() {
    read_header();
    if (declined()) {
      return {};
    }
    Image image(width_, height_);
    if (compression_ == rle8 || compression_ == rle4) {
      read_runs(image);
    } else {
      // What fills up the last row may be missing.
      const std::size_t row = (width_ * bits_ + 7) / 8, stride = (row + 3) / 4 * 4;
      if (!check(pixels_ <= size_ && size_ - pixels_ >= stride * (height_ - 1) + row, "the file is cut off")) {
        return {};
      }
      for (std::size_t y = 0; y < height_; ++y) {
        read_row(data_ + pixels_ + y * stride, image.row(top_down_ ? y : height_ - 1 - y));
      }
    }
    return image;
  }

 private:
  static constexpr std::uint32_t rgb = 0, rle8 = 1, rle4 = 2, bitfields = 3, alpha_bitfields = 6;
  using Colour = std::array<std::uint8_t, 3>;
  // A channel's bits within a pixel of 16 or 32 bits.
  struct Mask {
    std::uint32_t bits = 0;
    int shift = 0;
    std::uint32_t largest = 0;
    std::uint8_t of(std::uint32_t pixel) const {
      return largest == 0 ? std::uint8_t{0}
                          : static_cast<std::uint8_t>(std::uint64_t{(pixel & bits) >> shift} * 255 / largest);
    }
  };

  bool check(bool condition, std::string_view problem) const {
    return holds<MediaError>(condition, name_, ": not a sound BMP: ", problem);
  }
  std::uint32_t u16(std::size_t at) const {
    return check(at <= size_ && size_ - at >= 2, "the file is cut off")
               ? static_cast<std::uint32_t>(data_[at] | data_[at + 1] << 8)
               : 0;
  }
  std::uint32_t u32(std::size_t at) const { return u16(at) | u16(at + 2) << 16; }

  void read_header() {
    if (!check(size_ >= 2 && data_[0] == 'B' && data_[1] == 'M', "it does not start with \"BM\"")) {
      return;
    }
    pixels_ = u32(10);
    const std::size_t header = u32(14);
    if (!check(header == 12 || header == 16 || (header >= 40 && header <= 256), "unknown header")) {
      return;
    }
    std::int64_t height = 0;
    if (header == 12) {
      width_ = u16(18);
      height = u16(20);
      bits_ = u16(24);
    } else {
      width_ = u32(18);
      height = static_cast<std::int32_t>(u32(22));
      bits_ = u16(28);
      compression_ = header >= 40 ? u32(30) : rgb;
    }
    top_down_ = height < 0;
    height_ = static_cast<std::size_t>(top_down_ ? -height : height);
    if (!check_picture_size(width_, height_, limits_, name_)) {
      return;
    }
    std::size_t after = 14 + header;
    const bool masks = compression_ == bitfields || compression_ == alpha_bitfields;
    if (!check(compression_ == rgb || (compression_ == rle8 && bits_ == 8) || (compression_ == rle4 && bits_ == 4) ||
                   (masks && (bits_ == 16 || bits_ == 32)),
               "unknown compression")) {
      return;
    }
    if (bits_ == 16 || bits_ == 32) {
      for (std::size_t c = 0; c < 3; ++c) {
        const std::uint32_t five = 0x7c00u >> (5 * c), eight = 0xff0000u >> (8 * c);
        mask_[c] = make_mask(masks ? u32(54 + 4 * c) : bits_ == 16 ? five : eight);
      }
      after += masks && header == 40 ? (compression_ == bitfields ? 12 : 16) : 0;
    } else if (bits_ != 24) {
      if (!check(bits_ == 1 || bits_ == 2 || bits_ == 4 || bits_ == 8, "unknown depth")) {
        return;
      }
      read_palette(after, header);
    }
    check(pixels_ >= after, "its pixels lie inside its header");
  }

  Mask make_mask(std::uint32_t bits) const {
    Mask mask;
    if (bits != 0) {
      mask.bits = bits;
      mask.shift = std::countr_zero(bits);
      mask.largest = bits >> mask.shift;
      check((mask.largest & (mask.largest + 1)) == 0, "a colour mask with gaps");
    }
    return mask;
  }

  void read_palette(std::size_t& after, std::size_t header) {
    const std::size_t entry = header == 12 ? 3 : 4, all = std::size_t{1} << bits_;
    std::size_t colours = header >= 40 ? u32(46) : 0;
    colours = colours == 0 ? all : std::min(colours, all);
    if (header == 12 && pixels_ >= after) {
      colours = std::min(colours, (pixels_ - after) / 3);
    }
    if (!check(after <= size_ && (size_ - after) / entry >= colours, "the file is cut off")) {
      return;
    }
    for (std::size_t i = 0; i < colours; ++i) {
      const std::uint8_t* const p = data_ + after + i * entry;
      palette_[i] = {p[2], p[1], p[0]};
    }
    after += colours * entry;
  }

  void read_row(const std::uint8_t* in, std::uint8_t* out) const {
    for (std::size_t x = 0; x < width_; ++x, out += 3) {
      Colour colour{};
      if (bits_ <= 8) {
        const std::size_t bit = x * bits_;
        colour = palette_[(in[bit / 8] >> (8 - bits_ - bit % 8)) & ((1u << bits_) - 1u)];
      } else if (bits_ == 24) {
        colour = {in[3 * x + 2], in[3 * x + 1], in[3 * x]};
      } else {
        const std::size_t bytes = bits_ / 8;
        std::uint32_t pixel = 0;
        for (std::size_t i = bytes; i-- > 0;) {
          pixel = pixel << 8 | in[bytes * x + i];
        }
        colour = {mask_[0].of(pixel), mask_[1].of(pixel), mask_[2].of(pixel)};
      }
      std::copy(colour.begin(), colour.end(), out);
    }
  }

  // Pairs (count, colour), and after a 0: end of line, end of picture, a jump, or plain colours. What is jumped over
  // has colour 0.
  void read_runs(Image& image) const {
    for (std::size_t i = 0; i < image.pixels().size(); ++i) {
      image.pixels()[i] = palette_[0][i % 3];
    }
    std::size_t at = pixels_, x = 0, y = 0;
    const auto put = [&](std::uint8_t index) {
      if (!check(x < width_ && y < height_, "a run leaves the picture")) {
        return;
      }
      const Colour& colour = palette_[index];
      std::copy(colour.begin(), colour.end(), image.row(top_down_ ? y : height_ - 1 - y) + 3 * x++);
    };
    const bool nibbles = compression_ == rle4;
    while (!declined()) {
      if (at + 2 > size_ && (y == height_ || (y + 1 == height_ && x == width_))) {
        return;  // without the mark of the end
      }
      const std::uint32_t pair = u16(at), count = pair & 0xffu, value = pair >> 8;
      at += 2;
      if (count > 0) {
        for (std::uint32_t i = 0; i < count; ++i) {
          put(static_cast<std::uint8_t>(!nibbles ? value : i % 2 == 0 ? value >> 4 : value & 15u));
        }
      } else if (value == 0) {
        x = 0;
        ++y;
      } else if (value == 1) {
        return;
      } else if (value == 2) {
        const std::uint32_t jump = u16(at);
        at += 2;
        x += jump & 0xffu;
        y += jump >> 8;
      } else {
        const std::size_t bytes = nibbles ? (value + 1) / 2 : value;
        if (!check(at <= size_ && size_ - at >= bytes, "the file is cut off")) {
          return;
        }
        for (std::uint32_t i = 0; i < value; ++i) {
          const std::uint8_t byte = data_[at + (nibbles ? i / 2 : i)];
          put(static_cast<std::uint8_t>(!nibbles ? byte : i % 2 == 0 ? byte >> 4 : byte & 15u));
        }
        at += (bytes + 1) / 2 * 2;
      }
    }
  }

  const std::uint8_t* data_;
  std::size_t size_;
  MediaLimits limits_;
  std::string_view name_;
  std::size_t width_ = 0;
  std::size_t height_ = 0;
  std::size_t pixels_ = 0;  // offset of the first row
  std::uint32_t bits_ = 0;
  std::uint32_t compression_ = rgb;
  bool top_down_ = false;
  std::array<Mask, 3> mask_{};
  std::array<Colour, 256> palette_{};
};

}  // namespace detail

// Alpha is dropped. Raises MediaError for a damaged or too large file.
inline Image decode_bmp(std::span<const std::byte> bytes, const MediaLimits& limits = {},
                        std::string_view source_name = "BMP") {
  return detail::BmpReader(bytes, limits, source_name).decode();
}

QWEN35_END_NAMESPACE
