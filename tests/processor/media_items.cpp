// SPDX-License-Identifier: Apache-2.0
#include <qwen35/processor/media_items.hpp>

#include <doctest/doctest.h>

#include "media/media_test.hpp"
#include "support/allocation_faults.hpp"

using namespace qwen35;
using media_test::contains;
using media_test::file_path;
using media_test::message_of;

namespace {

MediumData frames(std::size_t count, std::size_t width, std::size_t height) {
  MediumData out;
  out.width = width;
  out.height = height;
  for (std::size_t k = 0; k < count; ++k) {
    out.frames.push_back(media_test::picture(width, height, "noise", static_cast<std::uint32_t>(k)));
  }
  return out;
}

}  // namespace

TEST_CASE("a picture from each form is the same picture") {
  const std::string path = file_path("rgb.png");
  const std::vector<std::byte> bytes = read_file<MediaError>(path, 1 << 20);
  const Image image = decode_image(bytes);
  CHECK(Image(LoadedImage(path).view()) == image);
  CHECK(Image(LoadedImage(std::span<const std::byte>(bytes)).view()) == image);
  const LoadedImage own(image);
  CHECK(own.view().data == image.pixels().data());  // not copied
  LoadedImage first(path);
  const LoadedImage moved = std::move(first);
  CHECK(Image(moved.view()) == image);
}

TEST_CASE("without memory for its copy an item frees nothing that was not made") {
  const std::string path(100, 'p');
  const std::vector<ImageItem> pictures{path, PixelView{}, path};
  const Image frame(2, 2);
  const std::vector<VideoItem> videos{path, FrameList(std::span(&frame, 1)), path};
  std::size_t failures = 0;
  for (std::size_t at = 1; at <= 4; ++at) {
    CAPTURE(at);
    failures += test_support::fails_without_memory(at, [&] { const std::vector<ImageItem> copy = pictures; });
    failures += test_support::fails_without_memory(at, [&] { const std::vector<VideoItem> copy = videos; });
  }
  CHECK(failures == 3 + 4);  // the list, two paths, and the frames' list
}

TEST_CASE("what a message's part stands for") {
  CHECK(std::get<std::string>(image_item(ContentPart::image("a.png"))) == "a.png");
  CHECK(std::get<std::string>(video_item(ContentPart::video("clip"))) == "clip");
  const ContentPart one = ContentPart::image(frames(1, 5, 4));
  const PixelView view = std::get<PixelView>(image_item(one));
  CHECK(view.width == 5);
  CHECK(view.height == 4);
  CHECK(view.data == one.data->frames[0].data());
  MediumData clip = frames(3, 5, 4);
  clip.fps = 7.5;
  const ContentPart three = ContentPart::video(clip);
  const VideoMetadata metadata = std::get<FrameList>(video_item(three)).metadata();
  CHECK(metadata.total_num_frames == 3);
  CHECK(metadata.fps == 7.5);
  CHECK(contains(message_of<MediaError>([] { image_item(ContentPart::image()); }), "neither named"));
  CHECK(contains(message_of<MediaError>([] { video_item(ContentPart::video()); }), "neither named"));
  CHECK(contains(message_of<MediaError>([&] { image_item(ContentPart::image(clip)); }), "a picture of 3 frames"));
  clip.frames[2].pop_back();
  CHECK(contains(message_of<MediaError>([&] { video_item(ContentPart::video(clip)); }), "frame 2: 59 bytes for 5 x 4"));
  clip.width = std::size_t{1} << 62;  // the product would wrap
  CHECK(contains(message_of<MediaError>([&] { video_item(ContentPart::video(clip)); }), "frame 0"));
}

TEST_CASE("a video from each form") {
  const VideoProcessor processor;
  const std::string path = file_path("moving.gif");
  const std::vector<std::byte> bytes = read_file<MediaError>(path, 1 << 20);
  const VideoInputs named = process_video(processor, path);
  const VideoInputs carried = process_video(processor, std::span<const std::byte>(bytes));
  CHECK(std::equal(named.pixel_values_videos.begin(), named.pixel_values_videos.end(),
                   carried.pixel_values_videos.begin(), carried.pixel_values_videos.end()));
  CHECK(named.timestamps == carried.timestamps);
  const ContentPart part = ContentPart::video(frames(4, 64, 32));
  CHECK(process_video(processor, video_item(part)).video_grid_thw[0] == 2);
  CHECK(contains(message_of<MediaError>([&] { process_video(processor, media_test::bytes_of("no film")); }), "no GIF"));
  CHECK(contains(message_of<MediaError>([&] { process_video(processor, std::string("data:video/mp4;base64,AAAA")); }),
                 "no GIF"));
}

TEST_CASE("a size that cannot be taken is told with the file's name") {
  const ImageProcessor pictures;
  const VideoProcessor videos;
  const auto of_picture = [&](const ImageItem& item) {
    return message_of<MediaError>([&] { process_image(pictures, item, {.do_resize = false}); });
  };
  const std::string path = file_path("rgb.png");
  const std::string problem = "picture of 37 x 29 pixels without resizing: each side must be a multiple of 32";
  CHECK(of_picture(path) == path + ": " + problem);
  const std::vector<std::byte> bytes = read_file<MediaError>(path, 1 << 20);
  CHECK(of_picture(std::span<const std::byte>(bytes)) == problem);
  const std::string clip = file_path("dispose.gif");
  CHECK(message_of<MediaError>([&] { process_video(videos, clip); }) ==
        clip + ": video of 40 x 30 pixels: each side must be at least 32");
}

TEST_CASE("nothing is fetched") {
  for (const char* const address :
       {"http://example.org/a.png", "https://example.org/a.gif", "HTTPS://example.org/a.gif", "ftp://example.org/a.png",
        "s3://bucket/a.png", "file:///a.png", "git+ssh://a/b"}) {
    const std::string scheme = std::string(address).substr(0, std::string(address).find(':'));
    CHECK(contains(message_of<MediaError>([&] { LoadedImage{std::string(address)}; }),
                   concat("nothing is fetched from the net, and no ", scheme, ":// address is opened")));
    CHECK(contains(message_of<MediaError>([&] { process_video(VideoProcessor(), std::string(address)); }),
                   "nothing is fetched"));
  }
  for (const char* const path :
       {"./odd://name.png", "://name.png", "c://name.png", "a/b://name.png", "7z://name.png"}) {
    CHECK(contains(message_of<MediaError>([&] { LoadedImage{std::string(path)}; }), "cannot be opened"));
  }
}
