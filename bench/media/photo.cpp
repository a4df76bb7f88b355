// SPDX-License-Identifier: Apache-2.0
// A camera's picture of 4000 x 3000 pixels to patch rows: decoded, resized and cut at the published settings, and with
// at most a million pixels. QWEN35_BENCH_PICTURE names a file; without it, a made-up one is written by libjpeg.
#include <qwen35/media/decode.hpp>
#include <qwen35/media/image_processor.hpp>

#include <benchmark/benchmark.h>

#include <cstdlib>

namespace {

using namespace qwen35;

// Waves, edges and a little noise, in libjpeg's quality 90.
std::vector<std::byte> made_up_photo(std::size_t width, std::size_t height) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* data = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &data, &size);
  info.image_width = static_cast<JDIMENSION>(width);
  info.image_height = static_cast<JDIMENSION>(height);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 90, TRUE);
  jpeg_start_compress(&info, TRUE);
  std::vector<std::uint8_t> row(width * 3);
  std::uint32_t noise = 1;
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      const double wave = 90.0 + 60.0 * std::sin(static_cast<double>(x * (1 + y / 700)) / 150.0) +
                          (((x / 97) ^ (y / 83)) & 1u ? 40.0 : 0.0);
      for (std::size_t c = 0; c < 3; ++c) {
        noise = noise * 1664525u + 1013904223u;
        row[3 * x + c] =
            static_cast<std::uint8_t>(wave + static_cast<double>(c * y) / 100.0 + static_cast<double>(noise >> 28));
      }
    }
    JSAMPROW line = row.data();
    jpeg_write_scanlines(&info, &line, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  const std::vector<std::byte> out(reinterpret_cast<std::byte*>(data), reinterpret_cast<std::byte*>(data) + size);
  std::free(data);
  return out;
}

const std::vector<std::byte>& photo() {
  static const std::vector<std::byte> bytes = [] {
    const char* const path = std::getenv("QWEN35_BENCH_PICTURE");
    return path != nullptr ? read_file<MediaError>(path, MediaLimits().max_file_bytes) : made_up_photo(4000, 3000);
  }();
  return bytes;
}
const Image& picture() {
  static const Image image = decode_image(photo());
  return image;
}

// 0: the published settings; else at most so many pixels.
ImageOptions options_of(const benchmark::State& state) {
  ImageOptions options;
  if (state.range(1) != 0) {
    options.max_pixels = static_cast<std::size_t>(state.range(1));
  }
  return options;
}

void decode(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(decode_image(photo()));
  }
}
BENCHMARK(decode)->UseRealTime()->Unit(benchmark::kMillisecond);

void resize(benchmark::State& state) {
  const ThreadCount threads(static_cast<int>(state.range(0)));
  const ImageSize size = ImageProcessor().resized_size({picture().width(), picture().height()}, options_of(state));
  for (auto _ : state) {
    benchmark::DoNotOptimize(resize_bicubic(picture(), size));
  }
}

void patches(benchmark::State& state) {
  const ThreadCount threads(static_cast<int>(state.range(0)));
  const ImageSize size = ImageProcessor().resized_size({picture().width(), picture().height()}, options_of(state));
  const Image resized = resize_bicubic(picture(), size);
  ImageOptions as_it_is;
  as_it_is.do_resize = false;
  const ImageProcessor processor;
  for (auto _ : state) {
    benchmark::DoNotOptimize(processor.preprocess(resized, as_it_is));
  }
}

void file_to_rows(benchmark::State& state) {
  const ThreadCount threads(static_cast<int>(state.range(0)));
  const ImageProcessor processor;
  for (auto _ : state) {
    benchmark::DoNotOptimize(processor.preprocess(decode_image(photo()), options_of(state)));
  }
}

void settings(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"threads", "max_pixels"})
      ->ArgsProduct({{1, 2}, {0, 1 << 20}})
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}
BENCHMARK(resize)->Apply(settings);
BENCHMARK(patches)->Apply(settings);
BENCHMARK(file_to_rows)->Apply(settings);

}  // namespace
