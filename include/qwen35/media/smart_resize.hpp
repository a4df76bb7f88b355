// SPDX-License-Identifier: Apache-2.0
// The size that a picture or video is brought to before it is cut into patches.
#pragma once

#include <qwen35/media/image_size.hpp>
#include <qwen35/media/limits.hpp>

#include <algorithm>
#include <cmath>

QWEN35_BEGIN_NAMESPACE

// What one picture or clip (all its frames) may be brought to: as many patches as the published models' whole context
// holds, 262144 x 32 x 32 pixels.
inline constexpr std::size_t max_resized_pixels = std::size_t{1} << 28;

// To the nearest integer, halves to the even one, whatever the rounding mode of the process is.
inline double round_half_even(double value) {
  const double below = std::floor(value);
  const double part = value - below;
  const bool up = part > 0.5 || (part == 0.5 && std::fmod(below, 2.0) != 0.0);
  return up ? below + 1.0 : below;
}

namespace detail {

inline void check_aspect(ImageSize size) {
  const auto [width, height] = size;
  require<MediaError>(height > 0 && width > 0 && height <= max_picture_side && width <= max_picture_side, "picture of ",
                      width, " x ", height, " pixels, expected sides from 1 to ", max_picture_side);
  const double ratio = static_cast<double>(std::max(height, width)) / static_cast<double>(std::min(height, width));
  require<MediaError>(ratio <= 200.0, "picture of ", width, " x ", height, " pixels: one side is ", ratio,
                      " times the other, the limit is 200");
}

// The rule shared by pictures and videos, in float64 and the reference's order of evaluation. `area` is the clip's
// number of values frames x height x width; the comparison uses the padded number of frames.
inline ImageSize fit_area(ImageSize size, std::size_t factor, double frames, double padded_frames, double min_pixels,
                          double max_pixels) {
  const auto h = static_cast<double>(size.height), w = static_cast<double>(size.width), f = static_cast<double>(factor);
  double h_bar = round_half_even(h / f) * f;
  double w_bar = round_half_even(w / f) * f;
  if (padded_frames * h_bar * w_bar > max_pixels) {
    const double beta = std::sqrt((frames * h * w) / max_pixels);
    h_bar = std::max(f, std::floor(h / beta / f) * f);
    w_bar = std::max(f, std::floor(w / beta / f) * f);
  } else if (padded_frames * h_bar * w_bar < min_pixels) {
    const double beta = std::sqrt(min_pixels / (frames * h * w));
    h_bar = std::ceil(h * beta / f) * f;
    w_bar = std::ceil(w * beta / f) * f;
  }
  const auto most = static_cast<double>(max_resized_pixels);
  require<MediaError>(h_bar > 0 && w_bar > 0 && padded_frames * h_bar * w_bar <= most, "picture of ", size.width, " x ",
                      size.height, " pixels cannot be brought to an area from ", min_pixels, " to ",
                      std::min(max_pixels, most), " in multiples of ", factor);
  return {static_cast<std::size_t>(w_bar), static_cast<std::size_t>(h_bar)};
}

}  // namespace detail

// Sides that are multiples of `factor`, an area from min_pixels to max_pixels, and nearly the aspect ratio of the
// picture. Small pictures grow. Raises MediaError when one side is over 200 times the other. (reference: smart_resize
// of the image processor)
inline ImageSize smart_resize(ImageSize size, std::size_t factor, std::size_t min_pixels, std::size_t max_pixels) {
  detail::check_aspect(size);
  return detail::fit_area(size, factor, 1.0, 1.0, static_cast<double>(min_pixels), static_cast<double>(max_pixels));
}

// The same for a clip: the area is that of all frames together. Raises MediaError also when a side is below `factor`.
// (reference: smart_resize of the video processor; the scale uses num_frames, the comparison the number padded to
// temporal_factor)
inline ImageSize smart_resize_video(std::size_t num_frames, ImageSize size, std::size_t temporal_factor,
                                    std::size_t factor, std::size_t min_pixels, std::size_t max_pixels) {
  require<MediaError>(num_frames > 0, "a video without frames");
  require<MediaError>(size.height >= factor && size.width >= factor, "video of ", size.width, " x ", size.height,
                      " pixels: each side must be at least ", factor);
  detail::check_aspect(size);
  const std::size_t padded = (num_frames + temporal_factor - 1) / temporal_factor * temporal_factor;
  return detail::fit_area(size, factor, static_cast<double>(num_frames), static_cast<double>(padded),
                          static_cast<double>(min_pixels), static_cast<double>(max_pixels));
}

QWEN35_END_NAMESPACE
