// SPDX-License-Identifier: Apache-2.0
// TIFF through libtiff (4.5 or newer): its first picture. In a program built without libtiff, decode_tiff() says so.
#pragma once

#include <qwen35/media/exif.hpp>

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
};

// How the samples of a picture are to be read.
struct TiffLayout {
  enum class Colour : std::uint8_t { grey, palette, rgb, cmyk };
  Colour colour = Colour::grey;
  bool inverted = false;              // 0 is white
  bool premultiplied = false;         // by the sample behind the colours
  bool separate = false;              // each sample has planes of its own
  unsigned bits = 1;                  // of a sample
  std::size_t samples = 1;            // of a pixel, of a plane one
  std::vector<std::uint8_t> colours;  // of a palette: all reds, greens, blues

  std::size_t row_bytes(std::size_t width) const { return (width * (separate ? 1 : samples) * bits + 7) / 8; }
  std::size_t planes() const { return separate && colour == Colour::rgb ? 3 : 1; }
};

// `in`: a row as libtiff gives it, 16 bits in this machine's order; `out`: a byte a sample, of 16 bits the high one.
inline void tiff_samples(const TiffLayout& layout, const std::uint8_t* in, std::span<std::uint8_t> out) {
  const unsigned bits = layout.bits, largest = (1u << std::min(bits, 8u)) - 1;
  const unsigned scale = layout.colour == TiffLayout::Colour::palette ? 1 : 255 / largest;
  for (std::size_t i = 0; i < out.size(); ++i) {
    unsigned value = 0;
    if (bits == 16) {
      std::uint16_t wide;
      std::memcpy(&wide, in + 2 * i, 2);
      value = wide >> 8;
    } else {
      value = (unsigned{in[i * bits / 8]} >> (8 - bits - i * bits % 8) & largest) * scale;
    }
    out[i] = static_cast<std::uint8_t>(layout.inverted ? 255 - value : value);
  }
}

