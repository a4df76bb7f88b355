// SPDX-License-Identifier: Apache-2.0
// Which frames of a video are looked at, and the times that stand before them in the text.
#pragma once

#include <qwen35/media/smart_resize.hpp>

#include <span>
#include <vector>

QWEN35_BEGIN_NAMESPACE

inline constexpr double default_video_fps = 24.0;         // of frames without a rate
inline constexpr std::size_t max_sampled_frames = 65536;  // more is refused: the rows of one video must fit the memory

// `num_frames` indices spread evenly over 0 ... total_num_frames - 1, the ends included; more than there are repeats
// some. Raises InputError when there is nothing to spread or num_frames is beyond max_sampled_frames. (numpy: linspace,
// rounded half to even)
inline std::vector<std::size_t> spread_frames(std::size_t total_num_frames, std::size_t num_frames) {
  require<InputError>(total_num_frames > 0, "a video without frames");
  require<InputError>(num_frames > 0 && num_frames <= max_sampled_frames, "num_frames: expected 1 to ",
                      max_sampled_frames, ", got ", num_frames);
  std::vector<std::size_t> indices(num_frames, 0);
  if (num_frames > 1) {
    const double step = static_cast<double>(total_num_frames - 1) / static_cast<double>(num_frames - 1);
    for (std::size_t i = 0; i < num_frames; ++i) {
      indices[i] =
          std::min(total_num_frames - 1, static_cast<std::size_t>(round_half_even(static_cast<double>(i) * step)));
    }
    indices.back() = total_num_frames - 1;
  }
  return indices;
}

// How many frames to take at `fps` frames a second from a video at `source_fps`: at least min_frames, at most
// max_frames and all there are. Raises InputError for rates that are not above 0.
inline std::size_t frames_at_rate(std::size_t total_num_frames, double source_fps, double fps, std::size_t min_frames,
                                  std::size_t max_frames) {
  require<InputError>(total_num_frames > 0, "a video without frames");
  require<InputError>(source_fps > 0.0 && std::isfinite(source_fps),
                      "video: expected a rate above 0 frames a second, got ", source_fps);
  require<InputError>(fps > 0.0 && std::isfinite(fps), "fps: expected a rate above 0, got ", fps);
  const double wanted = std::min(static_cast<double>(total_num_frames) / source_fps * fps, 9e15);
  return std::min({std::max(static_cast<std::size_t>(wanted), min_frames), max_frames, total_num_frames});
}

// The time of each temporal patch in seconds: the mean of its first and last frame's. The last index is repeated to
// fill the last patch.
inline std::vector<double> frame_timestamps(std::span<const std::size_t> frames_indices, double fps,
                                            std::size_t temporal_patch_size) {
  std::vector<double> out;
  for (std::size_t i = 0; i < frames_indices.size(); i += temporal_patch_size) {
    const std::size_t last = std::min(i + temporal_patch_size, frames_indices.size()) - 1;
    out.push_back((static_cast<double>(frames_indices[i]) / fps + static_cast<double>(frames_indices[last]) / fps) /
                  2.0);
  }
  return out;
}

QWEN35_END_NAMESPACE
