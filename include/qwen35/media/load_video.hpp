// SPDX-License-Identifier: Apache-2.0
// A path to patch rows, whatever it names: a folder of pictures, an animated GIF, or a video file.
#pragma once

#include <qwen35/core/result.hpp>
#include <qwen35/io/data_url.hpp>
#include <qwen35/io/folder.hpp>
#include <qwen35/io/plain_file.hpp>
#include <qwen35/media/gif_video.hpp>
#include <qwen35/media/image_folder.hpp>
#include <qwen35/media/video_file.hpp>
#include <qwen35/media/video_processor.hpp>

QWEN35_BEGIN_NAMESPACE

namespace detail {

// What reading says has the file's name already; what is wrong with its size is said before, with the name.
template <VideoSource Source>
VideoInputs preprocess_file(const VideoProcessor& processor, const std::string& path, Source&& source,
                            const VideoOptions& options) {
  const VideoMetadata& metadata = source.metadata();
  const std::size_t taken = processor.sample_frames(metadata.total_num_frames, metadata.fps, options).size();
  with_place([&] { return shortened(path); },
             [&] {
               return processor.resized_size(taken, {metadata.width, metadata.height}, options);
             });
  return processor.preprocess(source, options);
}

}  // namespace detail

#if defined(QWEN35_HAS_FFMPEG)
inline namespace with_ffmpeg {
#else
inline namespace without_ffmpeg {
#endif

// `folder_fps`: the rate of a folder's pictures; GIFs and files know their own. Raises MediaError for what cannot be
// read.
inline VideoInputs load_video(const VideoProcessor& processor, const std::string& path,
                              const VideoOptions& options = {}, std::optional<double> folder_fps = std::nullopt,
                              const MediaLimits& limits = {}) {
  require_no_address(path, "video");
  if (is_folder(path)) {
    return detail::preprocess_file(processor, path, ImageFolder(path, folder_fps, limits), options);
  }
  char head[6] = "";
  const std::size_t got = PlainFile<MediaError>(path).read_some(std::as_writable_bytes(std::span(head)));
  const std::string_view start(head, got);
  if (start == "GIF87a" || start == "GIF89a") {
    return detail::preprocess_file(processor, path, GifVideo::from_file(path, limits), options);
  }
  require<MediaError>(got > 0, path, ": the file is empty, expected a video");
  require<MediaError>(!start.starts_with("\x89PNG") && !start.starts_with("\xff\xd8\xff"), path,
                      ": this is a still picture, expected a video file, an animated GIF, or a folder of pictures");
  return detail::preprocess_file(processor, path, VideoFile(path, limits), options);
}

}  // inline namespace

QWEN35_END_NAMESPACE
