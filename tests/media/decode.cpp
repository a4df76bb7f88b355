// SPDX-License-Identifier: Apache-2.0
#include <qwen35/media/decode.hpp>
#include <qwen35/media/image_processor.hpp>

#include <media/media_test.hpp>

#include <fstream>

using namespace qwen35;
using namespace media_test;

namespace {

// Can this program read it? Libraries of rare kinds may be missing.
bool is_read(std::string_view name) {
  return (has_tiff() || !name.ends_with(".tif")) && (has_avif() || !name.ends_with(".avif"));
}

}  // namespace

TEST_CASE("every kind of file has the reference's pixels") {
  std::size_t count = 0;
  for (const auto& [file, expected] : cases().at("files").members()) {
    const std::string& name = file;
    CAPTURE(name);
    if (!is_read(name)) {
      CHECK(contains(message_of<MediaError>([&] { read_image(file_path(name)); }),
                     name.ends_with(".tif") ? "built without libtiff, which reads TIFF pictures: install libtiff-dev"
                                            : "built without libavif, which reads AVIF pictures: install libavif-dev"));
      continue;
    }
    const Image image = read_image(file_path(name));
    CHECK(image.width() == size_of(expected.at("size").items()[0]));
    CHECK(image.height() == size_of(expected.at("size").items()[1]));
    // Pillow clips 16-bit grey at 255; here it is reduced to its high byte, as 16-bit colours are by both.
    const char* const source = expected.find("high_byte") != nullptr ? "high_byte" : "pillow";
    CHECK(crc_of(image) == expected.at(source).as_integer());
    ++count;
  }
  CHECK(count > 60);
}

TEST_CASE("from a file to rows") {
  ImageOptions options;
  options.min_pixels = 1024;
  options.max_pixels = 65536;
  for (const auto& [file, expected] : cases().at("files").members()) {
    const std::string& name = file;
    if (expected.find("high_byte") != nullptr || !is_read(name)) {
      continue;
    }
    CAPTURE(name);
    const ImageInputs got = ImageProcessor().preprocess(read_image(file_path(name)), options);
    CHECK(got.image_grid_thw[1] == expected.at("grid").items()[0].items()[1].as_integer());
    CHECK(crc_of(std::span<const float>(got.pixel_values.data(), got.pixel_values.size())) ==
          expected.at("rows").as_integer());
  }
}

TEST_CASE("the kind of file is told by its content") {
  CHECK(image_format(bytes_of(std::string_view("\x89PNG\r\n\x1a\n"))) == ImageFormat::png);
  CHECK(image_format(bytes_of("\xff\xd8\xff\xe0")) == ImageFormat::jpeg);
  CHECK(image_format(bytes_of("RIFF....WEBPVP8 ")) == ImageFormat::webp);
  CHECK(image_format(bytes_of("RIFF....WAVE")) == ImageFormat::unknown);
  CHECK(image_format(bytes_of("RIFF")) == ImageFormat::unknown);
  CHECK(image_format(bytes_of("GIF89a")) == ImageFormat::gif);
  CHECK(image_format(bytes_of("BM")) == ImageFormat::bmp);
  CHECK(image_format(bytes_of(std::string_view("II*\0", 4))) == ImageFormat::tiff);
  CHECK(image_format(bytes_of(std::string_view("MM\0+", 4))) == ImageFormat::tiff);
  CHECK(image_format(bytes_of("II*")) == ImageFormat::unknown);
  CHECK(image_format(bytes_of(std::string_view("\0\0\0\x18"
                                               "ftypmif1\0\0\0\0heicavif",
                                               24))) == ImageFormat::avif);
  CHECK(image_format(bytes_of(std::string_view("\0\0\0\x14"
                                               "ftypmif1\0\0\0\0heicavif",
                                               24))) == ImageFormat::unknown);
  CHECK(image_format(bytes_of("")) == ImageFormat::unknown);
}

