// SPDX-License-Identifier: Apache-2.0
#include <qwen35/media/load_video.hpp>

#include <media/media_test.hpp>

#include <filesystem>
#include <fstream>

using namespace qwen35;
using namespace media_test;

namespace {

struct Folder {
  Folder() : path(std::filesystem::temp_directory_path() / "qwen35_image_folder") {
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  void copy(const std::string& from, const std::string& to) const {
    std::filesystem::copy_file(file_path(from), path / to);
  }
  std::filesystem::path path;
};

}  // namespace

TEST_CASE("natural order") {
  std::vector<std::string> names{"b",
                                 "a10",
                                 "a9",
                                 "a",
                                 "a1b2",
                                 "a1b10",
                                 "a01",
                                 "a1",
                                 "a001",
                                 "A2",
                                 "10",
                                 "9",
                                 "a99999999999999999999999",
                                 "a99999999999999999999998",
                                 "a-1"};
  std::sort(names.begin(), names.end(), natural_less);
  CHECK(names == std::vector<std::string>{"9", "10", "A2", "a", "a-1", "a001", "a01", "a1", "a1b2", "a1b10", "a9",
                                          "a10", "a99999999999999999999998", "a99999999999999999999999", "b"});
  for (const std::string& a : names) {
    CHECK_FALSE(natural_less(a, a));
    for (const std::string& b : names) {
      CHECK((a == b || natural_less(a, b) != natural_less(b, a)));
    }
  }
}

TEST_CASE("a folder is a video") {
  const Folder folder;
  folder.copy("rgb.png", "frame10.png");
  folder.copy("noise.jpg", "frame2.JPG");
  folder.copy("rgb24.bmp", "frame1.bmp");
  folder.copy("grey.png", ".hidden.png");
  folder.copy("grey.png", "notes.txt");
  folder.copy("still.gif", "frame11.gif");
  folder.copy("lossless.webp", "frame11.webp");
  const ImageFolder video(folder.path.string(), 5.0);
  REQUIRE(video.metadata().total_num_frames == 5);
  CHECK(video.metadata().width == 37);
  CHECK(video.metadata().fps == 5.0);
  const char* const files[] = {"rgb24.bmp", "noise.jpg", "rgb.png", "still.gif", "lossless.webp"};
  const std::vector<std::size_t> indices{0, 0, 1, 2, 3, 4, 4};
  std::size_t i = 0;
  video.read(std::span<const std::size_t>(indices),
             [&](const PixelView& frame) { CHECK(Image(frame) == read_image(file_path(files[indices[i++]]))); });
  CHECK(i == 7);

  MediaLimits limits;
  limits.max_frames = 4;
  CHECK(contains(message_of<MediaError>([&] { ImageFolder(folder.path.string(), 5.0, limits); }),
                 "more than 4 pictures"));
  folder.copy("large.jpg", "frame3.jpg");
  VideoOptions all;
  all.do_sample_frames = false;
  all.size = PixelArea{1024, 65536};
  // 29 pixels are too few for a video's side; the size of a later picture is only seen when it is read.
  CHECK(contains(message_of<MediaError>([&] { load_video(VideoProcessor(), folder.path.string(), all, 5.0); }),
                 "at least 32"));
  const ImageFolder other(folder.path.string(), 5.0);
  const std::vector<std::size_t> both{0, 2};
  CHECK(
      contains(message_of<MediaError>([&] { other.read(std::span<const std::size_t>(both), [](const PixelView&) {}); }),
               "frame3.jpg: 321 x 243 pixels, the folder's first picture has 37 x 29"));
}

TEST_CASE("a still picture is no video, nor is an empty file") {
  for (const char* still : {"rgb.png", "noise.jpg"}) {
    CHECK(contains(message_of<MediaError>([&] { load_video(VideoProcessor(), file_path(still)); }), "a still picture"));
  }
  const Folder folder;
  std::ofstream(folder.path / "empty").close();
  CHECK(contains(message_of<MediaError>([&] { load_video(VideoProcessor(), (folder.path / "empty").string()); }),
                 "the file is empty"));
}

TEST_CASE("folders that are no videos") {
  const Folder folder;
  CHECK(
      contains(message_of<MediaError>([&] { ImageFolder(folder.path.string(), 5.0); }), "no pictures in this folder"));
  CHECK(contains(message_of<MediaError>([&] { ImageFolder((folder.path / "none").string(), 5.0); }),
                 "cannot be read as a folder"));
  folder.copy("rgb.png", "a.png");
  std::filesystem::resize_file(folder.path / "a.png", 100);
  CHECK(contains(message_of<MediaError>([&] { ImageFolder(folder.path.string(), 5.0); }), "a.png: not a sound PNG"));
}
