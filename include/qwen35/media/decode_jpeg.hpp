// SPDX-License-Identifier: Apache-2.0
// JPEG through libjpeg-turbo with its default settings (accurate integer DCT, smooth chroma upsampling), which are the
// reference's.
#pragma once

#include <qwen35/media/exif.hpp>

#include <csetjmp>
#include <cstdio>
#include <string>

#include <jpeglib.h>
// jpeglib.h needs <cstdio> before it, jerror.h needs jpeglib.h.
#include <jerror.h>

QWEN35_BEGIN_NAMESPACE

namespace detail {

// What the functions with a setjmp share. They hold no object with a destructor, so that a jump out of libjpeg skips
// none.
struct JpegState {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_source_mgr source{};
  jpeg_progress_mgr progress{};
  std::jmp_buf jump;
  bool complete = false;  // all pixels were read
  const std::uint8_t* exif = nullptr;
  std::size_t exif_size = 0;
  std::string_view xmp;
  char message[JMSG_LENGTH_MAX] = "";
};

inline JpegState& jpeg_state(j_common_ptr info) {
  return *static_cast<JpegState*>(info->client_data);
}

[[noreturn]] inline void jpeg_fail(j_common_ptr info, const char* text) {
  JpegState& state = jpeg_state(info);
  std::snprintf(state.message, sizeof(state.message), "%s", text);
  std::longjmp(state.jump, 1);
}

[[noreturn]] inline void jpeg_on_error(j_common_ptr info) {
  JpegState& state = jpeg_state(info);
  info->err->format_message(info, state.message);
  std::longjmp(state.jump, 1);
}

// A warning that pixels were lost is an error; remarks on odd headers and stray bytes between segments are not.
inline void jpeg_on_message(j_common_ptr info, int level) {
  if (level >= 0) {
    return;
  }
  switch (info->err->msg_code) {
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_JPEG_EOF:
    case JWRN_MUST_RESYNC:
    case JWRN_NOT_SEQUENTIAL:
    case JWRN_BOGUS_PROGRESSION:
    case JWRN_ARITH_BAD_CODE:
      jpeg_on_error(info);
    default:
      break;
  }
}
inline void jpeg_on_output(j_common_ptr) {}

inline void jpeg_on_source(j_decompress_ptr) {}
// Behind the last row, where some cameras write zeros, the mark of the end may be missing.
inline boolean jpeg_on_refill(j_decompress_ptr info) {
  static constexpr JOCTET end[] = {0xff, JPEG_EOI};
  JpegState& state = jpeg_state(reinterpret_cast<j_common_ptr>(info));
  if (!state.complete) {
    jpeg_fail(reinterpret_cast<j_common_ptr>(info), "the file is cut off");
  }
  state.source.next_input_byte = end;
  state.source.bytes_in_buffer = sizeof(end);
  return TRUE;
}
inline void jpeg_on_skip(j_decompress_ptr info, long count) {
  if (count <= 0) {
    return;
  }
  if (static_cast<std::size_t>(count) > info->src->bytes_in_buffer) {
    jpeg_fail(reinterpret_cast<j_common_ptr>(info), "the file is cut off");
  }
  info->src->next_input_byte += count;
  info->src->bytes_in_buffer -= static_cast<std::size_t>(count);
}

// A progressive file of a few kilobytes can hold thousands of scans, each as costly as the picture.
inline void jpeg_on_progress(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > 500) {
    jpeg_fail(info, "more than 500 scans");
  }
}

