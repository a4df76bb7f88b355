// SPDX-License-Identifier: Apache-2.0
// Video files through FFmpeg's libraries (the CMake target qwen35::ffmpeg). In a program built without them everything
// here raises MediaError with the names of the missing packages.
#pragma once

#include <qwen35/media/exif.hpp>
#include <qwen35/media/video_decoder.hpp>
#include <qwen35/media/video_source.hpp>

#include <memory>
#include <string>

QWEN35_BEGIN_NAMESPACE

#if defined(QWEN35_HAS_FFMPEG)

// Files compiled with and without FFmpeg have different classes here: their names must differ as well.
inline namespace with_ffmpeg {

constexpr bool has_video_files() {
  return true;
}

// A video file. Opening it decodes it once, to count the frames: what headers say of their number is often wrong.
class VideoFile {
 public:
  // Raises MediaError for a file that is damaged, has no video or is out of the limits. FFmpeg's own remarks go
  // where the program told av_log to write.
  explicit VideoFile(const std::string& path, const MediaLimits& limits = {}) : path_(path), limits_(limits) {
    VideoDecoder decoder(path_, limits_);
    while (const AVFrame* const frame = decoder.next()) {
      if (metadata_.total_num_frames == 0) {
        width_ = frame->width;
        height_ = frame->height;
        check_picture_size(static_cast<std::size_t>(std::max(width_, 0)),
                           static_cast<std::size_t>(std::max(height_, 0)), limits_, path_);
      }
      ++metadata_.total_num_frames;
      require<MediaError>(metadata_.total_num_frames <= limits_.max_frames, path_, ": more than ", limits_.max_frames,
                          " frames");
    }
    require<MediaError>(metadata_.total_num_frames > 0, path_, ": no frames in this video");
    if (const double rate = decoder.rate(); rate > 0.0) {
      metadata_.fps = rate;
    }
    orientation_ = decoder.orientation();
    const bool lying = orientation_ >= 5;
    metadata_.width = static_cast<std::size_t>(lying ? height_ : width_);
    metadata_.height = static_cast<std::size_t>(lying ? width_ : height_);
  }

  const VideoMetadata& metadata() const { return metadata_; }

  template <class Sink>
  void read(std::span<const std::size_t> indices, Sink&& sink) const {
    VideoDecoder decoder(path_, limits_);
    std::unique_ptr<SwsContext, ScalerDeleter> scaler;
    Image image;
    std::size_t next = 0;  // the frame that the decoder gives next
    for (std::size_t i = 0; i < indices.size(); ++i) {
      if (next <= indices[i]) {
        const AVFrame* frame = nullptr;
        for (; next <= indices[i]; ++next) {
          frame = decoder.next();
          require<MediaError>(frame != nullptr, path_, ": the video ends at frame ", next, ", at first it had ",
                              metadata_.total_num_frames);
        }
        image = upright(to_rgb(*frame, scaler), orientation_);
      }
      sink(image.view());
    }
  }

 private:
  struct ScalerDeleter {
    void operator()(SwsContext* context) const { sws_freeContext(context); }
  };

  // Frames of another size than the first are brought to it, as players do.
  Image to_rgb(const AVFrame& frame, std::unique_ptr<SwsContext, ScalerDeleter>& scaler) const {
    Image image(static_cast<std::size_t>(width_), static_cast<std::size_t>(height_));
    scaler.reset(sws_getCachedContext(scaler.release(), frame.width, frame.height,
                                      static_cast<AVPixelFormat>(frame.format), width_, height_, AV_PIX_FMT_RGB24,
                                      SWS_BILINEAR, nullptr, nullptr, nullptr));
    require<MediaError>(scaler != nullptr, path_, ": frames whose colours cannot be converted");
    const int space = frame.colorspace == AVCOL_SPC_BT709        ? SWS_CS_ITU709
                      : frame.colorspace == AVCOL_SPC_BT2020_NCL ? SWS_CS_BT2020
                                                                 : SWS_CS_ITU601;
    sws_setColorspaceDetails(scaler.get(), sws_getCoefficients(space), frame.color_range == AVCOL_RANGE_JPEG ? 1 : 0,
                             sws_getCoefficients(space), 1, 0, 1 << 16, 1 << 16);
    // The converter may write past a row's end up to its vector size: rows of its own, then copied.
    const std::size_t stride = (image.width() * 3 + 63) / 64 * 64;
    std::vector<std::uint8_t> rows(stride * image.height() + 64);
    std::uint8_t* const planes[4] = {rows.data(), nullptr, nullptr, nullptr};
    const int strides[4] = {static_cast<int>(stride), 0, 0, 0};
    require<MediaError>(
        sws_scale(scaler.get(), frame.data, frame.linesize, 0, frame.height, planes, strides) == height_, path_,
        ": frames whose colours cannot be converted");
    return Image(PixelView{rows.data(), image.width(), image.height(), PixelFormat::rgb, stride});
  }

  std::string path_;
  MediaLimits limits_;
  VideoMetadata metadata_;
  int width_ = 0;  // as stored
  int height_ = 0;
  int orientation_ = 1;
};

}  // namespace with_ffmpeg

#else

inline namespace without_ffmpeg {

constexpr bool has_video_files() {
  return false;
}

class VideoFile {
 public:
  explicit VideoFile(const std::string& path, const MediaLimits& = {}) {
    raise<MediaError>(concat(
        path,
        ": this program was built without FFmpeg, which reads video files: install libavformat-dev libavcodec-dev "
        "libswscale-dev libavutil-dev and build it again"));
  }
  const VideoMetadata& metadata() const { return metadata_; }
  template <class Sink>
  void read(std::span<const std::size_t>, Sink&&) const {}

 private:
  VideoMetadata metadata_;
};

}  // namespace without_ffmpeg

#endif

QWEN35_END_NAMESPACE
