// SPDX-License-Identifier: Apache-2.0
// What a picture or video file may cost before it is refused.
#pragma once

#include <qwen35/core/error.hpp>

#include <cstddef>
#include <cstdint>

QWEN35_BEGIN_NAMESPACE

// Every decoder checks the header's promises against these numbers before it allocates. The peak memory of decoding one
// picture is the file, 3 bytes a pixel for the result, and the library's own: 3 for a GIF that returns to an earlier
// frame, up to 6 for a progressive JPEG, 11 for an animated WebP, about 16 for an AVIF, and the tiles or rows of a
// TIFF, of packed YCbCr with 4 more for each pixel of a strip or a row of tiles. A video file is decoded frame by
// frame; FFmpeg keeps some frames of its own, a few for each thread.
struct MediaLimits {
  std::size_t max_file_bytes = std::size_t{1} << 28;  // of a picture, which is read whole; video files are streamed
  // Width x height of one picture or frame; as many as the reference opens (Pillow's limit). A PNG of 0.5 to 1.5 MB
  // may ask for all of them, which takes 1 to 8 s (interlaced, 16 bits) and cannot be cancelled. Who takes pictures
  // from strangers sets less: a model looks at 2^24 pixels of a picture at most.
  std::size_t max_pixels = 178'956'970;
  std::size_t max_frames = 1'000'000;                       // in an animation, video or folder, before sampling
  std::size_t max_media = 1000;                             // pictures and videos of one call
  std::uint64_t max_video_pixels = std::uint64_t{1} << 34;  // all decoded frames together, of a folder or animation
};

inline constexpr std::size_t max_picture_side = std::size_t{1} << 24;  // keeps every product of sizes in 64 bits

// Raises MediaError for an empty or too large picture; see holds(). `source_name` stands first in the message.
template <class Name>
inline bool check_picture_size(std::size_t width, std::size_t height, const MediaLimits& limits,
                               const Name& source_name) {
  return holds<MediaError>(width > 0 && height > 0, source_name, ": the picture is empty (", width, " x ", height,
                           " pixels)") &&
         holds<MediaError>(width <= max_picture_side && height <= max_picture_side, source_name, ": ", width, " x ",
                           height, " pixels, the longest side is ", max_picture_side) &&
         holds<MediaError>(width * height <= limits.max_pixels, source_name, ": ", width, " x ", height,
                           " pixels, the limit is ", limits.max_pixels,
                           " in all (MediaLimits::max_pixels, --max-pixels)");
}

QWEN35_END_NAMESPACE
