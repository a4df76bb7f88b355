// SPDX-License-Identifier: Apache-2.0
// Any bytes as a picture and all the way to patch rows, as an animation, as a data: URL, as EXIF data and as a
// processor's settings. Seeds: tests/data/media/files, and the files that test_media_hostile writes when
// QWEN35_TEST_SEEDS names a folder.
#include <qwen35/media/decode.hpp>
#include <qwen35/media/gif_video.hpp>
#include <qwen35/media/image_processor.hpp>
#include <qwen35/media/video_processor.hpp>

#include <cstdint>
#include <cstdlib>

namespace {

const qwen35::MediaLimits limits{
    .max_file_bytes = 1 << 20, .max_pixels = 1 << 17, .max_frames = 64, .max_video_pixels = 1 << 20};

void expect(bool condition) {
  if (!condition) {
    std::abort();
  }
}

void to_rows(const qwen35::Image& image, const qwen35::ImageProcessorConfig& config) {
  qwen35::ImageOptions options;
  options.min_pixels = 1024;
  options.max_pixels = 8192;
  const qwen35::ImageInputs rows = qwen35::ImageProcessor(config).preprocess(image, options);
  expect(rows.pixel_values.size() > 0 && rows.image_grid_thw[0] == 1);
  for (const float value : rows.pixel_values) {
    expect(value >= -1.0f && value <= 1.0f);
  }
}

template <class F>
void attempt(F&& body) {
  try {
    body();
  } catch (const qwen35::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qwen35;
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  attempt([&] { to_rows(decode_image(bytes, limits), {}); });
  if (image_format(bytes) == ImageFormat::gif) {
    attempt([&] {
      GifVideo video(std::vector<std::byte>(bytes.begin(), bytes.end()), limits);
      VideoOptions options;
      options.num_frames = 3;
      options.min_pixels = 1024;
      options.max_pixels = 16384;
      expect(VideoProcessor().preprocess(video, options).video_grid_thw[0] == 2);
    });
  } else if (is_data_url(text)) {
    attempt([&] { to_rows(load_image(std::string(text), limits), {}); });
  } else if (text.starts_with("{")) {
    // Whatever settings are accepted must work; large ones only take longer.
    constexpr std::size_t most = 1 << 18;
    attempt([&] {
      const json::Value value = json::parse(text, "settings");
      attempt([&] {
        const ImageProcessor processor(ImageProcessorConfig::from_json(value));
        const ImageSize to = processor.resized_size({70, 40});
        if (to.width * to.height * processor.config().temporal_patch_size < most) {
          processor.preprocess(Image(70, 40));
        }
      });
      attempt([&] {
        const std::vector<Image> frames(3, Image(70, 40));
        const VideoProcessor processor(VideoProcessorConfig::from_json(value));
        const ImageSize to = processor.resized_size(3, {70, 40});
        if (to.width * to.height * (processor.config().temporal_patch_size + 3) < most) {
          processor.preprocess(FrameList(frames, 24.0));
        }
      });
    });
  } else {
    const int orientation = exif_orientation({data, size});
    expect(orientation >= 1 && orientation <= 8);
  }
  attempt([&] { decode_base64(text); });
  return 0;
}
