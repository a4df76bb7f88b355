// SPDX-License-Identifier: Apache-2.0
#include <qwen35/media/load_video.hpp>

#include <media/media_test.hpp>

#include <filesystem>

using namespace qwen35;
using namespace media_test;

#if defined(QWEN35_HAS_FFMPEG)

static_assert(!std::is_move_constructible_v<VideoDecoder> && !std::is_move_assignable_v<VideoDecoder>);

namespace {

// FFmpeg tells of damaged files on the terminal, which the tests make on purpose.
const bool quiet = [] {
  av_log_set_level(AV_LOG_QUIET);
  return true;
}();

std::string video_path(const std::string& name) {
  return data_folder() + "/videos/" + name;
}

const json::Value& videos() {
  static const json::Value value = [] {
    const std::vector<std::byte> bytes = read_file<MediaError>(data_folder() + "/videos.json", 1 << 20);
    return json::parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, "videos.json");
  }();
  return value;
}

std::vector<std::int64_t> checksums(const VideoFile& video, std::span<const std::size_t> indices) {
  std::vector<std::int64_t> out;
  video.read(indices, [&](const PixelView& frame) { out.push_back(crc_of(Image(frame))); });
  return out;
}

// A file with other bytes in its place, gone with the object.
struct Damaged {
  explicit Damaged(std::span<const std::byte> bytes)
      : path((std::filesystem::temp_directory_path() / "qwen35_test_video_file.bin").string()) {
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  ~Damaged() {
    std::error_code error;
    std::filesystem::remove(path, error);
  }
  Damaged(const Damaged&) = delete;
  Damaged& operator=(const Damaged&) = delete;
  std::string path;
};

// How many frames the file has, 0 when it is refused; that must be by a MediaError which names it.
std::size_t frames_or_none(std::span<const std::byte> bytes) {
  const Damaged file{bytes};
  try {
    const VideoFile video(file.path);
    const std::size_t first[] = {0};
    checksums(video, first);
    return video.metadata().total_num_frames;
  } catch (const MediaError& error) {
    CHECK(contains(error.what(), file.path));
    return 0;
  }
}

}  // namespace

TEST_CASE("frames, their number, order and rate as FFmpeg's own program has them") {
  REQUIRE(quiet);
  CHECK(has_video_files());
  for (const auto& member : videos().at("videos").members()) {
    const std::string name(member.first);
    const json::Value& expected = member.second;
    CAPTURE(name);
    const VideoFile video(video_path(name));
    const VideoMetadata& metadata = video.metadata();
    CHECK(metadata.width == size_of(expected.at("size").items()[0]));
    CHECK(metadata.height == size_of(expected.at("size").items()[1]));
    CHECK(metadata.fps == expected.at("fps").items()[0].as_number() / expected.at("fps").items()[1].as_number());
    const std::span<const json::Value> frames = expected.at("frames").items();
    REQUIRE(metadata.total_num_frames == frames.size());
    std::vector<std::size_t> all(frames.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i] = i;
    }
    const std::vector<std::int64_t> got = checksums(video, all);
    for (std::size_t i = 0; i < frames.size(); ++i) {
      CAPTURE(i);
      CHECK(got.at(i) == frames[i].as_integer());
    }
    // Some of them, one twice, and the same again: each read starts anew.
    const std::size_t last = frames.size() - 1;
    const std::size_t some[] = {0, last / 2, last / 2, last};
    for (int time = 0; time < 2; ++time) {
      CHECK(checksums(video, some) == std::vector<std::int64_t>{got[0], got[last / 2], got[last / 2], got[last]});
    }
  }
}

