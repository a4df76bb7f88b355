// SPDX-License-Identifier: Apache-2.0
// The pictures or the videos of a forward call: pixels to be encoded, or features that were encoded before.
#pragma once

#include <qwen35/core/dtype.hpp>
#include <qwen35/model/image_features.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/core/grid.hpp>

#include <algorithm>
#endif

QWEN35_BEGIN_NAMESPACE

class MediaInput {
 public:
  enum class Kind { image, video };

  // pixels `[patches, values of a patch]`, grid_thw `[items, 3]`, features: one for each item. Any may be absent, but
  // pixels need a grid. A grid beside features must be theirs. Raises InputError, also for features whose rows are not
  // `width` wide or not as many as their grid says.
  MediaInput(Kind kind, TensorView<float> pixels, TensorView<std::int64_t> grid_thw,
             std::span<const ImageFeatures> features, std::size_t merge, std::size_t width);
  MediaInput(const MediaInput&) = delete;

  TensorView<float> pixels() const { return pixels_; }
  TensorView<std::int64_t> grid_thw() const { return grid_; }
  // Are there rows to stand in the place of placeholder tokens?
  bool has_rows() const { return pixels_ || !features_.empty(); }
  bool encoded() const { return !features_.empty(); }
  std::span<const ImageFeatures> features() const { return features_; }
  // Encoded now, by the vision tower.
  void set_features(std::vector<ImageFeatures> features);

  // The placeholder tokens, those of this id, by flat index in order. Raises InputError, in the reference's words,
  // unless there is a row for each.
  void set_places(std::vector<std::size_t> places, TokenId id);
  // The rows of all items to their places: replaced_rows `[tokens]`.
  void splice(std::span<const float*> replaced_rows) const;

 private:
  void check();

  Kind kind_;
  TensorView<float> pixels_;
  TensorView<std::int64_t> grid_;
  std::span<const ImageFeatures> features_;
  std::size_t merge_;
  std::size_t width_;
  std::vector<std::int64_t> own_grid_;
  std::vector<ImageFeatures> own_features_;
  std::vector<std::size_t> places_;
};

#if QWEN35_BODIES

QWEN35_BODY MediaInput::MediaInput(Kind kind, TensorView<float> pixels, TensorView<std::int64_t> grid_thw,
                                   std::span<const ImageFeatures> features, std::size_t merge, std::size_t width)
    : kind_(kind), pixels_(pixels), grid_(grid_thw), features_(features), merge_(merge), width_(width) {
  check();
}

QWEN35_BODY void MediaInput::set_features(std::vector<ImageFeatures> features) {
  own_features_ = std::move(features);
  features_ = own_features_;
}

QWEN35_BODY void MediaInput::set_places(std::vector<std::size_t> places, TokenId id) {
  const std::size_t tokens = places.size();
  places_ = std::move(places);
  std::size_t rows = pixels_ && !encoded() ? pixels_.shape()[0] / (merge_ * merge_) : 0;
  for (const ImageFeatures& item : features_) {
    rows += item.pooler_output.shape()[0];
  }
  require<InputError>(
      tokens == rows, kind_ == Kind::image ? "Image features and image tokens" : "Video features and video tokens",
      " do not match, tokens: ", tokens, ", features: ", rows,
      tokens > 0 ? ""
                 : concat(": nothing in the input is ", id, ", the model's ", kind_ == Kind::image ? "image" : "video",
                          "_token_id (the family's where the config does not say it, or the GGUF file "
                          "has no vocabulary)"));
}

QWEN35_BODY void MediaInput::splice(std::span<const float*> replaced_rows) const {
  std::size_t next = 0;
  for (const ImageFeatures& item : features_) {
    for (std::size_t i = 0; i < item.pooler_output.shape()[0]; ++i) {
      replaced_rows[places_[next++]] = item.pooler_output.data() + i * width_;
    }
  }
}

QWEN35_BODY void MediaInput::check() {
  const bool image = kind_ == Kind::image;
  const char* const pixel_name = image ? "pixel_values" : "pixel_values_videos";
  const char* const grid_name = image ? "image_grid_thw" : "video_grid_thw";
  const char* const feature_name = image ? "image_features" : "video_features";
  require<InputError>(!pixels_ || features_.empty(), pixel_name, " and ", feature_name,
                      " were given: one of them is wanted");
  require<InputError>(!pixels_ || grid_, pixel_name, " were given without ", grid_name);
  require<InputError>(!pixels_ || pixels_.shape().rank() == 2, pixel_name, " of shape ", to_string(pixels_.shape()),
                      ", expected [patches, values]");
  grid_count(grid_, grid_name);
  for (std::size_t i = 0; i < features_.size(); ++i) {
    const auto& [t, h, w] = features_[i].grid_thw;
    const Shape& shape = features_[i].pooler_output.shape();
    const Grid grid{t, h, w};
    require<InputError>(grid.possible(merge_) && shape == Shape{grid.tokens(merge_), width_}, feature_name, "[", i,
                        "] has rows ", to_string(shape), " for a grid of (", t, ", ", h, ", ", w, "), expected one of ",
                        width_, " values for each ", merge_, " x ", merge_, " patches");
    own_grid_.insert(own_grid_.end(), {t, h, w});
  }
  if (features_.empty()) {
    return;
  }
  require<InputError>(
      !grid_ || (grid_.size() == own_grid_.size() && std::equal(own_grid_.begin(), own_grid_.end(), grid_.data())),
      grid_name, " is not that of ", feature_name);
  grid_ = TensorView<std::int64_t>(own_grid_.data(), {features_.size(), 3});
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
