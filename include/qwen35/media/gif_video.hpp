// SPDX-License-Identifier: Apache-2.0
// An animated GIF as a video: composited frames, rate = frames / duration.
#pragma once

#include <qwen35/io/plain_file.hpp>
#include <qwen35/media/decode_gif.hpp>
#include <qwen35/media/video_source.hpp>

QWEN35_BEGIN_NAMESPACE

class GifVideo {
 public:
  // Raises MediaError for a damaged or too large file; a damaged picture in it may only show when it is read.
  explicit GifVideo(std::vector<std::byte> bytes, const MediaLimits& limits = {}, std::string_view source_name = "GIF")
      : bytes_(std::move(bytes)), reader_(bytes_, limits, source_name) {
    const GifReader::Summary summary = reader_.summary();
    require<MediaError>(reader_.next(), source_name, ": not a sound GIF: no picture in it");
    metadata_.total_num_frames = summary.frames;
    metadata_.fps = static_cast<double>(summary.frames) / summary.seconds;
    metadata_.width = reader_.canvas().width();
    metadata_.height = reader_.canvas().height();
  }
  static GifVideo from_file(const std::string& path, const MediaLimits& limits = {}) {
    return GifVideo(read_file<MediaError>(path, limits.max_file_bytes), limits, path);
  }
  GifVideo(const GifVideo&) = delete;
  GifVideo& operator=(const GifVideo&) = delete;

  const VideoMetadata& metadata() const { return metadata_; }
  template <class Sink>
  void read(std::span<const std::size_t> indices, Sink&& sink) {
    for (const std::size_t index : indices) {
      if (index < at_) {
        reader_.restart();
        at_ = 0;
        reader_.next();
      }
      for (; at_ < index; ++at_) {
        reader_.next();
      }
      sink(reader_.canvas().view());
    }
  }

 private:
  std::vector<std::byte> bytes_;
  GifReader reader_;
  VideoMetadata metadata_;
  std::size_t at_ = 0;  // the frame on the canvas
};

QWEN35_END_NAMESPACE
