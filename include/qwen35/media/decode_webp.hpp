// SPDX-License-Identifier: Apache-2.0
// WebP through libwebp; of an animation the first frame.
#pragma once

#include <qwen35/media/exif.hpp>

#include <memory>

#include <webp/decode.h>
#include <webp/demux.h>

QWEN35_BEGIN_NAMESPACE

namespace detail {

struct WebpDeleter {
  void operator()(WebPAnimDecoder* decoder) const { WebPAnimDecoderDelete(decoder); }
};

// Of the chunks that an extended file announces in its first one. (libwebp's own reader of chunks does not tell damage
// from a lack of memory.)
inline int webp_orientation(std::string_view file) {
  constexpr std::size_t riff = 12, head = 8;  // bytes of the file's header and of a chunk's
  constexpr unsigned exif_flag = 8, xmp_flag = 4;
  if (file.size() <= riff + head || file.substr(riff, 4) != "VP8X") {
    return 1;
  }
  const auto byte = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(file[i])}; };
  const std::size_t flags = byte(riff + head);
  std::string_view exif, xmp;
  for (std::size_t at = riff; at + head <= file.size();) {
    const std::size_t size = byte(at + 4) | byte(at + 5) << 8 | byte(at + 6) << 16 | byte(at + 7) << 24;
    const std::string_view kind = file.substr(at, 4), data = file.substr(at + head, size);
    if (kind == "EXIF" && (flags & exif_flag) != 0 && exif.empty()) {
      exif = data;
    } else if (kind == "XMP " && (flags & xmp_flag) != 0 && xmp.empty()) {
      xmp = data;
    }
    at += head + size + size % 2;
  }
  return exif_orientation({reinterpret_cast<const std::uint8_t*>(exif.data()), exif.size()}, xmp);
}

}  // namespace detail

// Raises MediaError for a damaged or too large file.
inline Image decode_webp(std::span<const std::byte> bytes, const MediaLimits& limits = {},
                         std::string_view source_name = "WebP") {
  const WebPData data{reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
  WebPBitstreamFeatures features;
  const auto sound = [&](bool condition, std::string_view otherwise) {
    return holds<MediaError>(condition, source_name, ": not a sound WebP: ", otherwise);
  };
  if (!sound(WebPGetFeatures(data.bytes, data.size, &features) == VP8_STATUS_OK, "its header is damaged") ||
      !sound(features.width > 0 && features.height > 0, "it has no size") ||
      !check_picture_size(static_cast<std::size_t>(features.width), static_cast<std::size_t>(features.height), limits,
                          source_name)) {
    return {};
  }
  Image image(static_cast<std::size_t>(features.width), static_cast<std::size_t>(features.height));
  if (features.has_animation == 0) {
    const int stride = features.width * 3;
    if (!sound(
            WebPDecodeRGBInto(data.bytes, data.size, image.pixels().data(), image.pixels().size(), stride) != nullptr,
            "its pixels are damaged or cut off")) {
      return {};
    }
  } else {
    WebPAnimDecoderOptions options;
    WebPAnimDecoderOptionsInit(&options);
    options.color_mode = MODE_RGBA;
    const std::unique_ptr<WebPAnimDecoder, detail::WebpDeleter> decoder(WebPAnimDecoderNew(&data, &options));
    std::uint8_t* frame = nullptr;
    int time = 0;
    if (!sound(decoder != nullptr && WebPAnimDecoderGetNext(decoder.get(), &frame, &time) != 0,
               "its first frame is damaged or cut off")) {
      return {};
    }
    image = Image(PixelView{frame, image.width(), image.height(), PixelFormat::rgba});
  }
  return upright(std::move(image),
                 detail::webp_orientation({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
}

QWEN35_END_NAMESPACE
