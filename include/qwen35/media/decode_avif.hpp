// SPDX-License-Identifier: Apache-2.0
// AVIF through libavif (0.11 or newer); of a sequence the first picture. In a program built without libavif,
// decode_avif() says so.
#pragma once

#include <qwen35/media/exif.hpp>

#if defined(QWEN35_HAS_AVIF)
#include <memory>

#include <avif/avif.h>
#endif

QWEN35_BEGIN_NAMESPACE

#if defined(QWEN35_HAS_AVIF)

constexpr bool has_avif() {
  return true;
}

namespace detail {

struct AvifDeleter {
  void operator()(avifDecoder* decoder) const { avifDecoderDestroy(decoder); }
};

// The turns and mirrors of the file as EXIF numbers them. Where there are none XMP's counts, but not EXIF's, as in the
// reference.
inline int avif_orientation(const avifImage& image) {
  const bool mirrored = (image.transformFlags & AVIF_TRANSFORM_IMIR) != 0;
#if AVIF_VERSION >= 1000000
  const bool left_right = image.imir.axis == 1;
#else
  const bool left_right = image.imir.mode == 1;
#endif
  const int turns = (image.transformFlags & AVIF_TRANSFORM_IROT) != 0 ? image.irot.angle % 4 : 0;  // anti-clockwise
  constexpr int turned[] = {1, 8, 3, 6}, left_to_right[] = {2, 7, 4, 5}, top_to_bottom[] = {4, 5, 2, 7};
  const int out = mirrored ? (left_right ? left_to_right : top_to_bottom)[turns] : turned[turns];
  return out == 1 && image.exif.size == 0
             ? exif_orientation({}, {reinterpret_cast<const char*>(image.xmp.data), image.xmp.size})
             : out;
}

}  // namespace detail

// Raises MediaError for a damaged or too large file.
inline Image decode_avif(std::span<const std::byte> bytes, const MediaLimits& limits = {},
                         std::string_view source_name = "AVIF") {
  const std::unique_ptr<avifDecoder, detail::AvifDeleter> decoder(avifDecoderCreate());
  if (!holds<MediaError>(decoder != nullptr, source_name, ": no memory for libavif")) {
    return {};
  }
  const auto sound = [&](avifResult result) {
    return holds<MediaError>(result == AVIF_RESULT_OK, source_name, ": not a sound AVIF: ", avifResultToString(result));
  };
  // Writers leave these out, or write them wrongly; the pixels do not depend on them.
  decoder->strictFlags &= ~static_cast<avifStrictFlags>(AVIF_STRICT_PIXI_REQUIRED | AVIF_STRICT_CLAP_VALID);
  if (!sound(
          avifDecoderSetIOMemory(decoder.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size())) ||
      !sound(avifDecoderParse(decoder.get())) ||
      !check_picture_size(decoder->image->width, decoder->image->height, limits, source_name)) {
    return {};
  }
  if (limits.max_pixels < decoder->imageSizeLimit) {  // for what the coded picture says of its size
    decoder->imageSizeLimit = static_cast<std::uint32_t>(limits.max_pixels);
    if (!sound(avifDecoderReset(decoder.get()))) {
      return {};
    }
  }
  if (!sound(avifDecoderNextImage(decoder.get())) ||
      !check_picture_size(decoder->image->width, decoder->image->height, limits, source_name)) {
    return {};
  }
  const avifImage& picture = *decoder->image;
  const bool alpha = picture.alphaPlane != nullptr;
  avifRGBImage rgb;
  avifRGBImageSetDefaults(&rgb, &picture);
  rgb.format = alpha ? AVIF_RGB_FORMAT_RGBA : AVIF_RGB_FORMAT_RGB;
  rgb.depth = 8;
  Image image(picture.width, picture.height);
  std::vector<std::uint8_t> with_alpha(alpha ? image.width() * image.height() * 4 : 0);
  rgb.pixels = alpha ? with_alpha.data() : image.pixels().data();
  rgb.rowBytes = picture.width * (alpha ? 4 : 3);
  if (!sound(avifImageYUVToRGB(&picture, &rgb))) {
    return {};
  }
  for (std::size_t y = 0; alpha && y < image.height(); ++y) {
    row_to_rgb(with_alpha.data() + y * image.width() * 4, image.row(y), image.width(), PixelFormat::rgba);
  }
  return upright(std::move(image), detail::avif_orientation(picture));
}

#else

constexpr bool has_avif() {
  return false;
}

inline Image decode_avif(std::span<const std::byte>, const MediaLimits& = {}, std::string_view source_name = "AVIF") {
  decline<MediaError>(concat(source_name,
                             ": this program was built without libavif, which reads AVIF pictures: install libavif-dev "
                             "and build it again"));
  return {};
}

#endif

QWEN35_END_NAMESPACE
