// SPDX-License-Identifier: Apache-2.0
#include <qwen35/media/image.hpp>

#include <media/media_test.hpp>

using namespace qwen35;
using namespace media_test;

TEST_CASE("every layout of the caller's pixels becomes RGB") {
  // Two rows of two pixels: red 1.., green 50.., blue 100.., alpha 200..
  const auto build = [](std::initializer_list<int> order, std::size_t gap) {
    std::vector<std::uint8_t> bytes;
    for (int y = 0; y < 2; ++y) {
      for (int x = 0; x < 2; ++x) {
        for (const int channel : order) {
          bytes.push_back(static_cast<std::uint8_t>(1 + channel * 50 + 2 * y + x));
        }
      }
      bytes.insert(bytes.end(), gap, 255);
    }
    return bytes;
  };
  const Image expected = [&] {
    const auto bytes = build({0, 1, 2}, 0);
    return Image(PixelView{bytes.data(), 2, 2});
  }();
  CHECK(expected.row(0)[0] == 1);
  CHECK(expected.row(0)[1] == 51);
  CHECK(expected.row(1)[3] == 4);
  CHECK(expected.row(1)[5] == 104);
  struct Case {
    PixelFormat format;
    std::initializer_list<int> order;
  };
  for (const Case& c : {Case{PixelFormat::rgb, {0, 1, 2}}, Case{PixelFormat::bgr, {2, 1, 0}},
                        Case{PixelFormat::rgba, {0, 1, 2, 3}}, Case{PixelFormat::bgra, {2, 1, 0, 3}}}) {
    for (const std::size_t gap : {0u, 1u, 7u}) {
      const auto bytes = build(c.order, gap);
      CHECK(Image(PixelView{bytes.data(), 2, 2, c.format, 2 * c.order.size() + gap}) == expected);
      if (gap == 0) {
        CHECK(Image(PixelView{bytes.data(), 2, 2, c.format}) == expected);
      }
    }
  }
  const std::uint8_t grey[] = {9, 8, 99, 7, 6, 99};
  const Image replicated(PixelView{grey, 2, 2, PixelFormat::grey, 3});
  const std::vector<std::uint8_t> values(replicated.pixels().begin(), replicated.pixels().end());
  CHECK(values == std::vector<std::uint8_t>{9, 9, 9, 8, 8, 8, 7, 7, 7, 6, 6, 6});
}

TEST_CASE("pixels that contradict each other are refused") {
  const std::uint8_t bytes[64] = {};
  CHECK(contains(message_of<InputError>([] { Image(PixelView{nullptr, 2, 2}); }), "without data"));
  CHECK(contains(message_of<InputError>([&] { Image(PixelView{bytes, 0, 2}); }), "0 x 2"));
  CHECK(contains(message_of<InputError>([&] { Image(PixelView{bytes, 2, 0}); }), "2 x 0"));
  CHECK(contains(message_of<InputError>([&] {
                   Image(PixelView{bytes, 4, 2, PixelFormat::rgba, 15});
                 }),
                 "stride of 15"));
  CHECK(contains(message_of<InputError>([&] { Image(PixelView{bytes, std::size_t{1} << 40, 2}); }), "too large"));
  CHECK(contains(message_of<InputError>([] { Image(0, 5); }), "0 x 5"));
  CHECK(contains(message_of<InputError>([] { Image(5, std::size_t{1} << 63); }), "expected sides"));
}

TEST_CASE("an empty image is empty, a new one black") {
  CHECK(Image().empty());
  const Image image(3, 2);
  CHECK(image.width() == 3);
  CHECK(image.height() == 2);
  CHECK(image.pixels().size() == 18);
  CHECK(image.pixels()[17] == 0);
}