TEST_CASE("paths, bytes and data: URLs give the same pixels") {
  const std::vector<std::byte> bytes = read_file<MediaError>(file_path("rgb.png"), 1 << 20);
  const Image image = decode_image(bytes);
  CHECK(load_image(file_path("rgb.png")) == image);
  constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      bits = bits << 8 | (i + k < bytes.size() ? static_cast<std::uint32_t>(bytes[i + k]) : 0u);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      text += i + k > bytes.size() ? '=' : alphabet[(bits >> (18 - 6 * k)) & 63u];
    }
  }
  CHECK(load_image("data:image/jpeg;base64," + text) == image);  // what it says of itself is not believed
  CHECK(load_image("DATA:image/png;charset=x;BASE64," + text) == image);
  CHECK(load_image(text) == image);
  CHECK(load_image(text.substr(0, 76) + "\n" + text.substr(76)) == image);
  CHECK_THROWS_AS(load_image("data:image/png;base64,AAAA"), MediaError);
}

TEST_CASE("no message is longer than a screen, whatever the source is") {
  const std::string long_name(3'000'000, 'x'), path = std::string(2000, '/') + long_name;
  for (const std::string& source : {long_name, path, "data:" + long_name, "data:image/png;base64," + long_name,
                                    std::string("\xE4\xB8\xAD") + long_name, "." + long_name}) {
    const std::string message = message_of<MediaError>([&] { load_image(source); });
    CHECK(message.size() > 10);
    CHECK(message.size() < 500);
  }
  CHECK(contains(message_of<MediaError>([] { load_image("none.png"); }), "none.png: cannot be opened"));
}

TEST_CASE("a picture of 108 megapixels") {
  const MediaLimits limits{.max_pixels = 100'000'000};
  CHECK(contains(message_of<MediaError>([&] { check_picture_size(12000, 9000, limits, "p"); }),
                 "p: 12000 x 9000 pixels, the limit is 100000000 in all (MediaLimits::max_pixels, --max-pixels)"));
  CHECK_NOTHROW(check_picture_size(12000, 9000, MediaLimits(), "p"));
  // By default as many as Pillow opens: twice what it warns of.
  CHECK_NOTHROW(check_picture_size(58, 3'085'465, MediaLimits(), "p"));
  CHECK_THROWS_AS(check_picture_size(58, 3'085'466, MediaLimits(), "p"), MediaError);
  CHECK_THROWS_AS(check_picture_size(16384, 12000, MediaLimits(), "p"), MediaError);
}

TEST_CASE("limits and files that are none") {
  MediaLimits limits;
  limits.max_pixels = 37 * 29 - 1;
  for (const char* name : {"rgb.png", "noise.jpg", "lossy.webp", "animated.webp", "still.gif", "rgb24.bmp",
                           "planes.tif", "colour420.avif"}) {
    CAPTURE(name);
    if (!is_read(name)) {
      continue;
    }
    CHECK(contains(message_of<MediaError>([&] { read_image(file_path(name), limits); }),
                   "37 x 29 pixels, the limit is 1072 in all (MediaLimits::max_pixels, --max-pixels)"));
  }
  limits = {};
  limits.max_file_bytes = 100;
  CHECK(contains(message_of<MediaError>([&] { read_image(file_path("rgb.png"), limits); }),
                 "longer than the limit of 100 bytes"));
  CHECK(contains(
      message_of<MediaError>([&] { decode_image(read_file<MediaError>(file_path("rgb.png"), 1 << 20), limits); }),
      "the limit is 100"));
  CHECK(contains(message_of<MediaError>([&] { load_image("data:image/png;base64," + std::string(400, 'A'), limits); }),
                 "limit is 100"));
  CHECK(contains(message_of<MediaError>([] { read_image(file_path("none.png")); }), "none.png: cannot be opened"));
  CHECK(contains(message_of<MediaError>([] { read_image(data_folder()); }), "is a folder"));
  CHECK(contains(message_of<MediaError>([] { read_image(data_folder() + "/cases.json"); }),
                 "cases.json: not a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF"));
  CHECK(contains(message_of<MediaError>([] { decode_image({}, {}, "upload"); }), "upload: empty"));
#if QWEN35_HAS_POSIX
  CHECK(contains(message_of<MediaError>([] { read_image("/dev/zero"); }), "/dev/zero: is not a regular file"));
#endif
}
