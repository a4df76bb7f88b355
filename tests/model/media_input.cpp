// SPDX-License-Identifier: Apache-2.0
#include <qwen35/model/media_input.hpp>

#include "support/message_of.hpp"

#include <doctest/doctest.h>

using namespace qwen35;
using test_support::contains;
using test_support::message_of;

namespace {

constexpr auto image = MediaInput::Kind::image;
constexpr auto video = MediaInput::Kind::video;

// Rows of 3 values for a grid, merged 2 x 2.
ImageFeatures features_of(std::int64_t t, std::int64_t h, std::int64_t w) {
  ImageFeatures out;
  out.grid_thw = {t, h, w};
  out.pooler_output = Tensor<float>({static_cast<std::size_t>(t * h * w / 4), 3});
  return out;
}

std::string problem(std::span<const ImageFeatures> features, TensorView<std::int64_t> grid = {}) {
  return message_of<InputError>([&] { MediaInput(video, {}, grid, features, 2, 3); });
}

}  // namespace

TEST_CASE("rows of features go to their places in order") {
  const std::vector<ImageFeatures> items = {features_of(1, 2, 4), features_of(2, 2, 2)};
  MediaInput media(image, {}, {}, items, 2, 3);
  CHECK(media.has_rows());
  CHECK(media.encoded());
  CHECK(media.grid_thw().shape() == Shape{2, 3});
  CHECK(media.grid_thw()[3] == 2);
  media.set_places({1, 2, 5, 6}, 438);
  std::vector<const float*> rows(7, nullptr);
  media.splice(rows);
  const float* const a = items[0].pooler_output.data();
  const float* const b = items[1].pooler_output.data();
  CHECK(rows == std::vector<const float*>{nullptr, a, a + 3, nullptr, nullptr, b, b + 3});
  CHECK(message_of<InputError>([&] {
          media.set_places({1, 2, 5}, 438);
        }) == "Image features and image tokens do not match, tokens: 3, features: 4");
  CHECK(message_of<InputError>([&] { media.set_places({}, 438); }) ==
        "Image features and image tokens do not match, tokens: 0, features: 4: nothing in the input is 438, the "
        "model's image_token_id (the family's where the config does not say it, or the GGUF file has no vocabulary)");
}

TEST_CASE("pixels count as the rows they will give") {
  const Tensor<float> pixels({8, 5});
  const std::vector<std::int64_t> grid = {1, 2, 4};
  MediaInput media(video, pixels, grid, {}, 2, 3);
  CHECK(media.has_rows());
  CHECK(!media.encoded());
  CHECK(message_of<InputError>([&] { media.set_places({0}, 439); }) ==
        "Video features and video tokens do not match, tokens: 1, features: 2");
  media.set_features({features_of(1, 2, 4)});
  media.set_places({0, 1}, 439);
  CHECK(media.encoded());
  CHECK(!MediaInput(video, {}, grid, {}, 2, 3).has_rows());
}

TEST_CASE("arguments that do not fit") {
  const Tensor<float> pixels({8, 5});
  const std::vector<std::int64_t> grid = {1, 2, 4};
  const std::vector<std::int64_t> two = {1, 2};
  std::vector<ImageFeatures> items = {features_of(1, 2, 4)};
  const auto with = [&](TensorView<float> p, TensorView<std::int64_t> g, std::span<const ImageFeatures> f) {
    return message_of<InputError>([&] { MediaInput(image, p, g, f, 2, 3); });
  };
  CHECK(with(pixels, grid, {}).empty());
  CHECK(with({}, grid, items).empty());
  CHECK(contains(with(pixels, grid, items), "pixel_values and image_features were given"));
  CHECK(contains(with(pixels, {}, {}), "pixel_values were given without image_grid_thw"));
  CHECK(contains(with(pixels, two, {}), "image_grid_thw of shape [1, 2], expected [items, 3]"));
  CHECK(contains(with({pixels.data(), {8, 5, 1}}, grid, {}),
                 "pixel_values of shape [8, 5, 1], expected [patches, values]"));
  CHECK(contains(problem(items, {1, 4, 2}), "video_grid_thw is not that of video_features"));
  CHECK(contains(problem(items, {1, 2, 4, 1, 2, 4}), "video_grid_thw of shape [1, 6], expected [items, 3]"));
  items[0].grid_thw = {1, 4, 4};
  CHECK(problem(items) ==
        "video_features[0] has rows [2, 3] for a grid of (1, 4, 4), expected one of 3 values for each 2 x 2 patches");
  for (const std::int64_t bad : {std::int64_t{-2}, std::int64_t{0}, std::int64_t{3}, std::int64_t{1} << 62}) {
    items[0].grid_thw = {1, bad, 4};
    CHECK(contains(problem(items), "video_features[0] has rows"));
  }
  items = {features_of(1, 2, 4)};
  items[0].pooler_output = Tensor<float>({2, 4});
  CHECK(contains(problem(items), "video_features[0] has rows [2, 4]"));
}
