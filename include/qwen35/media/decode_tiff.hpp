// SPDX-License-Identifier: Apache-2.0
// TIFF through libtiff (4.5 or newer): its first picture. In a program built without libtiff, decode_tiff() says so.
#pragma once

#include <qwen35/media/exif.hpp>
#include <qwen35/media/tiff_samples.hpp>

#if defined(QWEN35_HAS_TIFF)
#include <cstdarg>
#include <cstdio>
#include <limits>
#include <memory>

#include <tiffio.h>
#endif

QWEN35_BEGIN_NAMESPACE

#if defined(QWEN35_HAS_TIFF)

constexpr bool has_tiff() {
  return true;
}

namespace detail {

// The file as libtiff reads it, and what it says of it.
struct TiffSource {
  std::span<const std::byte> bytes;
  std::uint64_t offset = 0;
  char message[160] = "damaged";
};

inline TiffSource& tiff_source(thandle_t handle) {
  return *static_cast<TiffSource*>(handle);
}
inline tmsize_t tiff_on_read(thandle_t handle, void* out, tmsize_t count) {
  TiffSource& source = tiff_source(handle);
  const std::uint64_t size = source.bytes.size(), left = size - std::min(source.offset, size);
  const auto take = static_cast<std::size_t>(std::min(left, static_cast<std::uint64_t>(std::max<tmsize_t>(count, 0))));
  std::copy_n(source.bytes.begin() + static_cast<std::ptrdiff_t>(size - left), take, static_cast<std::byte*>(out));
  source.offset += take;
  return static_cast<tmsize_t>(take);
}
inline tmsize_t tiff_on_write(thandle_t, void*, tmsize_t) {
  return 0;
}
inline toff_t tiff_on_seek(thandle_t handle, toff_t offset, int from) {
  TiffSource& source = tiff_source(handle);
  source.offset = offset + (from == SEEK_CUR ? source.offset : from == SEEK_END ? source.bytes.size() : 0);
  return source.offset;
}
inline int tiff_on_close(thandle_t) {
  return 0;
}
inline toff_t tiff_on_size(thandle_t handle) {
  return tiff_source(handle).bytes.size();
}
// 1: the process's own handlers, which print, are not asked.
inline int tiff_on_error(TIFF*, void* source, const char*, const char* format, va_list arguments) {
  char* const message = static_cast<TiffSource*>(source)->message;
  std::vsnprintf(message, sizeof(TiffSource::message), format, arguments);
  return 1;
}
inline int tiff_on_warning(TIFF*, void*, const char*, const char*, va_list) {
  return 1;
}

struct TiffCloser {
  void operator()(TIFF* file) const { TIFFClose(file); }
  void operator()(TIFFOpenOptions* options) const { TIFFOpenOptionsFree(options); }
  void operator()(TIFFRGBAImage* converter) const { TIFFRGBAImageEnd(converter); }
};

class TiffReader {
 public:
  TiffReader(std::span<const std::byte> bytes, const MediaLimits& limits, std::string_view name)
      : limits_(limits), name_(name) {
    source_.bytes = bytes;
    const std::unique_ptr<TIFFOpenOptions, TiffCloser> options(TIFFOpenOptionsAlloc());
    if (!expect(options != nullptr, "no memory")) {
      return;
    }
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), tiff_on_error, &source_);
    TIFFOpenOptionsSetWarningHandlerExtR(options.get(), tiff_on_warning, &source_);
    const std::size_t most = std::min<std::size_t>(limits.max_pixels, max_picture_side * 16) * 16 + bytes.size();
    TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), static_cast<tmsize_t>(most));
    file_.reset(TIFFClientOpenExt("TIFF", "rm", &source_, tiff_on_read, tiff_on_write, tiff_on_seek, tiff_on_close,
                                  tiff_on_size, nullptr, nullptr, options.get()));
    expect(file_ != nullptr, source_.message);
  }
  TiffReader(const TiffReader&) = delete;  // libtiff keeps the address of source_
  TiffReader& operator=(const TiffReader&) = delete;

  Image read() {
    std::uint32_t width = 0, height = 0;
    if (declined() ||  // by the constructor
        !expect(get(TIFFTAG_IMAGEWIDTH, width) && get(TIFFTAG_IMAGELENGTH, height), "it has no size") ||
        !check_picture_size(width, height, limits_, name_)) {
      return {};
    }
    if (is_packed_ycbcr()) {
      Image image(width, height);
      read_converted(image);
      return declined() ? Image() : upright(std::move(image), orientation());
    }
    const TiffLayout layout = read_layout();
    if (declined()) {
      return {};
    }
    Image image(width, height);
    for (std::size_t plane = 0; plane < (layout.separate ? layout.used() : 1) && !declined(); ++plane) {
      if (TIFFIsTiled(file_.get()) != 0) {
        read_tiles(layout, plane, image);
      } else {
        read_rows(layout, plane, image);
      }
    }
    return upright(std::move(image), orientation());
  }

 private:
  bool expect(bool condition, const char* problem) const {
    return holds<MediaError>(condition, name_, ": not a sound TIFF: ", problem);
  }
  bool support(bool condition, const char* what, unsigned value) const {
    return holds<MediaError>(condition, name_, ": a TIFF of a kind that is not read: ", what, " ", value);
  }
  template <class T>
  bool get(std::uint32_t tag, T& value) const {
    return TIFFGetField(file_.get(), tag, &value) != 0;
  }
  std::uint16_t number(std::uint32_t tag, std::uint16_t otherwise) const {
    std::uint16_t value = otherwise;
    return TIFFGetFieldDefaulted(file_.get(), tag, &value) != 0 ? value : otherwise;
  }

  // libtiff converts the colours of these, as in the reference.
  bool is_packed_ycbcr() const {
    const std::uint16_t packing = number(TIFFTAG_COMPRESSION, COMPRESSION_NONE);
    const bool one_plane = number(TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) == PLANARCONFIG_CONTIG;
    return packing == COMPRESSION_OJPEG || (number(TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE) == PHOTOMETRIC_YCBCR &&
                                            packing != COMPRESSION_NONE && !(packing == COMPRESSION_JPEG && one_plane));
  }

  void read_converted(Image& image) {
    TIFFRGBAImage converter;
    char problem[1024] = "";
    if (!expect(
            TIFFRGBAImageOK(file_.get(), problem) != 0 && TIFFRGBAImageBegin(&converter, file_.get(), 1, problem) != 0,
            problem)) {
      return;
    }
    const std::unique_ptr<TIFFRGBAImage, TiffCloser> closer(&converter);
    converter.req_orientation = converter.orientation;  // rows as they are stored
    const auto height = static_cast<std::uint32_t>(image.height());
    std::uint32_t rows = 0, width = static_cast<std::uint32_t>(image.width());
    if (TIFFIsTiled(file_.get()) != 0) {
      const ImageSize tile = tile_size();
      if (declined()) {
        return;
      }
      // Whole tiles: libtiff 4.5 loses its place in those of 4 x 4 pixels a colour that are cut at the right.
      width = static_cast<std::uint32_t>((width + tile.width - 1) / tile.width * tile.width);
      converter.width = width;
      rows = static_cast<std::uint32_t>(tile.height);
    } else if (!get(TIFFTAG_ROWSPERSTRIP, rows) || rows == 0) {
      rows = height;
    }
    rows = std::min(rows, height);
    std::vector<std::uint32_t> pixels(std::size_t{width} * rows);
    for (std::uint32_t top = 0; top < height; top += rows) {
      const std::uint32_t count = std::min(rows, height - top);
      converter.row_offset = static_cast<int>(top);
      if (!expect(TIFFRGBAImageGet(&converter, pixels.data(), width, count) != 0, source_.message)) {
        return;
      }
      for (std::size_t y = 0; y < count; ++y) {
        std::uint8_t* out = image.row(top + y);
        for (std::size_t x = 0; x < image.width(); ++x, out += 3) {
          const std::uint32_t pixel = pixels[y * width + x];
          out[0] = static_cast<std::uint8_t>(TIFFGetR(pixel));
          out[1] = static_cast<std::uint8_t>(TIFFGetG(pixel));
          out[2] = static_cast<std::uint8_t>(TIFFGetB(pixel));
        }
      }
    }
  }

  TiffLayout read_layout() {
    using Colour = TiffLayout::Colour;
    using Sample = TiffLayout::Sample;
    TiffLayout out;
    out.bits = number(TIFFTAG_BITSPERSAMPLE, 1);
    out.samples = number(TIFFTAG_SAMPLESPERPIXEL, 1);
    out.separate = out.samples > 1 && number(TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) == PLANARCONFIG_SEPARATE;
    std::uint16_t photometric = PHOTOMETRIC_MINISWHITE;  // of a file that does not say it
    expect(get(TIFFTAG_PHOTOMETRIC, photometric) || out.samples == 1, "it does not say what its samples mean");
    const bool ycbcr = photometric == PHOTOMETRIC_YCBCR;
    // libjpeg makes RGB of it.
    const bool jpeg = ycbcr && number(TIFFTAG_COMPRESSION, COMPRESSION_NONE) == COMPRESSION_JPEG &&
                      TIFFSetField(file_.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB) != 0;
    support(photometric != PHOTOMETRIC_CIELAB, "CIELAB colours, photometric interpretation", photometric);
    support(ycbcr || photometric == PHOTOMETRIC_MINISWHITE || photometric == PHOTOMETRIC_MINISBLACK ||
                photometric == PHOTOMETRIC_RGB || photometric == PHOTOMETRIC_PALETTE ||
                photometric == PHOTOMETRIC_SEPARATED,
            "photometric interpretation", photometric);
    out.colour = jpeg || photometric == PHOTOMETRIC_RGB ? Colour::rgb
                 : ycbcr                                ? Colour::ycbcr
                 : photometric == PHOTOMETRIC_PALETTE   ? Colour::palette
                 : photometric == PHOTOMETRIC_SEPARATED ? Colour::cmyk
                                                        : Colour::grey;
    const std::size_t colours = out.used();
    expect(out.samples >= colours, "too few samples for its colours");
    support(out.samples <= 8, "samples", static_cast<unsigned>(out.samples));
    const unsigned bits = out.bits, format = number(TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
    const bool one = out.colour == Colour::grey && out.samples == 1, dark = photometric == PHOTOMETRIC_MINISBLACK;
    if (one && format == SAMPLEFORMAT_IEEEFP && bits == 32) {
      out.sample = Sample::real;
    } else if (one && dark &&
               ((bits == 16 && format == SAMPLEFORMAT_INT) ||
                (bits == 32 && (format == SAMPLEFORMAT_INT || format == SAMPLEFORMAT_UINT)))) {
      out.sample = Sample::integer;
    } else {
      support(format == SAMPLEFORMAT_UINT || (one && dark && bits == 8 && format == SAMPLEFORMAT_INT), "sample format",
              format);
      support(bits == 8 || (bits == 16 && out.colour != Colour::palette && out.colour != Colour::ycbcr) ||
                  (bits == 12 && one) || (colours == 1 && (bits == 1 || bits == 2 || bits == 4)),
              "bits in a sample:", bits);
    }
    out.inverted = photometric == PHOTOMETRIC_MINISWHITE && out.sample == Sample::code;
    if (out.colour == Colour::ycbcr) {  // not packed
      std::uint16_t across = 2, down = 2;
      TIFFGetFieldDefaulted(file_.get(), TIFFTAG_YCBCRSUBSAMPLING, &across, &down);
      support(across == 1 && down == 1 && !out.separate, "subsampled YCbCr that is not packed, samples",
              static_cast<unsigned>(out.samples));
    }
    if (declined()) {
      return out;
    }
    std::uint16_t extra_count = 0;
    const std::uint16_t* extra = nullptr;
    if (TIFFGetField(file_.get(), TIFFTAG_EXTRASAMPLES, &extra_count, &extra) != 0 && extra_count > 0) {
      out.premultiplied = extra[0] == EXTRASAMPLE_ASSOCALPHA && out.colour != Colour::palette;
      support(!(out.premultiplied && (out.colour == Colour::cmyk || out.colour == Colour::ycbcr)), "extra sample",
              extra[0]);
      out.premultiplied = out.premultiplied && out.samples > colours;
    }
    if (out.colour == Colour::palette) {
      const std::uint16_t* channels[3] = {};
      if (!expect(TIFFGetField(file_.get(), TIFFTAG_COLORMAP, &channels[0], &channels[1], &channels[2]) != 0,
                  "its palette is missing")) {
        return out;
      }
      for (const std::uint16_t* const channel : channels) {
        for (std::size_t i = 0; i < std::size_t{1} << bits; ++i) {
          out.colours.push_back(static_cast<std::uint8_t>(channel[i] >> 8));
        }
      }
    }
    return out;
  }

  void read_rows(const TiffLayout& layout, std::size_t plane, Image& image) {
    const std::size_t width = image.width(), size = static_cast<std::size_t>(TIFFScanlineSize(file_.get()));
    if (!expect(size >= layout.row_bytes(width), "its rows are too short")) {
      return;
    }
    std::vector<std::uint8_t> row(size), samples(width * layout.step());
    for (std::size_t y = 0; y < image.height(); ++y) {
      if (!expect(TIFFReadScanline(file_.get(), row.data(), static_cast<std::uint32_t>(y),
                                   static_cast<std::uint16_t>(plane)) == 1,
                  source_.message)) {
        return;
      }
      draw(layout, plane, row.data(), samples, image.row(y));
    }
  }

  // Tiles are whole beyond the picture's edge.
  ImageSize tile_size() const {
    std::uint32_t width = 0, height = 0;
    if (expect(get(TIFFTAG_TILEWIDTH, width) && get(TIFFTAG_TILELENGTH, height) && width > 0 && height > 0,
               "its tiles have no size")) {
      check_picture_size(width, height, {.max_pixels = std::max<std::size_t>(limits_.max_pixels, 1 << 20)}, name_);
    }
    return {width, height};
  }

  void read_tiles(const TiffLayout& layout, std::size_t plane, Image& image) {
    const auto [width, height] = tile_size();
    if (declined()) {
      return;
    }
    const auto size = static_cast<std::size_t>(std::max<tmsize_t>(TIFFTileSize(file_.get()), 0));
    const auto stride = static_cast<std::size_t>(std::max<tmsize_t>(TIFFTileRowSize(file_.get()), 0));
    if (!expect(stride >= layout.row_bytes(width) && size / height >= stride, "its tiles are too small")) {
      return;
    }
    std::vector<std::uint8_t> tile(size), samples;
    for (std::size_t top = 0; top < image.height(); top += height) {
      for (std::size_t left = 0; left < image.width(); left += width) {
        if (!expect(TIFFReadTile(file_.get(), tile.data(), static_cast<std::uint32_t>(left),
                                 static_cast<std::uint32_t>(top), 0, static_cast<std::uint16_t>(plane)) > 0,
                    source_.message)) {
          return;
        }
        const std::size_t columns = std::min<std::size_t>(width, image.width() - left);
        samples.resize(columns * layout.step());
        for (std::size_t y = 0; y < std::min<std::size_t>(height, image.height() - top); ++y) {
          draw(layout, plane, tile.data() + y * stride, samples, image.row(top + y) + 3 * left);
        }
      }
    }
  }

  // A row, or a part of one, of the plane; `samples` has room for a byte each.
  static void draw(const TiffLayout& layout, std::size_t plane, const std::uint8_t* row,
                   std::vector<std::uint8_t>& samples, std::uint8_t* out) {
    tiff_samples(layout, row, samples);
    const std::size_t step = layout.step(), width = samples.size() / step;
    if (layout.separate) {
      tiff_colours(layout, plane, samples.data(), 1, out, width);
      return;
    }
    for (std::size_t i = 0; i < layout.used(); ++i) {
      tiff_colours(layout, i, samples.data() + i, step, out, width);
    }
  }

  int orientation() const {
    std::uint16_t tag = 1;
    if (get(TIFFTAG_ORIENTATION, tag)) {
      return tag;
    }
    std::uint32_t count = 0;
    const char* xmp = nullptr;
    const bool has_xmp = TIFFGetField(file_.get(), TIFFTAG_XMLPACKET, &count, &xmp) != 0 && xmp != nullptr;
    return exif_orientation({}, has_xmp ? std::string_view(xmp, count) : std::string_view());
  }

  MediaLimits limits_;
  std::string_view name_;
  TiffSource source_;
  std::unique_ptr<TIFF, TiffCloser> file_;
};

}  // namespace detail

// Grey, palettes, RGB and CMYK of up to 16 bits, with or without alpha, YCbCr of 8 bits, grey of 32 bits, in rows or
// tiles, packed in any way that the installed libtiff knows. Raises MediaError for a damaged or too large file, and for
// kinds beside these. (The reference's image library also reads CIELAB, through Little CMS's tables; it takes the bytes
// of packed 16 and 32-bit values in the wrong order when the file is big-endian.)
inline Image decode_tiff(std::span<const std::byte> bytes, const MediaLimits& limits = {},
                         std::string_view source_name = "TIFF") {
  return detail::TiffReader(bytes, limits, source_name).read();
}

#else

constexpr bool has_tiff() {
  return false;
}

inline Image decode_tiff(std::span<const std::byte>, const MediaLimits& = {}, std::string_view source_name = "TIFF") {
  decline<MediaError>(concat(source_name,
                             ": this program was built without libtiff, which reads TIFF pictures: install libtiff-dev "
                             "(4.5 or newer) and build it again"));
  return {};
}

#endif

QWEN35_END_NAMESPACE
