// SPDX-License-Identifier: Apache-2.0
// PNG through libpng.
#pragma once

#include <qwen35/media/exif.hpp>

#include <csetjmp>
#include <cstdio>
#include <string>

#include <png.h>

QWEN35_BEGIN_NAMESPACE

namespace detail {

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
  const png_byte* exif = nullptr;
  std::size_t exif_size = 0;
  char message[128] = "";
};

inline void png_on_error(png_structp png, png_const_charp text) {
  auto& state = *static_cast<PngState*>(png_get_error_ptr(png));
  std::snprintf(state.message, sizeof(state.message), "%s", text);
  png_longjmp(png, 1);
}
inline void png_on_warning(png_structp, png_const_charp) {}

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
  // Compressed text and colour profiles are not used: not to be unpacked.
  static constexpr png_byte unused[] = "iCCP\0zTXt\0iTXt\0tEXt\0sPLT";
  png_set_keep_unknown_chunks(state.png, PNG_HANDLE_CHUNK_NEVER, unused, 5);
#endif
  png_read_info(state.png, state.info);
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
  png_read_end(state.png, state.info);
#if defined(PNG_eXIf_SUPPORTED)
  png_bytep exif = nullptr;
  png_uint_32 exif_size = 0;
  if (png_get_eXIf_1(state.png, state.info, &exif_size, &exif) != 0) {
    state.exif = exif;
    state.exif_size = exif_size;
  }
#endif
  return true;
}

class PngFile {
 public:
  PngFile() {
    state.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &state, png_on_error, png_on_warning);
    state.info = state.png != nullptr ? png_create_info_struct(state.png) : nullptr;
  }
  ~PngFile() { png_destroy_read_struct(&state.png, &state.info, nullptr); }
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
  require<MediaError>(state.info != nullptr, source_name, ": libpng cannot start");
  state.data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  state.size = bytes.size();
  require<MediaError>(detail::png_read_header(state), source_name, ": not a sound PNG: ", state.message);
  check_picture_size(state.width, state.height, limits, source_name);
  Image image(state.width, state.height);
  require<MediaError>(detail::png_read_pixels(state, image.pixels().data()), source_name,
                      ": not a sound PNG: ", state.message);
  return upright(std::move(image), exif_orientation({state.exif, state.exif_size}));
}

QWEN35_END_NAMESPACE
