// SPDX-License-Identifier: Apache-2.0
// Pictures and videos in the forms that a program may have them in, loaded.
#pragma once

#include <qwen35/media/decode.hpp>
#include <qwen35/media/load_video.hpp>
#include <qwen35/text/message.hpp>

#include <span>
#include <string>
#include <variant>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// A path or data: URL; an encoded file; pixels (an Image becomes a view and must outlive the call).
using ImageItem = std::variant<std::string, std::span<const std::byte>, PixelView>;
// The path of a video file, an animated GIF or a folder of pictures, or a data: URL with a GIF; an encoded GIF; frames.
using VideoItem = std::variant<std::string, std::span<const std::byte>, FrameList>;

namespace detail {

inline void require_local(const std::string& source, std::string_view kind) {
  const std::size_t colon = source.find("://");
  require<MediaError>(colon == std::string::npos || (source.substr(0, colon) != "http" && source.substr(0, colon) != "https"), source,
                      ": nothing is fetched from the net; give the ", kind, " as a path, a data: URL, bytes or pixels");
}

inline PixelView pixels_of(const MediumData& data, std::size_t frame) {
  require<MediaError>(data.width > 0 && data.height > 0 && data.width <= max_side && data.height <= max_side &&
                          data.frames[frame].size() == data.width * data.height * 3,
                      "frame ", frame, ": ", data.frames[frame].size(), " bytes for ", data.width, " x ", data.height, " pixels of 3");
  return {data.frames[frame].data(), data.width, data.height};
}

}  // namespace detail

// A decoded picture, or the caller's own. Raises MediaError for what cannot be read, http(s) addresses among it.
class LoadedImage {
 public:
  explicit LoadedImage(const ImageItem& item, const MediaLimits& limits = {}) {
    if (const PixelView* const pixels = std::get_if<PixelView>(&item)) {
      view_ = *pixels;
      return;
    }
    if (const std::string* const source = std::get_if<std::string>(&item)) {
      detail::require_local(*source, "picture");
      image_ = load_image(*source, limits);
    } else {
      image_ = decode_image(std::get<std::span<const std::byte>>(item), limits);
    }
    view_ = image_.view();
  }
  LoadedImage(LoadedImage&&) noexcept = default;  // the pixels stay where they are
  LoadedImage& operator=(LoadedImage&&) noexcept = default;

  const PixelView& view() const { return view_; }

 private:
  Image image_;
  PixelView view_;
};

// The item that a message's part stands for; it looks into the part. Raises MediaError when the part neither names nor carries anything.
inline ImageItem image_item(const ContentPart& part) {
  if (part.data == nullptr) {
    require<MediaError>(!part.value.empty(), "the picture is neither named nor in the message");
    return part.value;
  }
  if (part.data->frames.empty()) {
    return std::span<const std::byte>(part.data->file);
  }
  require<MediaError>(part.data->frames.size() == 1, "a picture of ", part.data->frames.size(), " frames");
  return detail::pixels_of(*part.data, 0);
}

inline VideoItem video_item(const ContentPart& part) {
  if (part.data == nullptr) {
    require<MediaError>(!part.value.empty(), "the video is neither named nor in the message");
    return part.value;
  }
  if (part.data->frames.empty()) {
    return std::span<const std::byte>(part.data->file);
  }
  std::vector<PixelView> frames;
  for (std::size_t i = 0; i < part.data->frames.size(); ++i) {
    frames.push_back(detail::pixels_of(*part.data, i));
  }
  return FrameList(std::move(frames), part.data->fps);
}

#if defined(QWEN35_HAS_FFMPEG)
inline namespace with_ffmpeg {
#else
inline namespace without_ffmpeg {
#endif

// `folder_fps`: the rate of a folder's pictures. Raises MediaError for what cannot be read, http(s) addresses among it.
inline VideoInputs process_video(const VideoProcessor& processor, const VideoItem& item, const VideoOptions& options = {},
                                 std::optional<double> folder_fps = std::nullopt, const MediaLimits& limits = {}) {
  if (const FrameList* const frames = std::get_if<FrameList>(&item)) {
    return processor.preprocess(*frames, options);
  }
  const auto gif = [&](std::vector<std::byte> bytes) {
    require<MediaError>(image_format(bytes) == ImageFormat::gif, "video: encoded bytes that are no GIF; other videos are given as a path");
    return processor.preprocess(GifVideo(std::move(bytes), limits), options);
  };
  if (const std::string* const source = std::get_if<std::string>(&item)) {
    detail::require_local(*source, "video");
    return is_data_url(*source) ? gif(decode_data_url(*source)) : load_video(processor, *source, options, folder_fps, limits);
  }
  const std::span<const std::byte> bytes = std::get<std::span<const std::byte>>(item);
  return gif({bytes.begin(), bytes.end()});
}

}  // inline namespace

QWEN35_END_NAMESPACE