TEST_CASE("a file, an animation or a folder by its path") {
  const VideoProcessor processor;
  const VideoInputs file = load_video(processor, video_path("h264.mp4"));
  CHECK(file.video_metadata.at(0).frames_indices ==
        std::vector<std::size_t>{0, 4, 8, 12});  // 13 frames at 10 a second: at least 4
  CHECK(file.timestamps.at(0) == std::vector<double>{0.2, 1.0});
  CHECK(file.video_grid_thw[0] == 2);
  CHECK(load_video(processor, file_path("moving.gif")).video_metadata.at(0).total_num_frames == 6);
  CHECK(contains(message_of<MediaError>([&] { load_video(processor, data_folder() + "/files", {}, 2.0); }),
                 "37 x 29 pixels: each side must be at least 32"));
  CHECK(contains(message_of<MediaError>([&] { load_video(processor, video_path("none.mp4")); }),
                 "none.mp4: cannot be opened"));
}

TEST_CASE("damaged and hostile files") {
  const std::vector<std::byte> bytes = read_file<MediaError>(video_path("h264.mp4"), 1 << 20);
  // Cut off anywhere: an error or, behind the last frame and the index that follows it, the whole video.
  std::size_t refused = 0;
  for (std::size_t size = 0; size < bytes.size(); size += 61) {
    CAPTURE(size);
    const std::size_t frames = frames_or_none(std::span(bytes).first(size));
    CHECK((frames == 0 || frames == 13));
    refused += frames == 0 ? 1u : 0u;
  }
  CHECK(refused > 40);
  // Fragments stand each behind its index: those that came before the cut are a shorter video.
  const std::vector<std::byte> parts = read_file<MediaError>(video_path("fragments.mp4"), 1 << 20);
  for (std::size_t size = 900; size < parts.size(); size += 97) {
    CAPTURE(size);
    CHECK(frames_or_none(std::span(parts).first(size)) <= 9);
  }
  // Bytes overwritten.
  for (std::size_t at = 0; at < bytes.size(); at += 89) {
    CAPTURE(at);
    std::vector<std::byte> changed = bytes;
    for (std::size_t i = at; i < std::min(at + 3, changed.size()); ++i) {
      changed[i] ^= std::byte{0xff};
    }
    CHECK(frames_or_none(changed) <= 13);
  }
  // Files that name other files and addresses are not followed.
  for (const char* text :
       {"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile h264.mp4\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"}) {
    CAPTURE(text);
    const Damaged file{bytes_of(text)};
    CHECK(contains(message_of<MediaError>([&] { VideoFile video(file.path); }), "cannot be opened as a video"));
  }
  CHECK(contains(message_of<MediaError>([] { VideoFile video(data_folder() + "/cases.json"); }), "cases.json"));
  CHECK(contains(message_of<MediaError>([] { VideoFile video(data_folder()); }), data_folder()));
}

TEST_CASE("a video above the limits is refused") {
  MediaLimits limits;
  limits.max_frames = 12;
  CHECK(contains(message_of<MediaError>([&] { VideoFile video(video_path("h264.mp4"), limits); }),
                 "h264.mp4: more than 12 frames"));
  limits = {};
  limits.max_pixels = 64 * 48 - 1;
  CHECK(contains(message_of<MediaError>([&] { VideoFile video(video_path("h264.mp4"), limits); }),
                 "h264.mp4: 64 x 48 pixels, the limit is 3071 in all (MediaLimits::max_pixels, --max-pixels)"));
  limits.max_pixels = 128 * 128;
  CHECK(VideoFile(video_path("h264.mp4"), limits).metadata().total_num_frames == 13);
}

#else

TEST_CASE("a program without FFmpeg says so, and how to have it") {
  CHECK(!has_video_files());
  const std::string path = data_folder() + "/videos/h264.mp4";
  const std::string message = message_of<MediaError>([&] { load_video(VideoProcessor(), path); });
  CHECK(contains(message, "h264.mp4: this program was built without FFmpeg"));
  CHECK(contains(message, "install libavformat-dev libavcodec-dev libswscale-dev libavutil-dev"));
  CHECK(load_video(VideoProcessor(), file_path("moving.gif")).video_metadata.at(0).total_num_frames == 6);
}

#endif

TEST_CASE("a path that names nothing") {
  CHECK(contains(message_of<MediaError>([] { load_video(VideoProcessor(), "/no/such/file.mp4"); }),
                 "/no/such/file.mp4: cannot be opened"));
}
