// SPDX-License-Identifier: Apache-2.0
// Pictures and videos in the forms that a program may have them in, loaded.
#pragma once

#include <qwen35/media/decode.hpp>
#include <qwen35/media/image_processor.hpp>
#include <qwen35/media/load_video.hpp>
#include <qwen35/processor/media_loader.hpp>
#include <qwen35/processor/pixel_parts.hpp>
#include <qwen35/text/message.hpp>

#include <span>
#include <string>
#include <variant>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// A path or data: URL; an encoded file; pixels. Bytes and an Image become views and must outlive the call: temporary
// ones do not compile.
struct ImageItem : std::variant<std::string, std::span<const std::byte>, PixelView> {
  using variant::variant;
  ImageItem(const ImageItem& other) : variant(copy_whole<variant>(other)) {}
  ImageItem& operator=(const ImageItem& other) { return *this = ImageItem(other); }
  ImageItem(ImageItem&&) noexcept = default;
  ImageItem& operator=(ImageItem&&) noexcept = default;
  ImageItem(Image&& temporary) = delete;
  ImageItem(const Image&& temporary) = delete;
  ImageItem(std::vector<std::byte>&& temporary) = delete;
  ImageItem(const std::vector<std::byte>&& temporary) = delete;
};
// The path of a video file, an animated GIF or a folder of pictures, or a data: URL with a GIF; an encoded GIF, of
// which the same holds; frames.
struct VideoItem : std::variant<std::string, std::span<const std::byte>, FrameList> {
  using variant::variant;
  VideoItem(const VideoItem& other) : variant(copy_whole<variant>(other)) {}
  VideoItem& operator=(const VideoItem& other) { return *this = VideoItem(other); }
  VideoItem(VideoItem&&) noexcept = default;
  VideoItem& operator=(VideoItem&&) noexcept = default;
  VideoItem(std::vector<std::byte>&& temporary) = delete;
  VideoItem(const std::vector<std::byte>&& temporary) = delete;
};

// A decoded picture, or the caller's own. Raises MediaError for what cannot be read, addresses among it.
class LoadedImage {
 public:
  explicit LoadedImage(const ImageItem& item, const MediaLimits& limits = {}) {
    if (const PixelView* const pixels = std::get_if<PixelView>(&item)) {
      view_ = *pixels;
      return;
    }
    if (const std::string* const source = std::get_if<std::string>(&item)) {
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

// One picture. Raises MediaError for what cannot be read or resized, which says the file's name.
inline ImageInputs process_image(const ImageProcessor& processor, const ImageItem& item,
                                 const ImageOptions& options = {}, const MediaLimits& limits = {}) {
  const LoadedImage image(item, limits);
  const auto preprocess = [&] { return processor.preprocess(image.view(), options); };
  const std::string* const source = std::get_if<std::string>(&item);
  return source != nullptr && is_image_path(*source) ? with_place([&] { return shortened(*source); }, preprocess)
                                                     : preprocess();
}

// The item that a message's part stands for; it looks into the part. Raises MediaError when the part neither names nor
// carries anything.
inline ImageItem image_item(const ContentPart& part) {
  if (part.data == nullptr) {
    require<MediaError>(!part.value.empty(), "the picture is neither named nor in the message");
    return part.value;
  }
  if (part.data->frames.empty()) {
    return std::span<const std::byte>(part.data->file);
  }
  require<MediaError>(part.data->frames.size() == 1, "a picture of ", part.data->frames.size(), " frames");
  return pixels_of(*part.data, 0);
}

// Several pictures as one input, in this order. One is decoded at a time, so that the memory that MediaLimits allows a
// picture is used once, not for all of them together; each one's patches are let go as they are joined. Raises
// MediaError for what cannot be read, which says the picture's place.
inline ImageInputs process_images(const ImageProcessor& processor, std::span<const ImageItem> items,
                                  const ImageOptions& options = {}, const MediaLimits& limits = {},
                                  const PlaceOfMedium& place = place_in_list("images")) {
  std::vector<ImageInputs> each;
  std::size_t size = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    each.push_back(
        with_place([&] { return place(i); }, [&] { return process_image(processor, items[i], options, limits); }));
    size += each.back().pixel_values.size();
  }
  if (each.size() == 1) {
    return std::move(each[0]);
  }
  std::vector<float> values;
  std::vector<std::int64_t> grids;
  values.reserve(size);
  std::size_t rows = 0, width = 0;
  for (ImageInputs& image : each) {
    rows += image.pixel_values.shape()[0];
    width = image.pixel_values.shape()[1];
    values.insert(values.end(), image.pixel_values.begin(), image.pixel_values.end());
    grids.insert(grids.end(), image.image_grid_thw.begin(), image.image_grid_thw.end());
    image = {};
  }
  return {Tensor<float>({rows, width}, std::move(values)), Tensor<std::int64_t>({each.size(), 3}, std::move(grids))};
}

inline VideoItem video_item(const ContentPart& part) {
  if (part.data == nullptr) {
    require<MediaError>(!part.value.empty(), "the video is neither named nor in the message");
    return part.value;
  }
  if (part.data->frames.empty()) {
    return std::span<const std::byte>(part.data->file);
  }
  return frames_of(*part.data);
}

#if defined(QWEN35_HAS_FFMPEG)
inline namespace with_ffmpeg {
#else
inline namespace without_ffmpeg {
#endif

// `folder_fps`: the rate of a folder's pictures. Raises MediaError for what cannot be read, addresses among it.
inline VideoInputs process_video(const VideoProcessor& processor, const VideoItem& item,
                                 const VideoOptions& options = {}, std::optional<double> folder_fps = std::nullopt,
                                 const MediaLimits& limits = {}) {
  if (const FrameList* const frames = std::get_if<FrameList>(&item)) {
    return processor.preprocess(*frames, options);
  }
  const auto gif = [&](std::vector<std::byte> bytes) {
    require<MediaError>(image_format(bytes) == ImageFormat::gif,
                        "video: encoded bytes that are no GIF; other videos are given as a path");
    return processor.preprocess(GifVideo(std::move(bytes), limits), options);
  };
  if (const std::string* const source = std::get_if<std::string>(&item)) {
    return is_data_url(*source) ? gif(decode_data_url(*source))
                                : load_video(processor, *source, options, folder_fps, limits);
  }
  const std::span<const std::byte> bytes = std::get<std::span<const std::byte>>(item);
  return gif({bytes.begin(), bytes.end()});
}

}  // inline namespace

QWEN35_END_NAMESPACE
