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
      CHECK_THROWS_AS(smart_resize(n(0), n(1), n(2), n(3), n(4)), MediaError);
      ++refused;
    } else {
      CHECK(smart_resize(n(0), n(1), n(2), n(3), n(4)) == ImageSize{n(5), n(6)});
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
      CHECK_THROWS_AS(smart_resize_video(n(0), n(1), n(2), 2, 32, n(3), n(4)), MediaError);
      ++refused;
    } else {
      CHECK(smart_resize_video(n(0), n(1), n(2), 2, 32, n(3), n(4)) == ImageSize{n(5), n(6)});
    }
  }
  CHECK(refused > 5);
}

TEST_CASE("the published models' settings") {
  const auto image = [](std::size_t h, std::size_t w) { return smart_resize(h, w, 32, 65536, 16777216); };
  CHECK(image(1080, 1920) == ImageSize{1088, 1920});
  CHECK(image(5000, 7000) == ImageSize{3456, 4832});
  CHECK(image(8000, 8000) == ImageSize{4096, 4096});
  CHECK(image(10, 1999) == ImageSize{32, 3648});
  CHECK(image(1, 1) == ImageSize{256, 256});
  CHECK(image(336, 304) == ImageSize{320, 320});  // 10.5 and 9.5 blocks, halves to even
  CHECK(image(368, 400) == ImageSize{384, 384});
  const auto video = [](std::size_t t, std::size_t h, std::size_t w) {
    return smart_resize_video(t, h, w, 2, 32, 4096, 25165824);
  };
  CHECK(video(20, 720, 1280) == ImageSize{704, 1280});
  CHECK(video(768, 1080, 1920) == ImageSize{128, 224});
  CHECK(video(1, 32, 32) == ImageSize{64, 64});
}

TEST_CASE("what cannot be resized says why") {
  CHECK(contains(message_of<MediaError>([] { smart_resize(10, 2001, 32, 65536, 16777216); }),
                 "2001 x 10 pixels: one side is 200.1"));
  CHECK(contains(message_of<MediaError>([] { smart_resize(0, 20, 32, 65536, 16777216); }), "20 x 0"));
  CHECK(contains(message_of<MediaError>([] { smart_resize(20, std::size_t{1} << 40, 32, 65536, 16777216); }),
                 "expected sides"));
  CHECK(contains(message_of<MediaError>([] { smart_resize(2, 2, 32, std::size_t{1} << 60, std::size_t{1} << 61); }),
                 "cannot be brought"));
  CHECK(contains(message_of<MediaError>([] { smart_resize_video(4, 31, 64, 2, 32, 4096, 25165824); }), "at least 32"));
  CHECK(
      contains(message_of<MediaError>([] { smart_resize_video(0, 64, 64, 2, 32, 4096, 25165824); }), "without frames"));
  CHECK(contains(message_of<MediaError>([] { smart_resize_video(2, 32, 6432, 2, 32, 4096, 25165824); }),
                 "the limit is 200"));
}

TEST_CASE("halves are rounded to even, below and above zero") {
  CHECK(detail::round_half_even(0.5) == 0.0);
  CHECK(detail::round_half_even(1.5) == 2.0);
  CHECK(detail::round_half_even(2.5) == 2.0);
  CHECK(detail::round_half_even(2.5000001) == 3.0);
  CHECK(detail::round_half_even(2.4999999) == 2.0);
  CHECK(detail::round_half_even(-1.5) == -2.0);
  CHECK(detail::round_half_even(-0.5) == 0.0);
}
