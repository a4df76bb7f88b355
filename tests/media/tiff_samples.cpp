// SPDX-License-Identifier: Apache-2.0
#include <qwen35/media/tiff_samples.hpp>

#include <doctest/doctest.h>

#include <limits>

using namespace qwen35::detail;
using Colour = TiffLayout::Colour;
using Sample = TiffLayout::Sample;
using Bytes = std::vector<std::uint8_t>;

namespace {

// `count` samples of a row.
Bytes samples_of(const TiffLayout& layout, const Bytes& row, std::size_t count) {
  Bytes out(count);
  tiff_samples(layout, row.data(), out);
  return out;
}

template <class T>
Bytes bytes_of(const std::vector<T>& values) {
  Bytes out(values.size() * sizeof(T));
  std::memcpy(out.data(), values.data(), out.size());
  return out;
}

// Of rows of whole pixels.
Bytes colours_of(const TiffLayout& layout, const Bytes& samples) {
  const std::size_t width = samples.size() / layout.samples;
  Bytes out(3 * width);
  for (std::size_t i = 0; i < layout.used(); ++i) {
    tiff_colours(layout, i, samples.data() + i, layout.samples, out.data(), width);
  }
  return out;
}

}  // namespace

TEST_CASE("a row has whole bytes, and the samples that count come first") {
  CHECK(TiffLayout{.bits = 1}.row_bytes(9) == 2);
  CHECK(TiffLayout{.bits = 12}.row_bytes(3) == 5);
  CHECK(TiffLayout{.colour = Colour::rgb, .bits = 16, .samples = 4}.row_bytes(5) == 40);
  CHECK(TiffLayout{.colour = Colour::rgb, .separate = true, .bits = 16, .samples = 4}.row_bytes(5) == 10);
  CHECK(TiffLayout{.colour = Colour::cmyk, .samples = 5}.used() == 4);
  CHECK(TiffLayout{.colour = Colour::rgb, .premultiplied = true, .samples = 4}.used() == 4);
  CHECK(TiffLayout{.colour = Colour::grey, .samples = 2}.used() == 1);
}

TEST_CASE("codes of fewer bits are spread to 255, of more the highest 8 count") {
  CHECK(samples_of({.bits = 1}, {0b10100000, 0b10000000}, 9) == Bytes{255, 0, 255, 0, 0, 0, 0, 0, 255});
  CHECK(samples_of({.bits = 2}, {0b00011011}, 4) == Bytes{0, 85, 170, 255});
  CHECK(samples_of({.inverted = true, .bits = 2}, {0b00011011}, 3) == Bytes{255, 170, 85});
  CHECK(samples_of({.bits = 4}, {0x1f, 0x80}, 3) == Bytes{17, 255, 136});
  CHECK(samples_of({.colour = Colour::palette, .bits = 4}, {0x1f}, 2) == Bytes{1, 15});
  CHECK(samples_of({.bits = 8}, {3, 200}, 2) == Bytes{3, 200});
  CHECK(samples_of({.bits = 12}, {0xab, 0xcd, 0xef, 0x12, 0x30}, 3) == Bytes{0xab, 0xde, 0x12});
  CHECK(samples_of({.bits = 16}, bytes_of<std::uint16_t>({0x1234, 0xff00}), 2) == Bytes{0x12, 0xff});
}

TEST_CASE("values are cut to 0 to 255, fractions off, and what is no number is 0") {
  CHECK(samples_of({.sample = Sample::integer, .bits = 16}, bytes_of<std::int16_t>({-5, 7, 300}), 3) ==
        Bytes{0, 7, 255});
  CHECK(samples_of({.sample = Sample::integer, .bits = 32}, bytes_of<std::int32_t>({-70000, 254, 70000}), 3) ==
        Bytes{0, 254, 255});
  constexpr float none = std::numeric_limits<float>::quiet_NaN(), most = std::numeric_limits<float>::infinity();
  CHECK(samples_of({.sample = Sample::real, .bits = 32}, bytes_of<float>({1.9f, -1.0f, 254.9f, none, most}), 5) ==
        Bytes{1, 0, 254, 0, 255});
}

TEST_CASE("samples become colours") {
  CHECK(colours_of({.samples = 2}, {9, 1, 200, 2}) == Bytes{9, 9, 9, 200, 200, 200});
  CHECK(colours_of({.colour = Colour::palette, .bits = 1, .colours = {1, 2, 3, 4, 5, 6}}, {1, 0}) ==
        Bytes{2, 4, 6, 1, 3, 5});
  CHECK(colours_of({.colour = Colour::rgb, .samples = 4}, {1, 2, 3, 99, 4, 5, 6, 99}) == Bytes{1, 2, 3, 4, 5, 6});
  CHECK(colours_of({.colour = Colour::cmyk, .samples = 4}, {0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 255}) ==
        Bytes{255, 255, 255, 0, 255, 255, 0, 0, 0});
  // By the formulas of the JPEG file format: grey, and a red whose blue is below 0.
  CHECK(colours_of({.colour = Colour::ycbcr, .samples = 3}, {90, 128, 128, 76, 85, 255}) ==
        Bytes{90, 90, 90, 254, 0, 0});
}

TEST_CASE("colours are divided by an alpha that they were multiplied by") {
  CHECK(colours_of({.premultiplied = true, .samples = 2}, {50, 100, 200, 100, 7, 0, 8, 255}) ==
        Bytes{127, 127, 127, 255, 255, 255, 0, 0, 0, 8, 8, 8});
}
