// SPDX-License-Identifier: Apache-2.0
#include <qwen35/media/placeholders.hpp>
#include <qwen35/media/video_processor.hpp>

#include <media/media_test.hpp>

using namespace qwen35;
using namespace media_test;

namespace {

VideoOptions options_of(const json::Value& value) {
  VideoOptions options;
  for (const auto& [key, item] : value.members()) {
    if (key == "size") {
      options.size = PixelArea{size_of(item.at("shortest_edge")), size_of(item.at("longest_edge"))};
    } else if (key == "fps") {
      options.fps = item.as_number();
    } else if (key == "num_frames") {
      options.num_frames = size_of(item);
    } else if (key == "do_sample_frames") {
      options.do_sample_frames = item.as_bool();
    } else if (key == "do_resize") {
      options.do_resize = item.as_bool();
    } else if (key == "do_normalize") {
      options.do_normalize = item.as_bool();
    } else {
      FAIL("unknown option " << key);
    }
  }
  return options;
}

std::vector<Image> clip(std::size_t frames, std::size_t width, std::size_t height, const std::string& kind,
                        std::size_t seed) {
  std::vector<Image> out;
  for (std::size_t i = 0; i < frames; ++i) {
    out.push_back(rgb_picture(width, height, kind, static_cast<std::uint32_t>(seed + i)));
  }
  return out;
}

std::optional<double> number_or_none(const json::Value& value) {
  return value.is_null() ? std::nullopt : std::optional<double>(value.as_number());
}

// A source that does not keep its word.
struct Liar {
  Image image{64, 64};
  std::size_t give = 0;
  VideoMetadata metadata() const { return {4, 24.0, 64, 64, {}}; }
  template <class Sink>
  void read(std::span<const std::size_t>, Sink&& sink) const {
    for (std::size_t i = 0; i < give; ++i) {
      sink(image.view());
    }
  }
};

}  // namespace

TEST_CASE("sampling and times of the reference") {
  const VideoProcessor processor;
  for (const json::Value& c : cases().at("sampling").items()) {
    const VideoOptions options = options_of(c.at("options"));
    const double rate = c.at("source_fps").as_number();
    CAPTURE(c.at("total").as_integer());
    CAPTURE(rate);
    const std::vector<std::size_t> got = processor.sample_frames(size_of(c.at("total")), rate, options);
    REQUIRE(got.size() == size_of(c.at("count")));
    for (std::size_t i = 0; i < c.at("indices").size(); ++i) {
      CHECK(got[i] == size_of(c.at("indices").items()[i]));
    }
    const std::vector<std::int64_t> wide(got.begin(), got.end());
    CHECK(crc_of(std::span<const std::int64_t>(wide)) == c.at("crc").as_integer());
    std::vector<double> times = frame_timestamps(got, rate, 2);
    times.resize(std::min<std::size_t>(times.size(), 60));
    const std::int64_t grid[] = {static_cast<std::int64_t>(times.size()), 2, 2};
    PlaceholderTokens bare;
    bare.video = bare.vision_start = bare.vision_end = "";
    CHECK(video_replacements(TensorView<std::int64_t>(grid, {1, 3}), std::span(&times, 1), 2, bare)[0] ==
          c.at("times").as_string());
  }
}

TEST_CASE("rows, grids and times of the reference, bit for bit") {
  const VideoProcessor processor;
  for (const json::Value& c : cases().at("videos").items()) {
    const std::size_t frames = size_of(c.at("frames")), width = size_of(c.at("size").items()[0]),
                      height = size_of(c.at("size").items()[1]);
    const std::vector<Image> images = clip(frames, width, height, c.at("kind").as_string(), size_of(c.at("seed")));
    const VideoOptions options = options_of(c.at("options"));
    const std::optional<double> rate = number_or_none(c.at("fps"));
    CAPTURE(frames);
    CAPTURE(width);
    CAPTURE(json::dump(c.at("options")));
    const VideoInputs got = processor.preprocess(FrameList(images, rate), options);
    for (std::size_t k = 0; k < 3; ++k) {
      CHECK(got.video_grid_thw[k] == c.at("grid").items()[0].items()[k].as_integer());
    }
    const std::vector<std::size_t>& indices = got.video_metadata.at(0).frames_indices;
    REQUIRE(indices.size() == c.at("indices").size());
    for (std::size_t i = 0; i < indices.size(); ++i) {
      CHECK(indices[i] == size_of(c.at("indices").items()[i]));
    }
    REQUIRE(got.timestamps.at(0).size() == c.at("times").size());
    for (std::size_t i = 0; i < got.timestamps[0].size(); ++i) {
      CHECK(got.timestamps[0][i] == c.at("times").items()[i].as_number());
    }
    CHECK(crc_of(std::span<const float>(got.pixel_values_videos.data(), got.pixel_values_videos.size())) ==
          c.at("crc").as_integer());
    for (const auto& [index, row] : c.at("rows").members()) {
      bool equal = true;
      for (std::size_t k = 0; k < row.size(); ++k) {
        equal = equal &&
                got.pixel_values_videos.row(std::stoul(index))[k] == static_cast<float>(row.items()[k].as_number());
      }
      CHECK(equal);
    }
    CHECK(processor.video_tokens(frames, rate, {width, height}, options) * 4 == got.pixel_values_videos.shape()[0]);
  }
}