inline bool jpeg_read_info(JpegState& state, const std::uint8_t* data, std::size_t size) {
  if (setjmp(state.jump) != 0) {
    return false;
  }
  jpeg_decompress_struct& info = state.info;
  info.err = jpeg_std_error(&state.errors);
  info.client_data = &state;
  state.errors.error_exit = jpeg_on_error;
  state.errors.emit_message = jpeg_on_message;
  state.errors.output_message = jpeg_on_output;
  jpeg_create_decompress(&info);
  state.source.next_input_byte = data;
  state.source.bytes_in_buffer = size;
  state.source.init_source = jpeg_on_source;
  state.source.fill_input_buffer = jpeg_on_refill;
  state.source.skip_input_data = jpeg_on_skip;
  state.source.resync_to_restart = jpeg_resync_to_restart;
  state.source.term_source = jpeg_on_source;
  info.src = &state.source;
  state.progress.progress_monitor = jpeg_on_progress;
  info.progress = &state.progress;
  jpeg_save_markers(&info, JPEG_APP0 + 1, 0xffff);
  jpeg_read_header(&info, TRUE);
  constexpr std::string_view exif_mark("Exif\0", 5), xmp_mark("http://ns.adobe.com/xap/1.0/\0", 29);
  for (jpeg_saved_marker_ptr marker = info.marker_list; marker != nullptr; marker = marker->next) {
    const std::string_view segment(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (state.exif == nullptr && segment.size() >= 6 && segment.starts_with(exif_mark)) {
      state.exif = marker->data;
      state.exif_size = marker->data_length;
    } else if (segment.starts_with(xmp_mark)) {
      state.xmp = segment.substr(xmp_mark.size());
    }
  }
  if (info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK) {
    info.out_color_space = JCS_CMYK;
  } else if (info.jpeg_color_space == JCS_UNKNOWN) {
    jpeg_fail(reinterpret_cast<j_common_ptr>(&info), "unknown colour space");
  } else {
    info.out_color_space = JCS_RGB;
  }
  return true;
}

// `line`: room for a row of four channels.
inline bool jpeg_read_pixels(JpegState& state, std::uint8_t* pixels, std::uint8_t* line) {
  if (setjmp(state.jump) != 0) {
    return false;
  }
  jpeg_decompress_struct& info = state.info;
  jpeg_start_decompress(&info);
  while (info.output_scanline < info.output_height) {
    std::uint8_t* const row = pixels + std::size_t{info.output_scanline} * info.output_width * 3;
    JSAMPROW target = info.out_color_space == JCS_CMYK ? line : row;
    jpeg_read_scanlines(&info, &target, 1);
    if (info.out_color_space == JCS_CMYK) {
      inverted_cmyk_to_rgb(line, row, info.output_width);
    }
  }
  state.complete = jpeg_has_multiple_scans(&info) == FALSE;  // else a scan may be missing, which no row shows
  jpeg_finish_decompress(&info);
  return true;
}

class JpegFile {
 public:
  JpegFile() = default;
  ~JpegFile() { jpeg_destroy_decompress(&state.info); }
  JpegFile(const JpegFile&) = delete;
  JpegFile& operator=(const JpegFile&) = delete;

  JpegState state;
};

}  // namespace detail

// Raises MediaError for a damaged or too large file.
inline Image decode_jpeg(std::span<const std::byte> bytes, const MediaLimits& limits = {},
                         std::string_view source_name = "JPEG") {
  detail::JpegFile file;
  detail::JpegState& state = file.state;
  const auto sound = [&](bool read) {
    return holds<MediaError>(read, source_name, ": not a sound JPEG: ", state.message);
  };
  if (!sound(detail::jpeg_read_info(state, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size())) ||
      !check_picture_size(state.info.image_width, state.info.image_height, limits, source_name)) {
    return {};
  }
  const auto orientation =
      exif_orientation({state.exif, state.exif_size}, state.xmp);  // the library frees its markers with the last row
  Image image(state.info.image_width, state.info.image_height);
  std::vector<std::uint8_t> line(state.info.out_color_space == JCS_CMYK ? image.width() * 4 : 0);
  if (!sound(detail::jpeg_read_pixels(state, image.pixels().data(), line.data()))) {
    return {};
  }
  return upright(std::move(image), orientation);
}

QWEN35_END_NAMESPACE
