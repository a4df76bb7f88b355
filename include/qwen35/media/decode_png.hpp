// SPDX-License-Identifier: Apache-2.0
// PNG through libpng.
#pragma once

#include <qwen35/media/exif.hpp>

#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <png.h>

QWEN35_BEGIN_NAMESPACE

namespace detail {

// The names of the texts that hold an orientation: XMP, and EXIF as ImageMagick writes it.
inline constexpr std::string_view png_xmp = "XML:com.adobe.xmp";
inline constexpr std::string_view png_profile = "Raw profile type exif";

// What of the orientation can be found without libpng, which forgets EXIF data that begins with "Exif\0\0".
struct PngNotes {
  bool in_texts = false;  // some text chunk has one of these names
  std::string_view exif;
};

inline PngNotes png_notes(std::string_view file) {
  PngNotes out;
  for (std::size_t at = 8; at + 8 <= file.size();) {
    const auto byte = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(file[at + i])}; };
    const std::size_t size = byte(0) << 24 | byte(1) << 16 | byte(2) << 8 | byte(3);
    const std::string_view kind = file.substr(at + 4, 4), data = file.substr(at + 8, size);
    if (kind == "IEND") {
      break;
    }
    if ((kind == "tEXt" || kind == "zTXt" || kind == "iTXt") &&
        (data.starts_with(png_xmp) || data.starts_with(png_profile))) {
      out.in_texts = true;
    }
    if (kind == "eXIf") {
      out.exif = data;
    }
    at += size + 12;
  }
  return out;
}

// What the functions with a setjmp share. They hold no object with a destructor, so that a jump out of libpng skips
// none.
struct PngState {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const std::uint8_t* data = nullptr;
  std::size_t size = 0;
  std::size_t offset = 0;
  std::size_t width = 0;
  std::size_t height = 0;
  PngNotes notes;
  png_textp texts = nullptr;
  int text_count = 0;
  bool no_memory = false;  // at some point, whatever libpng made of it
  char message[128] = "";
};

inline void png_on_error(png_structp png, png_const_charp text) {
  auto& state = *static_cast<PngState*>(png_get_error_ptr(png));
  std::snprintf(state.message, sizeof(state.message), "%s", text);
  png_longjmp(png, 1);
}
inline void png_on_warning(png_structp, png_const_charp) {}

#if defined(PNG_USER_MEM_SUPPORTED)
// What it has no memory for libpng leaves out, a text with the orientation among it.
inline png_voidp png_on_malloc(png_structp png, png_alloc_size_t size) {
  void* const memory = std::malloc(size);
  if (memory == nullptr) {
    static_cast<PngState*>(png_get_mem_ptr(png))->no_memory = true;
  }
  return memory;
}
inline void png_on_free(png_structp, png_voidp memory) {
  std::free(memory);
}
#endif

