// SPDX-License-Identifier: Apache-2.0
#include <qwen35/processor/pixel_parts.hpp>

#include <doctest/doctest.h>

#include "support/message_of.hpp"

using namespace qwen35;
using test_support::contains;
using test_support::message_of;

namespace {

std::vector<std::uint8_t> numbered(std::size_t count) {
  std::vector<std::uint8_t> out(count);
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = static_cast<std::uint8_t>(i * 7);
  }
  return out;
}

}  // namespace

TEST_CASE("a part holds the pixels as RGB, and loads as the processor's own") {
  const std::size_t width = 40, height = 36;
  const std::vector<std::uint8_t> bgra = numbered((width * 4 + 8) * height);
  const PixelView view{bgra.data(), width, height, PixelFormat::bgra, width * 4 + 8};
  const ContentPart part = image_part(view);
  REQUIRE(part.type == PartType::image);
  REQUIRE(part.data->frames.size() == 1);
  CHECK(part.data->frames[0][0] == bgra[2]);
  CHECK(part.data->frames[0][3 * width] == bgra[width * 4 + 8 + 2]);
  const LoadedMedium loaded = PixelLoader()(part);
  const ImageInputs own = ImageProcessor().preprocess(view);
  CHECK(std::equal(loaded.pixel_values.begin(), loaded.pixel_values.end(), own.pixel_values.begin(),
                   own.pixel_values.end()));
  CHECK(std::equal(loaded.grid_thw.begin(), loaded.grid_thw.end(), own.image_grid_thw.begin()));
  CHECK(loaded.timestamps.empty());
}

TEST_CASE("frames become a video with times") {
  std::vector<Image> frames(6, Image(64, 64));
  for (std::size_t i = 0; i < frames.size(); ++i) {
    frames[i].pixels()[0] = static_cast<std::uint8_t>(i + 1);
  }
  const LoadedMedium loaded = PixelLoader()(video_part(frames, 2.0));
  const VideoInputs own = VideoProcessor().preprocess(FrameList(frames, 2.0));
  CHECK(std::equal(loaded.pixel_values.begin(), loaded.pixel_values.end(), own.pixel_values_videos.begin(),
                   own.pixel_values_videos.end()));
  CHECK(loaded.timestamps == own.timestamps[0]);
  CHECK(loaded.grid_thw[0] == 3);
}

TEST_CASE("what cannot be a part is refused") {
  CHECK(contains(message_of<InputError>([] { image_part({}); }), "at least one pixel"));
  CHECK(contains(message_of<InputError>([] { video_part(std::span<const Image>()); }), "without frames"));
  const std::vector<Image> mixed = {Image(64, 64), Image(64, 32)};
  CHECK(contains(message_of<InputError>([&] { video_part(mixed); }),
                 "frame 1 has 64 x 32 pixels, the first one 64 x 64"));
  CHECK(contains(message_of<MediaError>([] { PixelLoader()(ContentPart::image("a.png")); }), "takes a Processor"));
  MediumData torn;
  torn.frames.emplace_back(10);
  torn.width = torn.height = 2;
  CHECK(contains(message_of<MediaError>([&] { PixelLoader()(ContentPart::image(torn)); }), "10 bytes for 2 x 2"));
}
