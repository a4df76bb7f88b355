// SPDX-License-Identifier: Apache-2.0
#include <qwen35/media/gif_video.hpp>
#include <qwen35/media/video_processor.hpp>

#include <media/media_test.hpp>

#include <numeric>

using namespace qwen35;
using namespace media_test;

TEST_CASE("composited frames of the reference's image library") {
  std::size_t animations = 0;
  for (const auto& [file, expected] : cases().at("files").members()) {
    const std::string& name = file;
    if (expected.find("frames") == nullptr) {
      continue;
    }
    CAPTURE(name);
    GifVideo video = GifVideo::from_file(file_path(name));
    const json::Value& frames = expected.at("frames");
    REQUIRE(video.metadata().total_num_frames == frames.size());
    std::vector<std::size_t> all(frames.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    for (int round = 0; round < 2; ++round) {  // the second time from the start again
      std::size_t i = 0;
      video.read(all, [&](const PixelView& frame) {
        CAPTURE(i);
        CHECK(crc_of(Image(frame)) == frames.items()[i].as_integer());
        ++i;
      });
      CHECK(i == frames.size());
    }
    double seconds = 0.0;
    for (const json::Value& delay : expected.at("durations").items()) {
      seconds += delay.as_integer() < 20 ? 0.1 : static_cast<double>(delay.as_integer()) / 1000.0;
    }
    CHECK(*video.metadata().fps == doctest::Approx(static_cast<double>(frames.size()) / seconds));
    animations += frames.size() > 1 ? 1u : 0u;
  }
  CHECK(animations >= 5);
}

TEST_CASE("some frames, some of them twice") {
  GifVideo video = GifVideo::from_file(file_path("dispose.gif"));
  const json::Value& expected = cases().at("files").at("dispose.gif").at("frames");
  const std::vector<std::size_t> indices{1, 1, 3, 4, 4};
  std::size_t i = 0;
  video.read(indices, [&](const PixelView& frame) {
    CHECK(crc_of(Image(frame)) == expected.items()[indices[i++]].as_integer());
  });
  CHECK(i == 5);
}

TEST_CASE("from a GIF to rows") {
  const VideoProcessor processor;
  VideoOptions options;
  options.num_frames = 4;
  const VideoInputs got = processor.preprocess(GifVideo::from_file(file_path("moving.gif")), options);
  CHECK(got.video_metadata[0].frames_indices == std::vector<std::size_t>{0, 2, 3, 5});
  CHECK(*got.video_metadata[0].fps == doctest::Approx(15.0));
  CHECK(got.video_grid_thw[0] == 2);
}

TEST_CASE("an animation above the limits is refused") {
  MediaLimits limits;
  limits.max_frames = 5;
  CHECK(contains(message_of<MediaError>([&] { GifVideo::from_file(file_path("moving.gif"), limits); }),
                 "more than 5 frames"));
  limits = {};
  limits.max_video_pixels = 10000;
  CHECK(contains(message_of<MediaError>([&] { GifVideo::from_file(file_path("moving.gif"), limits); }),
                 "pixels in all frames"));
  CHECK_THROWS_AS(GifVideo({}), MediaError);
  CHECK_THROWS_AS(GifVideo::from_file(file_path("rgb.png")), MediaError);
}
