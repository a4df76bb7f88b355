// SPDX-License-Identifier: Apache-2.0
#include <qwen35/media/resize.hpp>

#include <media/media_test.hpp>

using namespace qwen35;
using namespace media_test;

TEST_CASE("equal to the reference's kernel, bit for bit") {
  for (const json::Value& c : cases().at("resize").items()) {
    const auto& from = c.at("from").items();
    const auto& to = c.at("to").items();
    const std::size_t width = size_of(from[0]), height = size_of(from[1]);
    const std::vector<std::uint8_t> pixels =
        picture(width, height, c.at("kind").as_string(), static_cast<std::uint32_t>(c.at("seed").as_integer()));
    CAPTURE(width);
    CAPTURE(height);
    CAPTURE(c.at("kind").as_string());
    const Image out = resize_bicubic(PixelView{pixels.data(), width, height}, {size_of(to[0]), size_of(to[1])});
    REQUIRE(out.width() == size_of(to[0]));
    REQUIRE(out.height() == size_of(to[1]));
    CHECK(crc_of(out) == c.at("crc").as_integer());
  }
}

TEST_CASE("a small case by hand") {
  // One channel, 5 x 7, (97 k^2 + 11) mod 256; computed from the formulas with float64 weights.
  std::uint8_t grey[35];
  for (std::size_t k = 0; k < 35; ++k) {
    grey[k] = static_cast<std::uint8_t>((97 * k * k + 11) % 256);
  }
  const Image out = resize_bicubic(PixelView{grey, 7, 5, PixelFormat::grey}, {4, 8});
  const int expected[8][4] = {{51, 131, 55, 158}, {82, 159, 132, 119}, {117, 179, 231, 81}, {87, 87, 213, 161},
                              {68, 62, 183, 157}, {70, 108, 152, 66},  {86, 78, 86, 70},    {98, 50, 43, 88}};
  for (std::size_t y = 0; y < 8; ++y) {
    for (std::size_t x = 0; x < 4; ++x) {
      for (std::size_t c = 0; c < 3; ++c) {
        CHECK(out.row(y)[3 * x + c] == expected[y][x]);
      }
    }
  }
  CHECK(detail::resize_weights(7, 4).precision == 15);
  CHECK(detail::resize_weights(5, 8).precision == 14);
}

TEST_CASE("layouts and threads do not change a bit") {
  const std::size_t width = 61, height = 47;
  const std::vector<std::uint8_t> rgba = picture(width, height, "noise", 3, 4);
  const PixelView view{rgba.data(), width, height, PixelFormat::rgba};
  const Image plain(view);
  std::vector<std::uint8_t> wide((width * 3 + 5) * height, 77);
  for (std::size_t y = 0; y < height; ++y) {
    std::memcpy(wide.data() + y * (width * 3 + 5), plain.row(y), width * 3);
  }
  const PixelView padded{wide.data(), width, height, PixelFormat::rgb, width * 3 + 5};
  for (const ImageSize size : {ImageSize{32, 64}, {61, 20}, {61, 47}, {200, 47}, {90, 33}}) {
    Image one;
    {
      ThreadCount threads(1);
      one = resize_bicubic(plain, size);
    }
    CHECK(resize_bicubic(view, size) == one);
    CHECK(resize_bicubic(padded, size) == one);
    for (const int count : {2, 3, 7}) {
      ThreadCount threads(count);
      CHECK(resize_bicubic(plain, size) == one);
    }
  }
  CHECK(resize_bicubic(view, {width, height}) == plain);
}

TEST_CASE("instruction sets do not change a bit") {
  const Image noise = rgb_picture(203, 119, "noise", 9), edges = rgb_picture(64, 50, "edges", 4);
  std::vector<Image> expected;
  for (const std::string_view name : isa_names()) {
    CAPTURE(name);
    set_isa(name);
    std::size_t next = 0;
    for (const Image* const image : {&noise, &edges}) {
      // Widths around the size of vectors, shrinking and growing.
      for (const std::size_t size : {1u, 5u, 6u, 11u, 32u, 64u, 199u, 300u}) {
        Image got = resize_bicubic(*image, {size, size + 3});
        if (next == expected.size()) {
          expected.push_back(std::move(got));
        } else {
          CHECK(got == expected[next]);
        }
        ++next;
      }
    }
  }
  set_isa("");
}

TEST_CASE("impossible sizes") {
  const Image image(4, 4);
  CHECK_THROWS_AS(resize_bicubic(image, {0, 4}), InputError);
  CHECK_THROWS_AS(resize_bicubic(image, {4, 0}), InputError);
  CHECK_THROWS_AS(resize_bicubic(image, {std::size_t{1} << 30, 4}), InputError);
  CHECK_THROWS_AS(resize_bicubic(PixelView{}, {4, 4}), InputError);
}
