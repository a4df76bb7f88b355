// SPDX-License-Identifier: Apache-2.0
// The samples of a TIFF picture as its rows have them, and the colours that they are.
#pragma once

#include <qwen35/media/image.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

QWEN35_BEGIN_NAMESPACE
namespace detail {

// How the samples of a picture are to be read.
struct TiffLayout {
  enum class Colour : std::uint8_t { grey, palette, rgb, cmyk, ycbcr };
  enum class Sample : std::uint8_t { code, integer, real };  // a share of the largest code; a value, cut to 0 to 255
  Colour colour = Colour::grey;
  Sample sample = Sample::code;
  bool inverted = false;                // 0 is white
  bool premultiplied = false;           // by the sample behind the colours
  bool separate = false;                // each sample has planes of its own
  unsigned bits = 1;                    // of a sample
  std::size_t samples = 1;              // of a pixel
  std::vector<std::uint8_t> colours{};  // of a palette: all reds, greens, blues

  std::size_t step() const { return separate ? 1 : samples; }
  std::size_t row_bytes(std::size_t width) const { return (width * step() * bits + 7) / 8; }
  // How many samples of a pixel count.
  std::size_t used() const {
    const std::size_t of_colour = colour == Colour::cmyk                                ? 4
                                  : colour == Colour::grey || colour == Colour::palette ? 1
                                                                                        : 3;
    return of_colour + (premultiplied ? 1 : 0);
  }
};

// As the reference does it: fractions are cut off, and what is no number is 0.
inline std::uint8_t tiff_byte(float value) {
  return value >= 255.0f ? std::uint8_t{255} : value > 0.0f ? static_cast<std::uint8_t>(value) : std::uint8_t{0};
}

// Sample `i` of a row as libtiff gives it, in this machine's order, as a value.
template <class T>
inline T tiff_value(const std::uint8_t* in, std::size_t i) {
  T value;
  std::memcpy(&value, in + sizeof(T) * i, sizeof(T));
  return value;
}

// `in`: a row; `out`: a byte a sample, of codes above 8 bits their 8 highest.
inline void tiff_samples(const TiffLayout& layout, const std::uint8_t* in, std::span<std::uint8_t> out) {
  const unsigned bits = layout.bits, largest = (1u << std::min(bits, 8u)) - 1;
  const unsigned scale = layout.colour == TiffLayout::Colour::palette ? 1 : 255 / largest;
  for (std::size_t i = 0; i < out.size(); ++i) {
    unsigned value = 0;
    if (layout.sample == TiffLayout::Sample::real) {
      value = tiff_byte(tiff_value<float>(in, i));
    } else if (layout.sample == TiffLayout::Sample::integer) {
      value = static_cast<unsigned>(std::clamp(
          bits == 16 ? std::int32_t{tiff_value<std::int16_t>(in, i)} : tiff_value<std::int32_t>(in, i), 0, 255));
    } else if (bits == 16) {
      value = tiff_value<std::uint16_t>(in, i) >> 8;
    } else if (bits == 12) {
      const std::uint8_t* const p = in + i * 3 / 2;
      value = i % 2 == 0 ? p[0] : (unsigned{p[0]} << 4 | unsigned{p[1]} >> 4) & 255u;
    } else {
      value = (unsigned{in[i * bits / 8]} >> (8 - bits - i * bits % 8) & largest) * scale;
    }
    out[i] = static_cast<std::uint8_t>(layout.inverted ? 255 - value : value);
  }
}

// In place, by the reference's tables: products in 64ths, cut towards 0 after a half was added, whatever their sign.
inline void ycbcr_to_rgb(std::uint8_t* pixel) {
  const auto part = [](double factor, std::uint8_t chroma) {
    return static_cast<int>(factor * (int{chroma} - 128) * 64.0 + 0.5);
  };
  const int y = pixel[0];
  const std::uint8_t cb = pixel[1], cr = pixel[2];
  const int parts[] = {part(1.402, cr), part(-0.34414, cb) + part(-0.71414, cr), part(1.772, cb)};
  for (std::size_t c = 0; c < 3; ++c) {
    pixel[c] = static_cast<std::uint8_t>(std::clamp(y + (parts[c] >> 6), 0, 255));
  }
}

// What the samples number `index` of a row's pixels, `step` bytes apart, bring to `out`, [width, 3]. Called for all
// that count, in their order.
inline void tiff_colours(const TiffLayout& layout, std::size_t index, const std::uint8_t* samples, std::size_t step,
                         std::uint8_t* out, std::size_t width) {
  using Colour = TiffLayout::Colour;
  const bool alpha = layout.premultiplied && index + 1 == layout.used();
  for (std::size_t x = 0; x < width; ++x, samples += step, out += 3) {
    const unsigned value = *samples;
    if (alpha) {
      for (std::size_t c = 0; c < 3; ++c) {
        out[c] = static_cast<std::uint8_t>(value == 0 ? 0 : std::min(out[c] * 255u / value, 255u));
      }
    } else if (layout.colour == Colour::palette) {
      for (std::size_t c = 0; c < 3; ++c) {
        out[c] = layout.colours[c * layout.colours.size() / 3 + value];
      }
    } else if (layout.colour == Colour::grey) {
      out[0] = out[1] = out[2] = *samples;
    } else if (layout.colour == Colour::cmyk) {
      if (index < 3) {
        out[index] = static_cast<std::uint8_t>(255 - value);
      } else {
        const std::uint8_t inverted[4] = {out[0], out[1], out[2], static_cast<std::uint8_t>(255 - value)};
        inverted_cmyk_to_rgb(inverted, out, 1);
      }
    } else {
      out[index] = *samples;
      if (layout.colour == Colour::ycbcr && index == 2) {
        ycbcr_to_rgb(out);
      }
    }
  }
}

}  // namespace detail
QWEN35_END_NAMESPACE
