// SPDX-License-Identifier: Apache-2.0
// Pixels to normalised patch rows.
#pragma once

#include <qwen35/media/image.hpp>
#include <qwen35/media/preprocessor_config.hpp>
#include <qwen35/media/resize.hpp>

#include <array>
#include <cstring>

QWEN35_BEGIN_NAMESPACE

// value -> rescaled and normalised value, for each channel: 8-bit pixels have only 256 of them. In fp32 and the
// reference's order: with both steps (x - mean / scale) / (std / scale), else x * scale, (x - mean) / std, or x itself.
class PixelTable {
 public:
  explicit PixelTable(const PreprocessorConfig& config) {
    const bool fused = config.do_rescale && config.do_normalize;
    const auto factor = static_cast<float>(1.0 / config.rescale_factor);
    for (std::size_t c = 0; c < 3; ++c) {
      const float mean = static_cast<float>(config.image_mean[c]) * (fused ? factor : 1.0f);
      const float deviation = static_cast<float>(config.image_std[c]) * (fused ? factor : 1.0f);
      for (std::size_t v = 0; v < 256; ++v) {
        float value = static_cast<float>(v);
        if (config.do_normalize) {
          value = (value - mean) / deviation;
        } else if (config.do_rescale) {
          value *= static_cast<float>(config.rescale_factor);
        }
        values_[c][v] = value;
      }
    }
  }
  const float* channel(std::size_t c) const { return values_[c].data(); }

 private:
  std::array<std::array<float, 256>, 3> values_;
};

// The layout of the patch rows of a clip whose frames are of `size`, both sides multiples of patch x merge.
// Rows run over (temporal patch, block row, block column, row in block, column in block): the merge x merge patches of
// a block follow each other. A row holds (channel, frame of the temporal patch, y, x).
struct PatchLayout {
  std::size_t patch_size = 16;
  std::size_t temporal_patch_size = 2;
  std::size_t merge_size = 2;
  ImageSize size{};

  std::size_t grid_h() const { return size.height / patch_size; }
  std::size_t grid_w() const { return size.width / patch_size; }
  std::size_t rows() const { return grid_h() * grid_w(); }  // of one temporal patch
  std::size_t row_size() const { return 3 * temporal_patch_size * patch_size * patch_size; }
};

// Writes a picture into its places in the rows of one temporal patch, `rows` [grid_h x grid_w, row_size]: as the frames
// first_frame to last_frame (exclusive) of it. The picture must have the layout's size.
inline void write_patches(const PixelView& image, const PatchLayout& layout, const PixelTable& table,
                          std::size_t first_frame, std::size_t last_frame, float* rows) {
  require<InputError>(image.size() == layout.size, "patches: a picture of ", image.width, " x ", image.height,
                      " pixels, expected ", layout.size.width, " x ", layout.size.height);
  const std::size_t p = layout.patch_size, merge = layout.merge_size, grid_w = layout.grid_w();
  const std::size_t step = bytes_per_pixel(image.format);
  const bool grey = image.format == PixelFormat::grey;
  const bool swapped = image.format == PixelFormat::bgr || image.format == PixelFormat::bgra;
  const std::size_t place[3] = {swapped ? 2u : 0u, grey ? 0u : 1u, grey || swapped ? 0u : 2u};
  parallel_ranges(layout.grid_h(), merge, [&](std::size_t begin, std::size_t end) {
    for (std::size_t gy = begin; gy < end; ++gy) {
      for (std::size_t gx = 0; gx < grid_w; ++gx) {
        const std::size_t index =
            (gy / merge) * merge * grid_w + (gx / merge) * merge * merge + (gy % merge) * merge + gx % merge;
        float* const row = rows + index * layout.row_size();
        for (std::size_t c = 0; c < 3; ++c) {
          const float* const values = table.channel(c);
          float* const plane = row + (c * layout.temporal_patch_size + first_frame) * p * p;
          for (std::size_t y = 0; y < p; ++y) {
            const std::uint8_t* const in = image.row(gy * p + y) + gx * p * step + place[c];
            for (std::size_t x = 0; x < p; ++x) {
              plane[y * p + x] = values[in[x * step]];
            }
          }
          for (std::size_t frame = first_frame + 1; frame < last_frame; ++frame) {
            std::memcpy(plane + (frame - first_frame) * p * p, plane, p * p * sizeof(float));
          }
        }
      }
    }
  });
}

// The same for a picture of any size, brought to the layout's: a strip of patches at a time, as the resized picture as
// a whole would cost more time for its memory pages than for its pixels.
inline void resize_to_patches(const PixelView& image, const PatchLayout& layout, const PixelTable& table,
                              std::size_t first_frame, std::size_t last_frame, float* rows) {
  if (image.size() == layout.size) {
    write_patches(image, layout, table, first_frame, last_frame, rows);
    return;
  }
  const BicubicRows resized(image, layout.size);
  PatchLayout strip_layout = layout;
  strip_layout.size.height = layout.patch_size * layout.merge_size;
  parallel_ranges(layout.size.height / strip_layout.size.height, 1, [&](std::size_t begin, std::size_t end) {
    Image strip(layout.size.width, strip_layout.size.height);
    for (std::size_t i = begin; i < end; ++i) {
      for (std::size_t y = 0; y < strip.height(); ++y) {
        resized.row(i * strip.height() + y, strip.row(y));
      }
      write_patches(strip, strip_layout, table, first_frame, last_frame,
                    rows + i * strip_layout.rows() * layout.row_size());
    }
  });
}

QWEN35_END_NAMESPACE