TEST_CASE("the price of a video, without its pixels") {
  const VideoProcessor processor;
  VideoOptions all;
  all.do_sample_frames = false;
  CHECK(processor.video_tokens(20, 10.0, {1280, 720}, all) == 10 * 880);
  CHECK(processor.video_tokens(768, 24.0, {1920, 1080}, all) == 384 * 28);
  CHECK(processor.video_tokens(5, std::nullopt, {640, 480}, all) == 3 * 300);
  CHECK(processor.get_number_of_video_patches(8, {640, 360}) == 4 * 22 * 40);
}

TEST_CASE("frames that were sampled before keep their places") {
  const std::vector<Image> images = clip(3, 64, 64, "noise", 1);
  VideoOptions options;
  options.do_sample_frames = false;
  const VideoInputs got = VideoProcessor().preprocess(FrameList(images, 10.0, {5, 15, 25}), options);
  CHECK(got.timestamps[0] == std::vector<double>{1.0, 2.5});
  CHECK(got.video_metadata[0].frames_indices == std::vector<std::size_t>{5, 15, 25});
}

TEST_CASE("several videos as one input") {
  const std::vector<Image> a = clip(4, 64, 64, "noise", 1), b = clip(5, 96, 32, "ramp", 2);
  const VideoProcessor processor;
  const std::vector<VideoInputs> parts{processor.preprocess(FrameList(a, 2.0)),
                                       processor.preprocess(FrameList(b, 1.0))};
  const VideoInputs both = join(parts);
  CHECK(both.video_grid_thw.shape() == Shape{2, 3});
  CHECK(both.pixel_values_videos.shape()[0] ==
        parts[0].pixel_values_videos.shape()[0] + parts[1].pixel_values_videos.shape()[0]);
  CHECK(both.pixel_values_videos[7] == parts[0].pixel_values_videos[7]);
  CHECK(both.pixel_values_videos.row(parts[0].pixel_values_videos.shape()[0])[9] == parts[1].pixel_values_videos[9]);
  CHECK(both.timestamps.size() == 2);
  CHECK(both.video_metadata[1].fps == 1.0);
  CHECK(join({}).video_grid_thw.shape() == Shape{0, 3});
}

TEST_CASE("threads do not change a bit") {
  const std::vector<Image> images = clip(6, 100, 70, "noise", 3);
  const VideoProcessor processor;
  Tensor<float> one;
  {
    ThreadCount threads(1);
    one = processor.preprocess(FrameList(images, 3.0)).pixel_values_videos;
  }
  ThreadCount threads(4);
  const Tensor<float> four = processor.preprocess(FrameList(images, 3.0)).pixel_values_videos;
  CHECK(std::memcmp(one.data(), four.data(), one.size() * sizeof(float)) == 0);
}

TEST_CASE("videos that cannot be processed") {
  const VideoProcessor processor;
  const std::vector<Image> small = clip(4, 31, 64, "noise", 1), good = clip(4, 64, 64, "noise", 1);
  CHECK(contains(message_of<MediaError>([&] { processor.preprocess(FrameList(small, 24.0)); }),
                 "31 x 64 pixels: each side must be at least 32"));
  CHECK_THROWS_AS(FrameList(std::vector<PixelView>()), InputError);
  CHECK(contains(message_of<InputError>([&] {
                   FrameList(std::vector<PixelView>{good[0], good[1], small[0]}, 24.0);
                 }),
                 "frame 2 has 31 x 64"));
  CHECK_THROWS_AS(FrameList(good, 24.0, {1, 2}), InputError);
  CHECK(contains(message_of<InputError>([&] { processor.preprocess(FrameList(good, 0.0)); }), "above 0"));
  VideoOptions options;
  options.do_sample_frames = false;  // the times in the text need it too
  for (const double rate : {0.0, -1.0, std::numeric_limits<double>::infinity()}) {
    CHECK(contains(message_of<InputError>([&] { processor.preprocess(FrameList(good, rate), options); }), "above 0"));
  }
  options = {};
  options.fps = 1e-300;  // as few as there may be
  CHECK(processor.preprocess(FrameList(good, 24.0), options).video_metadata[0].frames_indices.size() == 4);
  options.fps = std::numeric_limits<double>::infinity();
  CHECK_THROWS_AS(processor.preprocess(FrameList(good, 24.0), options), InputError);
  options.fps = 1.0;
  options.num_frames = 3;
  CHECK(contains(message_of<InputError>([&] { processor.preprocess(FrameList(good, 24.0), options); }),
                 "exclude each other"));
  options = {};
  options.num_frames = 0;
  CHECK_THROWS_AS(processor.preprocess(FrameList(good, 24.0), options), InputError);
  options = {};
  options.do_resize = false;
  const std::vector<Image> uneven = clip(4, 48, 64, "noise", 1);
  CHECK_THROWS_AS(processor.preprocess(FrameList(uneven, 24.0), options), MediaError);
  CHECK(contains(message_of<MediaError>([&] {
                   processor.preprocess(Liar{Image(64, 64), 3});
                 }),
                 "3 frames came, expected 4"));
  CHECK_THROWS_AS(processor.preprocess(Liar{Image(64, 64), 5}), MediaError);
  CHECK_THROWS_AS(processor.preprocess(Liar{Image(64, 32), 4}), MediaError);
}