// `samples`: a byte each, [width, samples]; of a plane of its own [width]. `out`: [width, 3].
inline void tiff_colours(const TiffLayout& layout, std::size_t plane, std::uint8_t* samples, std::uint8_t* out,
                         std::size_t width) {
  using Colour = TiffLayout::Colour;
  const std::size_t step = layout.separate ? 1 : layout.samples;
  for (std::size_t x = 0; x < width; ++x, samples += step, out += 3) {
    if (layout.colour == Colour::palette) {
      for (std::size_t c = 0; c < 3; ++c) {
        out[c] = layout.colours[c * layout.colours.size() / 3 + samples[0]];
      }
    } else if (layout.colour == Colour::cmyk) {
      for (std::size_t c = 0; c < 4; ++c) {
        samples[c] = static_cast<std::uint8_t>(255 - samples[c]);
      }
      inverted_cmyk_to_rgb(samples, out, 1);
    } else if (layout.separate && layout.colour == Colour::rgb) {
      out[plane] = samples[0];
    } else {
      const std::size_t colours = layout.colour == Colour::rgb ? 3 : 1;
      for (std::size_t c = 0; c < 3; ++c) {
        const unsigned value = samples[colours == 3 ? c : 0], alpha = layout.premultiplied ? samples[colours] : 255;
        out[c] = static_cast<std::uint8_t>(alpha == 0 ? 0 : std::min(value * 255 / alpha, 255u));
      }
    }
  }
}

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
    const TiffLayout layout = read_layout();
    if (declined()) {
      return {};
    }
    Image image(width, height);
    for (std::size_t plane = 0; plane < layout.planes(); ++plane) {
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

  TiffLayout read_layout() {
    using Colour = TiffLayout::Colour;
    TiffLayout out;
    std::uint16_t photometric = 0;
    expect(get(TIFFTAG_PHOTOMETRIC, photometric), "it does not say what its samples mean");
    out.bits = number(TIFFTAG_BITSPERSAMPLE, 1);
    out.samples = number(TIFFTAG_SAMPLESPERPIXEL, 1);
    out.separate = out.samples > 1 && number(TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) == PLANARCONFIG_SEPARATE;
    support(number(TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT) == SAMPLEFORMAT_UINT, "sample format",
            number(TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT));
    // libjpeg makes RGB of it.
    const bool jpeg = photometric == PHOTOMETRIC_YCBCR && number(TIFFTAG_COMPRESSION, 1) == COMPRESSION_JPEG &&
                      TIFFSetField(file_.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB) != 0;
    support(jpeg || photometric == PHOTOMETRIC_MINISWHITE || photometric == PHOTOMETRIC_MINISBLACK ||
                photometric == PHOTOMETRIC_RGB || photometric == PHOTOMETRIC_PALETTE ||
                photometric == PHOTOMETRIC_SEPARATED,
            "photometric interpretation", photometric);
    out.colour = jpeg || photometric == PHOTOMETRIC_RGB ? Colour::rgb
                 : photometric == PHOTOMETRIC_PALETTE   ? Colour::palette
                 : photometric == PHOTOMETRIC_SEPARATED ? Colour::cmyk
                                                        : Colour::grey;
    out.inverted = photometric == PHOTOMETRIC_MINISWHITE;
    const std::size_t colours = out.colour == Colour::rgb ? 3 : out.colour == Colour::cmyk ? 4 : 1;
    expect(out.samples >= colours, "too few samples for its colours");
    support(out.samples <= 8 && !(out.separate && out.colour == Colour::cmyk), "samples",
            static_cast<unsigned>(out.samples));
    const unsigned bits = out.bits;
    support(bits == 8 || (bits == 16 && out.colour != Colour::palette) ||
                (colours == 1 && (bits == 1 || bits == 2 || bits == 4)),
            "bits in a sample:", bits);
    if (declined()) {
      return out;
    }
    std::uint16_t extra_count = 0;
    const std::uint16_t* extra = nullptr;
    if (TIFFGetField(file_.get(), TIFFTAG_EXTRASAMPLES, &extra_count, &extra) != 0 && extra_count > 0) {
      out.premultiplied = extra[0] == EXTRASAMPLE_ASSOCALPHA && out.colour != Colour::palette;
      support(!(out.premultiplied && (out.separate || out.colour == Colour::cmyk)), "extra sample", extra[0]);
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
    std::vector<std::uint8_t> row(size), samples(width * (layout.separate ? 1 : layout.samples));
    for (std::size_t y = 0; y < image.height(); ++y) {
      if (!expect(TIFFReadScanline(file_.get(), row.data(), static_cast<std::uint32_t>(y),
                                   static_cast<std::uint16_t>(plane)) == 1,
                  source_.message)) {
        return;
      }
      tiff_samples(layout, row.data(), samples);
      tiff_colours(layout, plane, samples.data(), image.row(y), width);
    }
  }

  void read_tiles(const TiffLayout& layout, std::size_t plane, Image& image) {
    std::uint32_t width = 0, height = 0;
    // Tiles are whole beyond the picture's edge.
    if (!expect(get(TIFFTAG_TILEWIDTH, width) && get(TIFFTAG_TILELENGTH, height) && width > 0 && height > 0,
                "its tiles have no size") ||
        !check_picture_size(width, height, {.max_pixels = std::max<std::size_t>(limits_.max_pixels, 1 << 20)}, name_)) {
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
        samples.resize(columns * (layout.separate ? 1 : layout.samples));
        for (std::size_t y = 0; y < std::min<std::size_t>(height, image.height() - top); ++y) {
          tiff_samples(layout, tile.data() + y * stride, samples);
          tiff_colours(layout, plane, samples.data(), image.row(top + y) + 3 * left, columns);
        }
      }
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

// Grey, palettes, RGB and CMYK of up to 16 bits, with or without alpha, in rows or tiles, packed in any way that the
// installed libtiff knows. Raises MediaError for a damaged or too large file, and for kinds beside these.
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
