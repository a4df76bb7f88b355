// SPDX-License-Identifier: Apache-2.0
#include <qwen35/media/image_processor.hpp>

#include <media/media_test.hpp>
#include "support/log_capture.hpp"

using namespace qwen35;
using namespace media_test;

namespace {

ImageOptions options_of(const json::Value& value) {
  ImageOptions options;
  for (const auto& [key, item] : value.members()) {
    if (key == "size") {
      options.size = PixelArea{size_of(item.at("shortest_edge")), size_of(item.at("longest_edge"))};
    } else if (key == "min_pixels") {
      options.min_pixels = size_of(item);
    } else if (key == "max_pixels") {
      options.max_pixels = size_of(item);
    } else if (key == "do_resize") {
      options.do_resize = item.as_bool();
    } else if (key == "do_rescale") {
      options.do_rescale = item.as_bool();
    } else if (key == "do_normalize") {
      options.do_normalize = item.as_bool();
    } else {
      FAIL("unknown option " << key);
    }
  }
  return options;
}

}  // namespace

TEST_CASE("rows and grids of the reference, bit for bit") {
  const ImageProcessor processor;
  for (const json::Value& c : cases().at("images").items()) {
    std::vector<Image> images;
    std::size_t tokens = 0;
    const ImageOptions options = options_of(c.at("options"));
    for (const json::Value& size : c.at("sizes").items()) {
      const std::size_t width = size_of(size.items()[0]), height = size_of(size.items()[1]);
      images.push_back(rgb_picture(width, height, c.at("kind").as_string(),
                                   static_cast<std::uint32_t>(size_of(c.at("seed")) + images.size())));
      tokens += processor.image_tokens({width, height}, options);
    }
    CAPTURE(json::dump(c.at("sizes")));
    CAPTURE(json::dump(c.at("options")));
    const ImageInputs got = processor.preprocess(images, options);
    REQUIRE(got.image_grid_thw.shape() == Shape{images.size(), 3});
    for (std::size_t i = 0; i < images.size(); ++i) {
      for (std::size_t k = 0; k < 3; ++k) {
        CHECK(got.image_grid_thw.row(i)[k] == c.at("grid").items()[i].items()[k].as_integer());
      }
    }
    CHECK(got.pixel_values.shape()[1] == 1536);
    CHECK(got.pixel_values.shape()[0] == 4 * tokens);
    CHECK(crc_of(std::span<const float>(got.pixel_values.data(), got.pixel_values.size())) == c.at("crc").as_integer());
    for (const auto& [index, row] : c.at("rows").members()) {
      const std::span<const float> values = got.pixel_values.row(std::stoul(index));
      bool equal = true;
      for (std::size_t k = 0; k < values.size(); ++k) {
        equal = equal && values[k] == static_cast<float>(row.items()[k].as_number());
      }
      CHECK(equal);
    }
  }
}

TEST_CASE("the settings of the reference's class, where a file gives none") {
  const ImageProcessor processor(ImageProcessorConfig::from_json(json::Value::object()));
  const json::Value& expected = cases().at("image_class_defaults");
  const ImageInputs got = processor.preprocess(rgb_picture(100, 80, "noise", 9));
  CHECK(got.image_grid_thw[1] == expected.at("grid").items()[0].items()[1].as_integer());
  CHECK(got.image_grid_thw[2] == expected.at("grid").items()[0].items()[2].as_integer());
  CHECK(crc_of(std::span<const float>(got.pixel_values.data(), got.pixel_values.size())) ==
        expected.at("crc").as_integer());
  for (std::size_t k = 0; k < expected.at("row").size(); ++k) {
    CHECK(got.pixel_values.row(3)[k] == static_cast<float>(expected.at("row").items()[k].as_number()));
  }
}

