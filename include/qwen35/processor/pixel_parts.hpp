// SPDX-License-Identifier: Apache-2.0
// Pictures and frames of the program's own as parts of a message, and a loader for them that needs no image library.
#pragma once

#include <qwen35/media/image_processor.hpp>
#include <qwen35/media/video_processor.hpp>
#include <qwen35/processor/media_loader.hpp>

#include <algorithm>
#include <span>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// Raises MediaError when a carried frame is not as large as it should be.
inline PixelView pixels_of(const MediumData& data, std::size_t frame) {
  require<MediaError>(data.width > 0 && data.height > 0 && data.width <= max_picture_side &&
                          data.height <= max_picture_side && data.frames[frame].size() == data.width * data.height * 3,
                      "frame ", frame, ": ", data.frames[frame].size(), " bytes for ", data.width, " x ", data.height,
                      " pixels of 3");
  return {data.frames[frame].data(), data.width, data.height};
}

inline FrameList frames_of(const MediumData& data) {
  std::vector<PixelView> frames;
  for (std::size_t i = 0; i < data.frames.size(); ++i) {
    frames.push_back(pixels_of(data, i));
  }
  return FrameList(std::move(frames), data.fps);
}

namespace detail {

inline void carry(const PixelView& pixels, MediumData& data) {
  check_pixels(pixels);
  require<InputError>(data.frames.empty() || (pixels.width == data.width && pixels.height == data.height), "frame ",
                      data.frames.size(), " has ", pixels.width, " x ", pixels.height, " pixels, the first one ",
                      data.width, " x ", data.height);
  data.width = pixels.width;
  data.height = pixels.height;
  std::vector<std::uint8_t>& rgb = data.frames.emplace_back(pixels.width * pixels.height * 3);
  for (std::size_t y = 0; y < pixels.height; ++y) {
    row_to_rgb(pixels.row(y), rgb.data() + y * pixels.width * 3, pixels.width, pixels.format);
  }
}

template <class Frames>
ContentPart carry_video(const Frames& frames, std::optional<double> fps) {
  require<InputError>(!frames.empty(), "a video without frames");
  MediumData data;
  data.fps = fps;
  for (const auto& frame : frames) {
    carry(frame, data);
  }
  return ContentPart::video(std::move(data));
}

}  // namespace detail

// A part with a copy of the pixels. Raises InputError for pixels that contradict each other.
inline ContentPart image_part(const PixelView& pixels) {
  MediumData data;
  detail::carry(pixels, data);
  return ContentPart::image(std::move(data));
}

// The same for frames of one size. fps: frames a second; without it the reference's 24 apply.
inline ContentPart video_part(std::span<const PixelView> frames, std::optional<double> fps = {}) {
  return detail::carry_video(frames, fps);
}
inline ContentPart video_part(std::span<const Image> frames, std::optional<double> fps = {}) {
  return detail::carry_video(frames, fps);
}

// For SessionOptions::media_loader: loads parts that carry pixels. (A Processor also reads files, and needs the image
// libraries.)
class PixelLoader {
 public:
  PixelLoader() = default;  // the published models' settings
  PixelLoader(ImageProcessor images, VideoProcessor videos) : images_(std::move(images)), videos_(std::move(videos)) {}

  // Raises MediaError for a part that carries no pixels, or that cannot be resized.
  LoadedMedium operator()(const ContentPart& part) const {
    require<MediaError>(part.data != nullptr && !part.data->frames.empty(),
                        "the message names a file or carries one: reading it takes a Processor");
    LoadedMedium out;
    out.merge_size = images_.config().merge_size;
    if (part.type == PartType::image) {
      ImageInputs inputs = images_.preprocess(pixels_of(*part.data, 0));
      out.pixel_values = std::move(inputs.pixel_values);
      std::copy(inputs.image_grid_thw.begin(), inputs.image_grid_thw.end(), out.grid_thw.begin());
    } else {
      VideoInputs inputs = videos_.preprocess(frames_of(*part.data));
      out.pixel_values = std::move(inputs.pixel_values_videos);
      out.timestamps = std::move(inputs.timestamps.at(0));
      std::copy(inputs.video_grid_thw.begin(), inputs.video_grid_thw.end(), out.grid_thw.begin());
    }
    return out;
  }

 private:
  ImageProcessor images_;
  VideoProcessor videos_;
};

QWEN35_END_NAMESPACE
