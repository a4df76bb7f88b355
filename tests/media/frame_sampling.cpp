// SPDX-License-Identifier: Apache-2.0
#include <qwen35/media/frame_sampling.hpp>

#include <media/media_test.hpp>

#include <limits>

using namespace qwen35;
using namespace media_test;

namespace {
using Indices = std::vector<std::size_t>;
}

TEST_CASE("indices by hand") {
  CHECK(spread_frames(90, frames_at_rate(90, 25, 2, 4, 768)) == Indices{0, 15, 30, 44, 59, 74, 89});
  CHECK(spread_frames(10, frames_at_rate(10, 30, 2, 4, 768)) == Indices{0, 3, 6, 9});
  CHECK(spread_frames(3, frames_at_rate(3, 30, 2, 4, 768)) == Indices{0, 1, 2});
  CHECK(spread_frames(101, frames_at_rate(101, 24, 2, 4, 768)) == Indices{0, 14, 29, 43, 57, 71, 86, 100});
  CHECK(spread_frames(5, 1) == Indices{0});
  CHECK(spread_frames(1, 3) == Indices{0, 0, 0});
  CHECK(spread_frames(2, 5) == Indices{0, 0, 0, 1, 1});  // 0.25, 0.5, 0.75: halves to even
  CHECK(frames_at_rate(1000000, 30, 2, 4, 768) == 768);
  CHECK(frames_at_rate(std::size_t{1} << 60, 1e-300, 1e300, 4, 768) == 768);
}

TEST_CASE("times of temporal patches") {
  CHECK(frame_timestamps(Indices{0, 15, 30, 44, 59, 74, 89}, 25, 2) ==
        std::vector<double>{0.3, (30 / 25.0 + 44 / 25.0) / 2, (59 / 25.0 + 74 / 25.0) / 2, 89 / 25.0});
  CHECK(frame_timestamps(Indices{0, 10, 20, 30}, 10, 3) == std::vector<double>{1.0, 3.0});
  CHECK(frame_timestamps(Indices{}, 10, 2).empty());
}

TEST_CASE("rates and counts that cannot be") {
  CHECK_THROWS_AS(spread_frames(0, 4), InputError);
  CHECK_THROWS_AS(spread_frames(4, 0), InputError);
  CHECK(contains(message_of<InputError>([] { spread_frames(4, 65537); }), "1 to 65536"));
  CHECK_THROWS_AS(frames_at_rate(0, 24, 2, 4, 768), InputError);
  for (const double wrong :
       {0.0, -1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    CHECK_THROWS_AS(frames_at_rate(10, wrong, 2, 4, 768), InputError);
    CHECK_THROWS_AS(frames_at_rate(10, 24, wrong, 4, 768), InputError);
  }
}
