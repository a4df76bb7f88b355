// SPDX-License-Identifier: Apache-2.0
// Where frames come from: the concept, and the caller's own frames.
#pragma once

#include <qwen35/media/image.hpp>

#include <concepts>
#include <optional>
#include <utility>

QWEN35_BEGIN_NAMESPACE

struct VideoMetadata {
  std::size_t total_num_frames = 0;  // before sampling
  std::optional<double> fps;         // frames a second, when known
  std::size_t width = 0;
  std::size_t height = 0;
  std::vector<std::size_t> frames_indices;  // of the frames that are there or were taken; empty: all of them
};

namespace detail {
struct FrameSink {
  void operator()(const PixelView&) const {}
};
}  // namespace detail

// A source knows its metadata without unpacking pixels, and hands out the frames of ascending indices, one call of
// `sink` for each (an index may occur several times). One frame at a time: a long video is never in memory as a whole.
template <class S>
concept VideoSource = requires(S& source, std::span<const std::size_t> indices, detail::FrameSink sink) {
  { source.metadata() } -> std::convertible_to<VideoMetadata>;
  source.read(indices, sink);
};

// Frames in the caller's memory, all of one size.
class FrameList {
 public:
  // `frames_indices`: their places in the video that they were taken from, when they were sampled already (then also
  // ask for do_sample_frames = false). Raises InputError without frames, for frames of different sizes, or another
  // number of indices.
  explicit FrameList(std::vector<PixelView> frames, std::optional<double> fps = std::nullopt,
                     std::vector<std::size_t> frames_indices = {})
      : frames_(std::move(frames)) {
    require<InputError>(!frames_.empty(), "a video without frames");
    require<InputError>(frames_indices.empty() || frames_indices.size() == frames_.size(), "video: ", frames_.size(),
                        " frames with ", frames_indices.size(), " indices");
    for (std::size_t i = 0; i < frames_.size(); ++i) {
      check_pixels(frames_[i]);
      require<InputError>(frames_[i].width == frames_[0].width && frames_[i].height == frames_[0].height,
                          "video: frame ", i, " has ", frames_[i].width, " x ", frames_[i].height,
                          " pixels, the first one ", frames_[0].width, " x ", frames_[0].height);
    }
    metadata_ = {frames_.size(), fps, frames_[0].width, frames_[0].height, std::move(frames_indices)};
  }
  explicit FrameList(std::span<const Image> frames, std::optional<double> fps = std::nullopt,
                     std::vector<std::size_t> frames_indices = {})
      : FrameList(std::vector<PixelView>(frames.begin(), frames.end()), fps, std::move(frames_indices)) {}
  explicit FrameList(const std::vector<Image>&& temporary, std::optional<double> fps = std::nullopt,
                     std::vector<std::size_t> frames_indices = {}) = delete;

  const VideoMetadata& metadata() const { return metadata_; }
  template <class Sink>
  void read(std::span<const std::size_t> indices, Sink&& sink) const {
    for (const std::size_t index : indices) {
      sink(frames_[index]);
    }
  }

 private:
  std::vector<PixelView> frames_;
  VideoMetadata metadata_;
};

QWEN35_END_NAMESPACE
