// SPDX-License-Identifier: Apache-2.0
// What calls of the image and of the video processor do alike with their options.
#pragma once

#include <qwen35/core/log.hpp>
#include <qwen35/media/image_size.hpp>
#include <qwen35/media/preprocessor_config.hpp>

QWEN35_BEGIN_NAMESPACE

// The settings with what a call changes of them. Raises InputError for areas of 0.
template <class Config, class Options>
Config with_options(Config config, const Options& options) {
  config.size = options.size.value_or(config.size);
  config.size.shortest_edge = options.min_pixels.value_or(config.size.shortest_edge);
  config.size.longest_edge = options.max_pixels.value_or(config.size.longest_edge);
  config.do_resize = options.do_resize.value_or(config.do_resize);
  config.do_rescale = options.do_rescale.value_or(config.do_rescale);
  config.do_normalize = options.do_normalize.value_or(config.do_normalize);
  require<InputError>(config.size.shortest_edge > 0 && config.size.longest_edge > 0,
                      "size, min_pixels, max_pixels: expected areas above 0");
  return config;
}

// Logs a warning where a call's own least area is above its greatest.
template <class Options>
void warn_of_areas(const Options& options) {
  const auto warn = [](std::size_t least, std::size_t greatest) {
    if (least > greatest) {
      log_warning("min_pixels ", least, " is above max_pixels ", greatest,
                  ": small pictures grow to the one, large ones shrink to the other");
    }
  };
  if (options.size) {
    warn(options.min_pixels.value_or(options.size->shortest_edge),
         options.max_pixels.value_or(options.size->longest_edge));
  } else if (options.min_pixels && options.max_pixels) {
    warn(*options.min_pixels, *options.max_pixels);
  }
}

// Raises MediaError for a picture that cannot be cut into whole tokens as it is.
inline void check_unresized(ImageSize size, std::size_t factor) {
  const auto [width, height] = size;
  require<MediaError>(width > 0 && height > 0 && width % factor == 0 && height % factor == 0, "picture of ", width,
                      " x ", height, " pixels without resizing: each side must be a multiple of ", factor);
}

QWEN35_END_NAMESPACE
