// SPDX-License-Identifier: Apache-2.0
// Any bytes as a picture and all the way to patch rows, as an animation and as a data: URL. Seeds:
// tests/data/media/files, and the files that test_media_hostile writes when QWEN35_TEST_SEEDS names a folder.
#include <qwen35/media/decode.hpp>
#include <qwen35/media/gif_video.hpp>
#include <qwen35/media/image_processor.hpp>
#include <qwen35/media/video_processor.hpp>

#include "support/fuzz.hpp"

namespace {

const qwen35::MediaLimits limits{
    .max_file_bytes = 1 << 20, .max_pixels = 1 << 17, .max_frames = 64, .max_video_pixels = 1 << 20};

void to_rows(const qwen35::Image& image, const qwen35::ImageProcessorConfig& config) {
  qwen35::ImageOptions options;
  options.min_pixels = 1024;
  options.max_pixels = 8192;
  const qwen35::ImageInputs rows = qwen35::ImageProcessor(config).preprocess(image, options);
  fuzz::expect(rows.pixel_values.size() > 0 && rows.image_grid_thw[0] == 1);
  for (const float value : rows.pixel_values) {
    fuzz::expect(value >= -1.0f && value <= 1.0f);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qwen35;
  const std::string_view text = fuzz::text_of(data, size);
  const std::span<const std::byte> bytes = fuzz::bytes_of(text);
  fuzz::attempt([&] { to_rows(decode_image(bytes, limits), {}); });
  if (image_format(bytes) == ImageFormat::gif) {
    fuzz::attempt([&] {
      GifVideo video(std::vector<std::byte>(bytes.begin(), bytes.end()), limits);
      VideoOptions options;
      options.num_frames = 3;
      options.min_pixels = 1024;
      options.max_pixels = 16384;
      fuzz::expect(VideoProcessor().preprocess(video, options).video_grid_thw[0] == 2);
    });
  } else if (is_data_url(text)) {
    fuzz::attempt([&] { to_rows(load_image(std::string(text), limits), {}); });
  }
  return 0;
}
