// SPDX-License-Identifier: Apache-2.0
#include <qwen35/media/smart_resize.hpp>

#include <media/media_test.hpp>

using namespace qwen35;
using namespace media_test;

TEST_CASE("pictures: sizes of the reference") {
  std::size_t refused = 0;
  for (const json::Value& c : cases().at("smart_resize").items()) {
    const auto n = [&](std::size_t i) { return size_of(c.items()[i]); };
    CAPTURE(n(0));
    CAPTURE(n(1));
    CAPTURE(n(2));
    if (n(5) == 0) {
      CHECK_THROWS_AS(smart_resize({.width = n(1), .height = n(0)}, n(2), n(3), n(4)), MediaError);
      ++refused;
    } else {
      CHECK(smart_resize({.width = n(1), .height = n(0)}, n(2), n(3), n(4)) ==
            ImageSize{.width = n(6), .height = n(5)});
    }
  }
  CHECK(refused > 5);
}

TEST_CASE("videos: sizes of the reference") {
  std::size_t refused = 0;
  for (const json::Value& c : cases().at("smart_resize_video").items()) {
    const auto n = [&](std::size_t i) { return size_of(c.items()[i]); };
    CAPTURE(n(0));
    CAPTURE(n(1));
    CAPTURE(n(2));
    if (n(5) == 0) {
      CHECK_THROWS_AS(smart_resize_video(n(0), {.width = n(2), .height = n(1)}, 2, 32, n(3), n(4)), MediaError);
      ++refused;
    } else {
      CHECK(smart_resize_video(n(0), {.width = n(2), .height = n(1)}, 2, 32, n(3), n(4)) ==
            ImageSize{.width = n(6), .height = n(5)});
    }
  }
  CHECK(refused > 5);
}

TEST_CASE("the published models' settings") {
  const auto image = [](std::size_t width, std::size_t height) {
    return smart_resize({width, height}, 32, 65536, 16777216);
  };
  CHECK(image(1920, 1080) == ImageSize{1920, 1088});
  CHECK(image(7000, 5000) == ImageSize{4832, 3456});
  CHECK(image(8000, 8000) == ImageSize{4096, 4096});
  CHECK(image(1999, 10) == ImageSize{3648, 32});
  CHECK(image(1, 1) == ImageSize{256, 256});
  CHECK(image(304, 336) == ImageSize{320, 320});  // 9.5 and 10.5 blocks, halves to even
  CHECK(image(400, 368) == ImageSize{384, 384});
  const auto video = [](std::size_t frames, std::size_t width, std::size_t height) {
    return smart_resize_video(frames, {width, height}, 2, 32, 4096, 25165824);
  };
  CHECK(video(20, 1280, 720) == ImageSize{1280, 704});
  CHECK(video(768, 1920, 1080) == ImageSize{224, 128});
  CHECK(video(1, 32, 32) == ImageSize{64, 64});
}

TEST_CASE("what cannot be resized says why") {
  CHECK(contains(message_of<MediaError>([] {
                   smart_resize({2001, 10}, 32, 65536, 16777216);
                 }),
                 "2001 x 10 pixels: one side is 200.1"));
  CHECK(contains(message_of<MediaError>([] { smart_resize({20, 0}, 32, 65536, 16777216); }), "20 x 0"));
  CHECK(contains(message_of<MediaError>([] {
                   smart_resize({std::size_t{1} << 40, 20}, 32, 65536, 16777216);
                 }),
                 "expected sides"));
  CHECK(contains(message_of<MediaError>([] {
                   smart_resize({2, 2}, 32, std::size_t{1} << 60, std::size_t{1} << 61);
                 }),
                 "cannot be brought"));
  CHECK(contains(message_of<MediaError>([] {
                   smart_resize_video(4, {64, 31}, 2, 32, 4096, 25165824);
                 }),
                 "at least 32"));
  CHECK(contains(message_of<MediaError>([] {
                   smart_resize_video(0, {64, 64}, 2, 32, 4096, 25165824);
                 }),
                 "without frames"));
  CHECK(contains(message_of<MediaError>([] {
                   smart_resize_video(2, {6432, 32}, 2, 32, 4096, 25165824);
                 }),
                 "the limit is 200"));
}

TEST_CASE("halves are rounded to even, below and above zero") {
  CHECK(round_half_even(0.5) == 0.0);
  CHECK(round_half_even(1.5) == 2.0);
  CHECK(round_half_even(2.5) == 2.0);
  CHECK(round_half_even(2.5000001) == 3.0);
  CHECK(round_half_even(2.4999999) == 2.0);
  CHECK(round_half_even(-1.5) == -2.0);
  CHECK(round_half_even(-0.5) == 0.0);
}
