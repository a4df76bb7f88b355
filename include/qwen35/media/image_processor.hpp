// SPDX-License-Identifier: Apache-2.0
// Pictures to the vision tower's input: resized, normalised, cut into patches.
#pragma once

#include <qwen35/core/lifetime.hpp>
#include <qwen35/core/tensor.hpp>
#include <qwen35/media/patches.hpp>
#include <qwen35/media/preprocessor_options.hpp>
#include <qwen35/media/smart_resize.hpp>

#include <optional>

QWEN35_BEGIN_NAMESPACE

// What a call may change of the processor's settings. (In the reference min_pixels or max_pixels alone is ignored; here
// each counts.)
struct ImageOptions {
  std::optional<PixelArea> size{};
  std::optional<std::size_t> min_pixels{};  // wins over size
  std::optional<std::size_t> max_pixels{};
  std::optional<bool> do_resize{};  // false: sides must be multiples of patch_size x merge_size already
  std::optional<bool> do_rescale{};
  std::optional<bool> do_normalize{};
};

struct ImageInputs {
  Tensor<float> pixel_values;           // [patches of all pictures, 3 * temporal_patch_size * patch_size^2]
  Tensor<std::int64_t> image_grid_thw;  // [pictures, 3]: frames / temporal_patch_size (1), height and width in patches
};

// Immutable; may be shared between threads.
class ImageProcessor {
 public:
  ImageProcessor() = default;  // the published models' settings
  // Raises ConfigError for settings that cannot work.
  explicit ImageProcessor(const ImageProcessorConfig& config) : config_(config) { config_.check("image processor"); }
  static ImageProcessor from_pretrained(const ModelFolder& files) {
    return ImageProcessor(ImageProcessorConfig::from_pretrained(files));
  }

  const ImageProcessorConfig& config() const QWEN35_LIFETIMEBOUND { return config_; }

  // The size that a picture of this size is brought to. Raises MediaError for an aspect ratio above 200.
  ImageSize resized_size(ImageSize size, const ImageOptions& options = {}) const {
    const ImageProcessorConfig config = with_options(config_, options);
    if (config.do_resize) {
      return smart_resize(size, config.factor(), config.size.shortest_edge, config.size.longest_edge);
    }
    check_unresized(size, config.factor());
    return size;
  }
  std::size_t get_number_of_image_patches(ImageSize size, const ImageOptions& options = {}) const {
    const ImageSize resized = resized_size(size, options);
    return (resized.height / config_.patch_size) * (resized.width / config_.patch_size);
  }
  // What a picture costs in the text: its number of placeholder tokens.
  std::size_t image_tokens(ImageSize size, const ImageOptions& options = {}) const {
    return get_number_of_image_patches(size, options) / (config_.merge_size * config_.merge_size);
  }

  // Raises MediaError for a picture that cannot be resized, InputError for pixels that contradict each other.
  ImageInputs preprocess(std::span<const PixelView> images, const ImageOptions& options = {}) const {
    const ImageProcessorConfig config = with_options(config_, options);
    warn_of_areas(options);
    std::vector<PatchLayout> layouts;
    std::size_t rows = 0;
    for (const PixelView& image : images) {
      check_pixels(image);
      layouts.push_back(
          {config.patch_size, config.temporal_patch_size, config.merge_size, resized_size(image.size(), options)});
      rows += layouts.back().rows();
    }
    const PatchLayout layout{config.patch_size, config.temporal_patch_size, config.merge_size, {}};
    ImageInputs out{Tensor<float>({rows, layout.row_size()}), Tensor<std::int64_t>({images.size(), 3})};
    const PixelTable table(config);
    float* target = out.pixel_values.data();
    for (std::size_t i = 0; i < images.size(); ++i) {
      const PatchLayout& l = layouts[i];
      resize_to_patches(images[i], l, table, 0, l.temporal_patch_size, target);
      target += l.rows() * l.row_size();
      out.image_grid_thw.row(i)[0] = 1;
      out.image_grid_thw.row(i)[1] = static_cast<std::int64_t>(l.grid_h());
      out.image_grid_thw.row(i)[2] = static_cast<std::int64_t>(l.grid_w());
    }
    return out;
  }
  ImageInputs preprocess(std::span<const Image> images, const ImageOptions& options = {}) const {
    const std::vector<PixelView> views(images.begin(), images.end());
    return preprocess(std::span<const PixelView>(views), options);
  }
  ImageInputs preprocess(const PixelView& image, const ImageOptions& options = {}) const {
    return preprocess(std::span(&image, 1), options);
  }

 private:
  ImageProcessorConfig config_;
};

QWEN35_END_NAMESPACE