TEST_CASE("the price of a picture, without its pixels") {
  const ImageProcessor processor;
  CHECK(processor.image_tokens({1920, 1080}) == 2040);
  CHECK(processor.image_tokens({640, 480}) == 300);
  CHECK(processor.image_tokens({320, 240}) == 80);
  CHECK(processor.image_tokens({7000, 5000}) == 16308);
  CHECK(processor.image_tokens({1000, 48}) == 74);
  CHECK(processor.get_number_of_image_patches({640, 480}) == 1200);
  ImageOptions options;
  options.max_pixels = 65536;
  CHECK(processor.image_tokens({7000, 5000}, options) < 65);
  options.min_pixels = 65536;
  options.max_pixels.reset();
  CHECK(processor.image_tokens({64, 64}, options) == 64);
}

TEST_CASE("a least area above the greatest is heeded as in the reference, and said in the log") {
  const ImageProcessor processor;
  ImageOptions options;
  options.min_pixels = 50000;
  options.max_pixels = 10000;
  LogCapture log;
  const ImageInputs large = processor.preprocess(Image(300, 300), options);
  CHECK(large.image_grid_thw[1] == 6);
  CHECK(log.messages == std::vector<std::string>{"min_pixels 50000 is above max_pixels 10000: small pictures grow to "
                                                 "the one, large ones shrink to the other"});
  CHECK(processor.preprocess(Image(40, 40), options).image_grid_thw[1] == 14);
  log.messages.clear();
  options.min_pixels.reset();  // the settings' own least area is none of the call's
  processor.preprocess(Image(300, 300), options);
  CHECK(log.messages.empty());
}

TEST_CASE("layouts and threads do not change a bit") {
  const ImageProcessor processor;
  const std::vector<std::uint8_t> bgra = picture(64, 96, "noise", 5, 4);
  const PixelView view{bgra.data(), 64, 96, PixelFormat::bgra};
  const Image rgb(view);
  ImageOptions options;
  for (const bool resize : {false, true}) {
    options.do_resize = resize;
    const ImageInputs a = processor.preprocess(rgb.view(), options);
    ThreadCount threads(3);
    const ImageInputs b = processor.preprocess(view, options);
    CHECK(std::memcmp(a.pixel_values.data(), b.pixel_values.data(), a.pixel_values.size() * sizeof(float)) == 0);
  }
  const std::vector<std::uint8_t> grey = picture(32, 32, "noise", 6, 1);
  const PixelView grey_view{grey.data(), 32, 32, PixelFormat::grey};
  options.do_resize = false;
  const ImageInputs a = processor.preprocess(grey_view, options), b = processor.preprocess(Image(grey_view), options);
  CHECK(std::memcmp(a.pixel_values.data(), b.pixel_values.data(), a.pixel_values.size() * sizeof(float)) == 0);
}

TEST_CASE("no picture, no rows") {
  const ImageInputs got = ImageProcessor().preprocess(std::span<const Image>());
  CHECK(got.pixel_values.shape() == Shape{0, 1536});
  CHECK(got.image_grid_thw.shape() == Shape{0, 3});
}

TEST_CASE("what cannot be processed") {
  const ImageProcessor processor;
  ImageOptions options;
  options.do_resize = false;
  CHECK(contains(message_of<MediaError>([&] { processor.preprocess(Image(33, 64), options); }), "multiple of 32"));
  CHECK(contains(message_of<MediaError>([&] { processor.preprocess(Image(2001, 10)); }), "200.1"));
  CHECK_THROWS_AS(processor.preprocess(PixelView{}), InputError);
  options = {};
  options.max_pixels = 0;
  CHECK_THROWS_AS(processor.preprocess(Image(64, 64), options), InputError);
  ImageProcessorConfig config;
  config.image_std[1] = 0.0;
  CHECK(contains(message_of<ConfigError>([&] { ImageProcessor{config}; }), "image_std"));
  config = {};
  config.patch_size = 0;
  CHECK(contains(message_of<ConfigError>([&] { ImageProcessor{config}; }), "patch_size"));
}
