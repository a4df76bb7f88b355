// SPDX-License-Identifier: Apache-2.0
// The orientation that a camera wrote into a picture's EXIF or XMP data, and turning the picture accordingly.
#pragma once

#include <qwen35/media/image.hpp>

#include <cstring>
#include <string_view>
#include <utility>

QWEN35_BEGIN_NAMESPACE

namespace detail {

// 0 when there is none.
inline int exif_tag(std::span<const std::uint8_t> exif) {
  if (exif.size() < 8 || exif[0] != exif[1] || (exif[0] != 'I' && exif[0] != 'M')) {
    return 0;
  }
  const bool little = exif[0] == 'I';
  const auto u16 = [&](std::size_t at) {
    return static_cast<std::size_t>(little ? exif[at] | exif[at + 1] << 8 : exif[at] << 8 | exif[at + 1]);
  };
  const auto u32 = [&](std::size_t at) { return little ? u16(at) | u16(at + 2) << 16 : u16(at) << 16 | u16(at + 2); };
  const std::size_t directory = u32(4);
  if (u16(2) != 42 || directory > exif.size() - 2) {
    return 0;
  }
  const std::size_t entries = u16(directory);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t at = directory + 2 + i * 12;
    if (exif.size() < 12 || at > exif.size() - 12) {
      return 0;
    }
    if (u16(at) == 0x0112) {
      const std::size_t type = u16(at + 2);
      const std::size_t value = type == 3 ? u16(at + 8) : type == 4 ? u32(at + 8) : 1;
      return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
    }
  }
  return 0;
}

// As the reference reads it: the first `tiff:Orientation="N` or `tiff:Orientation>N`.
inline int xmp_orientation(std::string_view xmp) {
  constexpr std::string_view name = "tiff:Orientation";
  for (std::size_t at = xmp.find(name); at != std::string_view::npos; at = xmp.find(name, at + 1)) {
    std::string_view rest = xmp.substr(at + name.size());
    const std::size_t skipped = rest.starts_with("=\"") ? 2 : rest.starts_with(">") ? 1 : 0;
    rest.remove_prefix(skipped);
    if (skipped > 0 && !rest.empty() && rest[0] >= '0' && rest[0] <= '9') {
      return rest[0] >= '1' && rest[0] <= '8' ? rest[0] - '0' : 1;
    }
  }
  return 1;
}

}  // namespace detail

// The orientation tag, 1 to 8, in the first directory of EXIF data ("Exif\0\0" before the TIFF header may be there,
// once or twice, or not), else that of XMP data. 1, upright, when there is none or the data is damaged: a camera's
// notes are no reason to refuse its picture.
inline int exif_orientation(std::span<const std::uint8_t> exif, std::string_view xmp = {}) {
  constexpr std::string_view mark("Exif\0\0", 6);
  for (int i = 0; i < 2 && exif.size() >= mark.size() && std::memcmp(exif.data(), mark.data(), mark.size()) == 0; ++i) {
    exif = exif.subspan(mark.size());
  }
  const int tag = detail::exif_tag(exif);
  return tag != 0 ? tag : detail::xmp_orientation(xmp);
}

// The picture turned and mirrored so that it stands upright. (EXIF 2.3, tag 0x0112; reference: ImageOps.exif_transpose)
inline Image upright(Image image, int orientation) {
  if (orientation <= 1 || orientation > 8) {
    return image;
  }
  const bool swap = orientation >= 5;  // rows become columns
  const bool flip_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;  // in the source
  const bool flip_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Image out(swap ? image.height() : image.width(), swap ? image.width() : image.height());
  for (std::size_t y = 0; y < out.height(); ++y) {
    std::uint8_t* to = out.row(y);
    for (std::size_t x = 0; x < out.width(); ++x, to += 3) {
      std::size_t from_x = swap ? y : x, from_y = swap ? x : y;
      from_x = flip_x ? image.width() - 1 - from_x : from_x;
      from_y = flip_y ? image.height() - 1 - from_y : from_y;
      std::memcpy(to, image.row(from_y) + from_x * 3, 3);
    }
  }
  return out;
}

QWEN35_END_NAMESPACE
