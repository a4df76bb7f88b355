// SPDX-License-Identifier: Apache-2.0
// Picture files, encoded bytes and data: URLs to RGB pixels. The kind of file is told by its content.
#pragma once

#include <qwen35/core/result.hpp>
#include <qwen35/io/plain_file.hpp>
#include <qwen35/media/base64.hpp>
#include <qwen35/media/decode_avif.hpp>
#include <qwen35/media/decode_bmp.hpp>
#include <qwen35/media/decode_gif.hpp>
#include <qwen35/media/decode_jpeg.hpp>
#include <qwen35/media/decode_png.hpp>
#include <qwen35/media/decode_tiff.hpp>
#include <qwen35/media/decode_webp.hpp>

QWEN35_BEGIN_NAMESPACE

enum class ImageFormat : std::uint8_t { unknown, png, jpeg, webp, gif, bmp, tiff, avif };

namespace detail {

// Does an ISO media file name one of AVIF's brands?
inline bool has_avif_brand(std::string_view file) {
  if (file.size() < 16 || file.substr(4, 4) != "ftyp") {
    return false;
  }
  const auto byte = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(file[i])}; };
  const std::size_t size = std::min(byte(0) << 24 | byte(1) << 16 | byte(2) << 8 | byte(3), file.size());
  for (std::size_t at = 8; at + 4 <= size; at += at == 8 ? 8 : 4) {  // between the first and the others: a version
    if (file.substr(at, 4) == "avif" || file.substr(at, 4) == "avis") {
      return true;
    }
  }
  return false;
}

}  // namespace detail

inline ImageFormat image_format(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("\x89PNG\r\n\x1a\n")) {
    return ImageFormat::png;
  }
  if (text.starts_with("\xff\xd8\xff")) {
    return ImageFormat::jpeg;
  }
  if (text.starts_with("RIFF") && text.size() >= 12 && text.substr(8, 4) == "WEBP") {
    return ImageFormat::webp;
  }
  if (text.starts_with("GIF87a") || text.starts_with("GIF89a")) {
    return ImageFormat::gif;
  }
  for (const std::string_view start : {"II*\0", "MM\0*", "II+\0", "MM\0+"}) {
    if (text.substr(0, 4) == std::string_view(start.data(), 4)) {
      return ImageFormat::tiff;
    }
  }
  if (detail::has_avif_brand(text)) {
    return ImageFormat::avif;
  }
  return text.starts_with("BM") ? ImageFormat::bmp : ImageFormat::unknown;
}

// PNG, JPEG, WebP, GIF, BMP, and TIFF and AVIF where the program was built with their libraries, as upright 8-bit RGB:
// of several pictures the first, EXIF orientation applied, alpha dropped without blending, grey replicated, palettes
// looked up, 16 bits reduced to their high byte, CMYK multiplied out. Raises MediaError, starting with `source_name`.
inline Image decode_image(std::span<const std::byte> bytes, const MediaLimits& limits = {},
                          std::string_view source_name = "image") {
  if (!holds<MediaError>(bytes.size() <= limits.max_file_bytes, source_name, ": ", bytes.size(),
                         " bytes, the limit is ", limits.max_file_bytes)) {
    return {};
  }
  switch (image_format(bytes)) {
    case ImageFormat::png:
      return decode_png(bytes, limits, source_name);
    case ImageFormat::jpeg:
      return decode_jpeg(bytes, limits, source_name);
    case ImageFormat::webp:
      return decode_webp(bytes, limits, source_name);
    case ImageFormat::gif:
      return decode_gif(bytes, limits, source_name);
    case ImageFormat::bmp:
      return decode_bmp(bytes, limits, source_name);
    case ImageFormat::tiff:
      return decode_tiff(bytes, limits, source_name);
    case ImageFormat::avif:
      return decode_avif(bytes, limits, source_name);
    case ImageFormat::unknown:
      break;
  }
  decline<MediaError>(
      concat(source_name, bytes.empty() ? ": empty" : ": not a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF picture"));
  return {};
}
// The same, with what it would raise as a failure.
inline Result<Image> try_decode_image(std::span<const std::byte> bytes, const MediaLimits& limits = {},
                                      std::string_view source_name = "image") {
  return attempt([&] { return decode_image(bytes, limits, source_name); });
}

inline Image read_image(const std::string& path, const MediaLimits& limits = {}) {
  const std::vector<std::byte> bytes = read_file<MediaError>(path, limits.max_file_bytes);
  return declined() ? Image() : decode_image(bytes, limits, shortened(path));
}

// Does load_image() take `source` for a path?
inline bool is_image_path(const std::string& source) {
  return !is_data_url(source) && (!looks_like_base64(source) || path_exists(source));
}

// A path, a "data:...;base64,..." URL, or base64 alone, where no file has that name.
inline Image load_image(const std::string& source, const MediaLimits& limits = {}) {
  require_no_address(source, "picture");
  if (is_image_path(source)) {
    return read_image(source, limits);
  }
  const bool url = is_data_url(source);
  const std::string_view name = url ? "data URL" : "base64";
  if (!holds<MediaError>(source.size() / 4 * 3 <= limits.max_file_bytes, name, ": the limit is ", limits.max_file_bytes,
                         " bytes")) {
    return {};
  }
  return decode_image(url ? decode_data_url(source) : decode_base64(source, name), limits, name);
}
inline Result<Image> try_load_image(const std::string& source, const MediaLimits& limits = {}) {
  return attempt([&] { return load_image(source, limits); });
}

QWEN35_END_NAMESPACE
