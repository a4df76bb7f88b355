// SPDX-License-Identifier: Apache-2.0
// A video file's frames in order through FFmpeg's libraries. Needs QWEN35_HAS_FFMPEG; without it this header is empty.
#pragma once

#if defined(QWEN35_HAS_FFMPEG)

#include <qwen35/io/plain_file.hpp>
#include <qwen35/media/image.hpp>

#include <memory>
#include <string>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libswscale/swscale.h>
}

QWEN35_BEGIN_NAMESPACE

namespace detail {

struct FormatDeleter {
  void operator()(AVFormatContext* context) const { avformat_close_input(&context); }
};
struct CodecDeleter {
  void operator()(AVCodecContext* context) const { avcodec_free_context(&context); }
};
struct PacketDeleter {
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
};
struct FrameDeleter {
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
};

inline std::string ffmpeg_error(int code) {
  char text[AV_ERROR_MAX_STRING_SIZE] = "";
  av_strerror(code, text, sizeof(text));
  return text;
}

// Files that hold pictures themselves. Playlists and the like, which name other files and addresses, are not among
// them.
inline constexpr const char* video_formats =
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,ogg,flv,asf,gif,ivf,h264,hevc,m4v,mjpeg,nut,dv,"
    "apng,mxf,rm,av1,obu";

}  // namespace detail

// A file being decoded from its beginning.
class VideoDecoder {
 public:
  VideoDecoder(const std::string& path, const MediaLimits& limits) : path_(path) {
    PlainFile<MediaError> plain(path);  // FFmpeg would wait for a pipe
    AVDictionary* options = nullptr;
    av_dict_set(&options, "protocol_whitelist", "file", 0);
    av_dict_set(&options, "format_whitelist", detail::video_formats, 0);
    AVFormatContext* format = nullptr;
    const int opened = avformat_open_input(&format, concat("file:", path).c_str(), nullptr, &options);
    av_dict_free(&options);
    format_.reset(format);
    check(opened, "cannot be opened as a video");
    check(avformat_find_stream_info(format, nullptr), "cannot be read as a video");
    const AVCodec* codec = nullptr;
    const int stream = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
    require<MediaError>(stream >= 0 && codec != nullptr, path, ": no video in this file that can be decoded");
    stream_ = format->streams[stream];
    // Other streams are not read.
    for (unsigned i = 0; i < format->nb_streams; ++i) {
      format->streams[i]->discard = static_cast<int>(i) == stream ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    }
    codec_.reset(avcodec_alloc_context3(codec));
    packet_.reset(av_packet_alloc());
    frame_.reset(av_frame_alloc());
    require<MediaError>(codec_ != nullptr && packet_ != nullptr && frame_ != nullptr, path,
                        ": no memory for the decoder");
    check(avcodec_parameters_to_context(codec_.get(), stream_->codecpar), "cannot be decoded");
    if (codec_->width > 0 && codec_->height > 0) {  // else frames alone tell
      check_picture_size(static_cast<std::size_t>(codec_->width), static_cast<std::size_t>(codec_->height), limits,
                         path);
    }
    codec_->max_pixels = static_cast<std::int64_t>(limits.max_pixels);
    codec_->thread_count = 0;  // as many as there are processors
    codec_->pkt_timebase = stream_->time_base;
    check(avcodec_open2(codec_.get(), codec, nullptr), "cannot be decoded");
  }
  VideoDecoder(const VideoDecoder&) = delete;
  VideoDecoder& operator=(const VideoDecoder&) = delete;

  // The next frame in order of presentation, or null at the end. A packet that cannot be decoded is an error: a frame
  // must not be missing.
  const AVFrame* next() {
    while (true) {
      const int got = avcodec_receive_frame(codec_.get(), frame_.get());
      if (got == 0) {
        require<MediaError>(frame_->decode_error_flags == 0, path_,
                            ": damaged video: a frame could only be decoded in part");
        return frame_.get();
      }
      if (got == AVERROR_EOF) {
        // MP4 has an index of its packets; in formats without one, a file cut between two packets is a shorter video.
        const int indexed = avformat_index_get_entries_count(stream_);
        require<MediaError>(packets_ >= indexed, path_, ": the file is cut off: ", packets_, " of ", indexed,
                            " packets");
        return nullptr;
      }
      require<MediaError>(got == AVERROR(EAGAIN), path_, ": damaged video: ", detail::ffmpeg_error(got));
      int read = 0;
      do {
        av_packet_unref(packet_.get());
        read = av_read_frame(format_.get(), packet_.get());
      } while (read >= 0 && packet_->stream_index != stream_->index);
      require<MediaError>(read >= 0 || read == AVERROR_EOF, path_, ": damaged video: ", detail::ffmpeg_error(read));
      packets_ += read >= 0 ? 1 : 0;
      const int sent = avcodec_send_packet(codec_.get(), read >= 0 ? packet_.get() : nullptr);
      av_packet_unref(packet_.get());
      require<MediaError>(sent >= 0 || sent == AVERROR_EOF, path_, ": damaged video: ", detail::ffmpeg_error(sent));
    }
  }

  // avg_frame_rate, else the stream's base rate; 0 when the file tells neither.
  double rate() const {
    const AVRational rate = stream_->avg_frame_rate.num > 0 && stream_->avg_frame_rate.den > 0 ? stream_->avg_frame_rate
                                                                                               : stream_->r_frame_rate;
    return rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0.0;
  }

  // What brings the frames upright, as EXIF numbers it: phones store portrait videos lying.
  int orientation() const {
    std::size_t size = 0;
#if LIBAVCODEC_VERSION_MAJOR >= 61
    const AVPacketSideData* const side = av_packet_side_data_get(
        stream_->codecpar->coded_side_data, stream_->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
    const std::uint8_t* const data = side != nullptr ? side->data : nullptr;
    size = side != nullptr ? side->size : 0;
#else
    const std::uint8_t* const data = av_stream_get_side_data(stream_, AV_PKT_DATA_DISPLAYMATRIX, &size);
#endif
    if (data == nullptr || size < 9 * sizeof(std::int32_t)) {
      return 1;
    }
    const double angle = av_display_rotation_get(
        reinterpret_cast<const std::int32_t*>(data));  // counter-clockwise; NaN for a broken one
    constexpr int of_quarter[] = {1, 8, 3, 6};
    return angle >= -360.0 && angle <= 360.0 ? of_quarter[(static_cast<int>(angle / 90.0 + 8.5)) % 4] : 1;
  }

 private:
  void check(int code, const char* what) const {
    if (code < 0) {
      raise<MediaError>(concat(path_, ": ", what, ": ", detail::ffmpeg_error(code)));
    }
  }

  std::string path_;
  std::unique_ptr<AVFormatContext, detail::FormatDeleter> format_;
  std::unique_ptr<AVCodecContext, detail::CodecDeleter> codec_;
  std::unique_ptr<AVPacket, detail::PacketDeleter> packet_;
  std::unique_ptr<AVFrame, detail::FrameDeleter> frame_;
  AVStream* stream_ = nullptr;
  std::int64_t packets_ = 0;
};

QWEN35_END_NAMESPACE

#endif