// The bytes of a raw profile: a line end, its kind, its length, and hexadecimal digits in lines.
inline std::vector<std::uint8_t> png_profile_bytes(std::string_view text) {
  for (int line = 0; line < 3; ++line) {
    const std::size_t end = text.find('\n');
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  std::vector<std::uint8_t> out;
  unsigned high = 16;
  for (const char c : text) {
    const unsigned digit = c >= '0' && c <= '9'   ? static_cast<unsigned>(c - '0')
                           : c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a') + 10
                           : c >= 'A' && c <= 'F' ? static_cast<unsigned>(c - 'A') + 10
                                                  : 16;
    if (digit < 16 && high < 16) {
      out.push_back(static_cast<std::uint8_t>(high << 4 | digit));
      high = 16;
    } else if (digit < 16) {
      high = digit;
    }
  }
  return out;
}

inline void png_on_read(png_structp png, png_bytep out, std::size_t count) {
  auto& state = *static_cast<PngState*>(png_get_io_ptr(png));
  if (count > state.size - state.offset) {
    png_error(png, "the file is cut off");
  }
  std::memcpy(out, state.data + state.offset, count);
  state.offset += count;
}

// Reads up to the first pixel.
inline bool png_read_header(PngState& state) {
  if (setjmp(png_jmpbuf(state.png)) != 0) {
    return false;
  }
  png_set_read_fn(state.png, &state, png_on_read);
  png_set_user_limits(state.png, max_picture_side, max_picture_side);
#if defined(PNG_HANDLE_AS_UNKNOWN_SUPPORTED)
  // Colour profiles are not used: not to be unpacked. Nor are texts, but for an orientation's.
  static constexpr png_byte unused[] = "iCCP\0sPLT\0eXIf\0zTXt\0iTXt\0tEXt";
  png_set_keep_unknown_chunks(state.png, PNG_HANDLE_CHUNK_NEVER, unused, state.notes.in_texts ? 3 : 6);
#endif
#if defined(PNG_SET_USER_LIMITS_SUPPORTED)
  if (state.notes.in_texts) {
    png_set_chunk_malloc_max(state.png, std::size_t{1} << 20);
    png_set_chunk_cache_max(state.png, 64);
  }
#endif
  png_read_info(state.png, state.info);
  // A wrong checksum of the pixels is no reason to refuse them: what was damaged does not unpack.
  png_set_crc_action(state.png, PNG_CRC_QUIET_USE, PNG_CRC_NO_CHANGE);
  state.width = png_get_image_width(state.png, state.info);
  state.height = png_get_image_height(state.png, state.info);
  return true;
}

// `pixels`: [height, width, 3]. Asks for 8-bit RGB: palettes and small greys expanded, the high byte of 16 bits, alpha
// dropped.
inline bool png_read_pixels(PngState& state, std::uint8_t* pixels) {
  if (setjmp(png_jmpbuf(state.png)) != 0) {
    return false;
  }
  png_set_palette_to_rgb(state.png);
  png_set_expand_gray_1_2_4_to_8(state.png);
  png_set_strip_16(state.png);
  png_set_strip_alpha(state.png);
  png_set_gray_to_rgb(state.png);
  const int passes = png_set_interlace_handling(state.png);
  png_read_update_info(state.png, state.info);
  if (png_get_rowbytes(state.png, state.info) != state.width * 3) {
    png_error(state.png, "unknown pixel layout");
  }
  for (int pass = 0; pass < passes; ++pass) {
    for (std::size_t y = 0; y < state.height; ++y) {
      png_read_row(state.png, pixels + y * state.width * 3, nullptr);
    }
  }
  return true;
}

// Reads what stands behind the pixels. They are all there: that the rest is damaged or missing does not matter.
inline void png_read_rest(PngState& state) {
  if (setjmp(png_jmpbuf(state.png)) == 0) {
    png_read_end(state.png, state.info);
  }
  png_get_text(state.png, state.info, &state.texts, &state.text_count);
}

inline int png_orientation(const PngState& state) {
  std::string_view xmp;
  std::vector<std::uint8_t> profile;
  for (int i = 0; i < state.text_count; ++i) {
    const png_text& text = state.texts[i];
    const std::string_view value(text.text, text.compression > 0 ? text.itxt_length : text.text_length);
    if (text.key == png_xmp) {
      xmp = value;
    } else if (text.key == png_profile) {
      profile = png_profile_bytes(value);
    }
  }
  const std::string_view exif = state.notes.exif;
  return exif.empty() ? exif_orientation(profile, xmp)
                      : exif_orientation({reinterpret_cast<const std::uint8_t*>(exif.data()), exif.size()}, xmp);
}

class PngFile {
 public:
  PngFile() {
#if defined(PNG_USER_MEM_SUPPORTED)
    state.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &state, png_on_error, png_on_warning, &state,
                                         png_on_malloc, png_on_free);
#else
    state.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &state, png_on_error, png_on_warning);
#endif
    state.info = state.png != nullptr ? png_create_info_struct(state.png) : nullptr;
  }
  ~PngFile() {
    png_destroy_read_struct(&state.png, &state.info, nullptr);
  }
  PngFile(const PngFile&) = delete;
  PngFile& operator=(const PngFile&) = delete;

  PngState state;
};

}  // namespace detail

// Raises MediaError for a damaged or too large file.
inline Image decode_png(std::span<const std::byte> bytes, const MediaLimits& limits = {},
                        std::string_view source_name = "PNG") {
  detail::PngFile file;
  detail::PngState& state = file.state;
  if (!holds<MediaError>(state.info != nullptr, source_name, ": libpng cannot start")) {
    return {};
  }
  state.data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  state.size = bytes.size();
  state.notes = detail::png_notes({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  const auto sound = [&](bool read) {
    return holds<MediaError>(read, source_name, ": not a sound PNG: ", state.message);
  };
  if (!sound(detail::png_read_header(state)) || !check_picture_size(state.width, state.height, limits, source_name)) {
    return {};
  }
  Image image(state.width, state.height);
  if (!sound(detail::png_read_pixels(state, image.pixels().data()))) {
    return {};
  }
  detail::png_read_rest(state);
  if (!holds<MediaError>(!state.no_memory, source_name, ": no memory for libpng")) {
    return {};
  }
  return upright(std::move(image), detail::png_orientation(state));
}

QWEN35_END_NAMESPACE
