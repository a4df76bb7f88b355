// SPDX-License-Identifier: Apache-2.0
#include <qwen35/media/exif.hpp>

#include <media/media_test.hpp>

using namespace qwen35;
using namespace media_test;

namespace {

// A directory of one entry. `type` 3: 16 bits, 4: 32 bits.
std::vector<std::uint8_t> block(bool little, unsigned type, unsigned value, unsigned tag = 0x0112,
                                unsigned directory = 8, unsigned entries = 1) {
  std::vector<std::uint8_t> out;
  const auto put = [&](unsigned v, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i) {
      out.push_back(static_cast<std::uint8_t>(v >> (8 * (little ? i : bytes - 1 - i))));
    }
  };
  out.assign(2, little ? 'I' : 'M');
  put(42, 2);
  put(directory, 4);
  put(entries, 2);
  put(tag, 2);
  put(type, 2);
  put(1, 4);
  put(value, type == 4 ? 4 : 2);
  put(0, type == 4 ? 0 : 2);
  put(0, 4);
  return out;
}

}  // namespace

TEST_CASE("the tag in both byte orders and widths") {
  for (unsigned value = 1; value <= 8; ++value) {
    for (const bool little : {false, true}) {
      for (const unsigned type : {3u, 4u}) {
        std::vector<std::uint8_t> data = block(little, type, value);
        CHECK(exif_orientation(data) == static_cast<int>(value));
        const std::uint8_t mark[] = {'E', 'x', 'i', 'f', 0, 0};
        data.insert(data.begin(), std::begin(mark), std::end(mark));
        CHECK(exif_orientation(data) == static_cast<int>(value));
      }
    }
  }
}

TEST_CASE("XMP counts where EXIF has no orientation") {
  const std::string_view six = "<rdf:Description tiff:Orientation=\"6\"/>",
                         eight = "<tiff:Orientation>8</tiff:Orientation>";
  CHECK(exif_orientation({}, six) == 6);
  CHECK(exif_orientation({}, eight) == 8);
  CHECK(exif_orientation(block(true, 3, 3), six) == 3);
  CHECK(exif_orientation(block(true, 3, 1), six) == 1);
  CHECK(exif_orientation(block(true, 3, 3, 0x0100), six) == 6);
  for (const std::string_view none : {"", "tiff:Orientation", "tiff:Orientation=\"", "tiff:Orientation='6'",
                                      "tiff:Orientation=\"9\"", "tiff:Orientation=\"0\"", "tiff:Orientation>x"}) {
    CHECK(exif_orientation({}, none) == 1);
  }
  CHECK(exif_orientation({}, "tiff:Orientation tiff:Orientation>4") == 4);
}

TEST_CASE("damaged data means upright") {
  CHECK(exif_orientation({}) == 1);
  CHECK(exif_orientation(block(true, 3, 0)) == 1);
  CHECK(exif_orientation(block(true, 3, 9)) == 1);
  CHECK(exif_orientation(block(true, 2, 6)) == 1);
  CHECK(exif_orientation(block(true, 3, 6, 0x0113)) == 1);
  CHECK(exif_orientation(block(true, 3, 6, 0x0112, 0xffffffffu)) == 1);
  CHECK(exif_orientation(block(true, 3, 6, 0x0112, 9)) == 1);
  CHECK(exif_orientation(block(false, 3, 6, 0x0001, 8, 65535)) == 1);
  const std::vector<std::uint8_t> whole = block(false, 3, 6);
  for (std::size_t size = 0; size < 22; ++size) {
    const std::vector<std::uint8_t> part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK(exif_orientation(part) == 1);
  }
  for (std::size_t i = 0; i < 8; ++i) {
    std::vector<std::uint8_t> flipped = whole;
    flipped[i] ^= 0x55;
    const int got = exif_orientation(flipped);
    CHECK((got >= 1 && got <= 8));
  }
}

TEST_CASE("the eight ways to stand upright") {
  // 1 2 3
  // 4 5 6
  std::vector<std::uint8_t> grey{1, 2, 3, 4, 5, 6};
  const Image image(PixelView{grey.data(), 3, 2, PixelFormat::grey});
  const std::vector<std::vector<int>> expected{{1, 2, 3, 4, 5, 6}, {3, 2, 1, 6, 5, 4}, {6, 5, 4, 3, 2, 1},
                                               {4, 5, 6, 1, 2, 3}, {1, 4, 2, 5, 3, 6}, {4, 1, 5, 2, 6, 3},
                                               {6, 3, 5, 2, 4, 1}, {3, 6, 2, 5, 1, 4}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Image out = upright(image, orientation);
    CHECK(out.width() == (orientation < 5 ? 3u : 2u));
    std::vector<int> got;
    for (std::size_t i = 0; i < out.pixels().size(); i += 3) {
      got.push_back(out.pixels()[i]);
      CHECK(out.pixels()[i] == out.pixels()[i + 2]);
    }
    CAPTURE(orientation);
    CHECK(got == expected[static_cast<std::size_t>(orientation - 1)]);
  }
  CHECK(upright(image, 0) == image);
  CHECK(upright(image, 9) == image);
}
