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
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
  void operator()(WebPAnimDecoder* decoder) const { WebPAnimDecoderDelete(decoder); }
};

inline int webp_orientation(const WebPData& data) {
  const std::unique_ptr<WebPDemuxer, WebpDeleter> demuxer(WebPDemux(&data));
  if (demuxer == nullptr) {
    return 1;
  }
  WebPChunkIterator exif, xmp;  // views into the file
  const bool has_exif = WebPDemuxGetChunk(demuxer.get(), "EXIF", 1, &exif) != 0;
  const bool has_xmp = WebPDemuxGetChunk(demuxer.get(), "XMP ", 1, &xmp) != 0;
  const int orientation = exif_orientation(
      has_exif ? std::span(exif.chunk.bytes, exif.chunk.size) : std::span<const std::uint8_t>(),
      has_xmp ? std::string_view(reinterpret_cast<const char*>(xmp.chunk.bytes), xmp.chunk.size) : std::string_view());
  if (has_exif) {
    WebPDemuxReleaseChunkIterator(&exif);
  }
  if (has_xmp) {
    WebPDemuxReleaseChunkIterator(&xmp);
  }
  return orientation;
}

}  // namespace detail

// Raises MediaError for a damaged or too large file.
inline Image decode_webp(std::span<const std::byte> bytes, const MediaLimits& limits = {},
                         std::string_view source_name = "WebP") {
  const WebPData data{reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
  WebPBitstreamFeatures features;
  require<MediaError>(WebPGetFeatures(data.bytes, data.size, &features) == VP8_STATUS_OK, source_name,
                      ": not a sound WebP: its header is damaged");
  require<MediaError>(features.width > 0 && features.height > 0, source_name, ": not a sound WebP: it has no size");
  check_picture_size(static_cast<std::size_t>(features.width), static_cast<std::size_t>(features.height), limits,
                     source_name);
  Image image(static_cast<std::size_t>(features.width), static_cast<std::size_t>(features.height));
  if (features.has_animation == 0) {
    const int stride = features.width * 3;
    require<MediaError>(
        WebPDecodeRGBInto(data.bytes, data.size, image.pixels().data(), image.pixels().size(), stride) != nullptr,
        source_name, ": not a sound WebP: its pixels are damaged or cut off");
  } else {
    WebPAnimDecoderOptions options;
    WebPAnimDecoderOptionsInit(&options);
    options.color_mode = MODE_RGBA;
    const std::unique_ptr<WebPAnimDecoder, detail::WebpDeleter> decoder(WebPAnimDecoderNew(&data, &options));
    std::uint8_t* frame = nullptr;
    int time = 0;
    require<MediaError>(decoder != nullptr && WebPAnimDecoderGetNext(decoder.get(), &frame, &time) != 0, source_name,
                        ": not a sound WebP: its first frame is damaged or cut off");
    image = Image(PixelView{frame, image.width(), image.height(), PixelFormat::rgba});
  }
  return upright(std::move(image), detail::webp_orientation(data));
}

QWEN35_END_NAMESPACE
