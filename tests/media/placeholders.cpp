// SPDX-License-Identifier: Apache-2.0
#include <qwen35/media/frame_sampling.hpp>
#include <qwen35/media/placeholders.hpp>

#include <media/media_test.hpp>

#include <cstdio>

using namespace qwen35;
using namespace media_test;

namespace {

// Of grids that live as long as the call.
std::vector<std::string> images_of(const Tensor<std::int64_t>& grid) {
  return image_replacements(grid);
}
std::vector<std::string> videos_of(const Tensor<std::int64_t>& grid, std::span<const std::vector<double>> times) {
  return video_replacements(grid, times);
}

Tensor<std::int64_t> grid_of(const json::Value& rows) {
  std::vector<std::int64_t> values;
  for (const json::Value& row : rows.items()) {
    for (const json::Value& item : row.items()) {
      values.push_back(item.as_integer());
    }
  }
  return Tensor<std::int64_t>({rows.size(), 3}, values);
}

std::vector<std::string> strings(const json::Value& list) {
  std::vector<std::string> out;
  for (const json::Value& item : list.items()) {
    out.push_back(item.as_string());
  }
  return out;
}

}  // namespace

TEST_CASE("texts of the reference") {
  const json::Value& c = cases().at("text");
  std::vector<std::vector<double>> times;
  for (std::size_t i = 0; i < 2; ++i) {
    std::vector<std::size_t> indices;
    for (const json::Value& item : c.at("frames_indices").items()[i].items()) {
      indices.push_back(size_of(item));
    }
    times.push_back(frame_timestamps(indices, c.at("fps").items()[i].as_number(), 2));
  }
  const std::vector<std::string> images = images_of(grid_of(c.at("image_grid")));
  const std::vector<std::string> videos = videos_of(grid_of(c.at("video_grid")), times);
  CHECK(images == strings(c.at("images")));
  CHECK(videos == strings(c.at("videos")));
  std::vector<std::string> texts = strings(c.at("texts"));
  expand_placeholders(texts, images, videos);
  CHECK(texts == strings(c.at("expanded")));
  texts = strings(c.at("texts"));
  expand_placeholders(texts, images, {});
  CHECK(texts == strings(c.at("only_images")));
}

TEST_CASE("the form with the marks as a part of the placeholder") {
  const std::vector<std::string> videos{"[1]", "[2]", "[3]"};
  const auto expand = [&](std::vector<std::string> texts, VideoForm form) {
    expand_placeholders(texts, {}, videos, {}, form);
    return texts;
  };
  const std::string marked = "<|vision_start|><|video_pad|><|vision_end|>";
  CHECK(expand({"a" + marked + "b" + marked}, VideoForm::marked) == std::vector<std::string>{"a[1]b[2]"});
  CHECK(expand({"a" + marked + "b" + marked}, VideoForm::pad) ==
        std::vector<std::string>{"a<|vision_start|>[1]<|vision_end|>b<|vision_start|>[2]<|vision_end|>"});
  CHECK(expand({"<|video_pad|>", marked}, VideoForm::marked) == std::vector<std::string>{"[1]", "[2]"});
  // In one text the marked ones come first, wherever they stand.
  CHECK(expand({"<|video_pad|>x" + marked}, VideoForm::marked) == std::vector<std::string>{"[2]x[1]"});
  CHECK(expand({"<|video_pad|>x" + marked + "<|video_pad|>"}, VideoForm::marked) ==
        std::vector<std::string>{"[2]x[1][3]"});
}

TEST_CASE("too few pictures is an error, too many is not") {
  const std::vector<std::string> one{"X"};
  std::vector<std::string> texts{"<|image_pad|><|image_pad|>"};
  CHECK(contains(message_of<InputError>([&] { expand_placeholders(texts, one, {}); }),
                 "more image placeholders than the 1 images"));
  texts = {"<|image_pad|>", "<|video_pad|>", "<|video_pad|>"};
  CHECK(contains(message_of<InputError>([&] { expand_placeholders(texts, one, one); }), "more video placeholders"));
  texts = {"a"};
  expand_placeholders(texts, one, one);
  CHECK(texts[0] == "a");
  texts = {"<|image_pad|>"};
  expand_placeholders(texts, {}, {});
  CHECK(texts[0] == "<|image_pad|>");
}

TEST_CASE("grids and times that do not fit") {
  const std::vector<std::vector<double>> times{{0.5}};
  CHECK_THROWS_AS(videos_of(Tensor<std::int64_t>({1, 3}, {2, 4, 4}), times), InputError);
  CHECK_THROWS_AS(videos_of(Tensor<std::int64_t>({2, 3}, {1, 4, 4, 1, 4, 4}), times), InputError);
  CHECK_THROWS_AS(images_of(Tensor<std::int64_t>({3}, {1, 4, 4})), InputError);
  CHECK_THROWS_AS(images_of(Tensor<std::int64_t>({1, 3}, {1, -4, 4})), InputError);
  CHECK_THROWS_AS(images_of(Tensor<std::int64_t>({1, 3}, {1, std::int64_t{1} << 40, std::int64_t{1} << 40})),
                  InputError);
  CHECK(image_replacements(TensorView<std::int64_t>()).empty());
}

TEST_CASE("decimals are rounded as printf does") {
  const std::vector<std::vector<double>> times{{0.25, 0.35, 1e300}};
  const std::string text = videos_of(Tensor<std::int64_t>({1, 3}, {3, 2, 2}), times)[0];
  CHECK(contains(text,
                 "<0.2 seconds><|vision_start|><|video_pad|><|vision_end|><0.3 seconds>"));  // 0.35 is below its half
  char large[400];
  std::snprintf(large, sizeof(large), "<%.1f seconds>", 1e300);
  CHECK(contains(text, large));
}

TEST_CASE("kinds of tokens") {
  const std::vector<std::int32_t> ids{5, 7, 7, 1, 9, 9};
  CHECK(mm_token_type_ids(ids, 7, 9) == std::vector<std::int32_t>{0, 1, 1, 0, 2, 2});
}

TEST_CASE("grids that cannot be are refused before anything is written") {
  const auto refused = [](std::int64_t t, std::int64_t h, std::int64_t w, std::size_t merge) {
    const Tensor<std::int64_t> grid({1, 3}, {t, h, w});
    try {
      image_replacements(grid, merge);
    } catch (const InputError&) {
      return true;
    }
    return false;
  };
  CHECK(!refused(1, 4, 6, 2));
  CHECK(refused(1, 4, 6, 0));
  CHECK(refused(1, 5, 6, 2));
  CHECK(refused(1, 4, 0, 2));
  CHECK(refused(1 << 20, 1 << 20, 1 << 20, 2));
  CHECK(refused(std::int64_t{1} << 62, 2, 2, 2));
}
