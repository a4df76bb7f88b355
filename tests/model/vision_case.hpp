// SPDX-License-Identifier: Apache-2.0
// The arguments of a recorded multimodal step (tests/data/vision), whole and cut in two.
#pragma once

#include "model/oracle_case.hpp"

#include <qwen35/config/json_fields.hpp>
#include <qwen35/json/parse.hpp>
#include <qwen35/model/attention_mask.hpp>

#include <array>
#include <cstdint>
#include <optional>

namespace oracle {

template <class T>
qwen35::TensorView<T> view_of(const Fields& fields, std::size_t step, const char* name) {
  const Recorded* const found = find(fields, step, name);
  return found == nullptr ? qwen35::TensorView<T>() : found->view<T>();
}

inline bool same_values(const qwen35::Tensor<std::int32_t>& a, const qwen35::TensorView<std::int32_t>& b) {
  return a.shape() == b.shape() && std::equal(a.begin(), a.end(), b.data());
}

// spatial_merge_size of a recorded model.
inline std::size_t merge_size(const std::string& name) {
  const qwen35::MappedFile file(std::string(QWEN35_TEST_DATA) + "/vision/" + name + "/config.json");
  const qwen35::json::Value config =
      qwen35::json::parse({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()}, "config.json");
  return static_cast<std::size_t>(config.at("vision_config").at("spatial_merge_size").as_integer());
}

// Grids are recorded in 32 bits.
inline qwen35::Tensor<std::int64_t> wide(const qwen35::TensorView<std::int32_t>& values) {
  return values ? qwen35::Tensor<std::int64_t>(values.shape(),
                                               std::vector<std::int64_t>(values.data(), values.data() + values.size()))
                : qwen35::Tensor<std::int64_t>();
}
inline qwen35::TensorView<std::int64_t> maybe(const qwen35::Tensor<std::int64_t>& grid) {
  return grid.empty() ? qwen35::TensorView<std::int64_t>() : qwen35::TensorView<std::int64_t>(grid);
}

struct VisionStep {
  VisionStep(const Fields& fields, std::size_t step)
      : image_grid(wide(view_of<std::int32_t>(fields, step, "image_grid_thw"))),
        video_grid(wide(view_of<std::int32_t>(fields, step, "video_grid_thw"))),
        input_ids(view_of<qwen35::TokenId>(fields, step, "input_ids")),
        attention_mask(view_of<std::int32_t>(fields, step, "attention_mask")),
        mm_token_type_ids(view_of<std::int32_t>(fields, step, "mm_token_type_ids")),
        pixel_values(view_of<float>(fields, step, "pixel_values")),
        pixel_values_videos(view_of<float>(fields, step, "pixel_values_videos")),
        image_grid_thw(maybe(image_grid)),
        video_grid_thw(maybe(video_grid)) {}
  VisionStep(const VisionStep&) = delete;

  qwen35::Tensor<std::int64_t> image_grid;
  qwen35::Tensor<std::int64_t> video_grid;
  qwen35::TensorView<qwen35::TokenId> input_ids;
  qwen35::TensorView<std::int32_t> attention_mask;
  qwen35::TensorView<std::int32_t> mm_token_type_ids;
  qwen35::TensorView<float> pixel_values;
  qwen35::TensorView<float> pixel_values_videos;
  qwen35::TensorView<std::int64_t> image_grid_thw;
  qwen35::TensorView<std::int64_t> video_grid_thw;
};

// Pictures or videos of some sequences, taken from those of the whole batch.
struct MediaPart {
  std::vector<std::int64_t> grid;
  std::vector<float> pixels;
  qwen35::TensorView<std::int64_t> grid_thw() const {
    return grid.empty() ? qwen35::TensorView<std::int64_t>()
                        : qwen35::TensorView<std::int64_t>(grid.data(), {grid.size() / 3, 3});
  }
  qwen35::TensorView<float> pixel_values(std::size_t width) const {
    return pixels.empty() ? qwen35::TensorView<float>()
                          : qwen35::TensorView<float>(pixels.data(), {pixels.size() / width, width});
  }
};

// Hands out the items of a batch in order: so many as stand for a number of placeholder tokens.
class MediaSource {
 public:
  MediaSource(qwen35::TensorView<std::int64_t> grid, qwen35::TensorView<float> pixels, std::size_t merge)
      : grid_(grid), pixels_(pixels), merge_(merge) {}
  // False when the tokens end inside an item.
  bool take(std::size_t tokens, MediaPart& out) {
    while (tokens > 0) {
      const std::int64_t* const g = grid_.data() + 3 * item_++;
      const auto patches = static_cast<std::size_t>(g[0] * g[1] * g[2]);
      if (patches / (merge_ * merge_) > tokens) {
        return false;
      }
      tokens -= patches / (merge_ * merge_);
      out.grid.insert(out.grid.end(), g, g + 3);
      if (pixels_) {
        const std::size_t width = pixels_.shape()[1];
        out.pixels.insert(out.pixels.end(), pixels_.data() + patch_ * width,
                          pixels_.data() + (patch_ + patches) * width);
      }
      patch_ += patches;
    }
    return true;
  }

 private:
  qwen35::TensorView<std::int64_t> grid_;
  qwen35::TensorView<float> pixels_;
  std::size_t merge_;
  std::size_t item_ = 0;
  std::size_t patch_ = 0;
};

// A prompt as two calls on one cache.
struct Halves {
  std::array<qwen35::Tensor<qwen35::TokenId>, 2> ids;
  std::array<qwen35::Tensor<std::int32_t>, 2> types;
  std::array<qwen35::Tensor<std::int32_t>, 2> mask;  // of the new tokens alone
  std::array<MediaPart, 2> image;
  std::array<MediaPart, 2> video;
  std::array<qwen35::TensorView<std::int64_t>, 2> images;
  std::array<qwen35::TensorView<std::int64_t>, 2> videos;
  std::vector<std::int32_t> past_tokens;  // unmasked tokens of the first half, for each sequence
};

// Nothing when a picture or a video would be cut, or a sequence would have no tokens before the cut.
inline std::unique_ptr<Halves> split_step(const VisionStep& step, std::size_t cut, std::size_t merge) {
  const std::size_t batch = step.input_ids.shape()[0];
  const std::size_t length = step.input_ids.shape()[1];
  auto out = std::make_unique<Halves>();
  MediaSource images(step.image_grid_thw, step.pixel_values, merge);
  MediaSource videos(step.video_grid_thw, step.pixel_values_videos, merge);
  out->past_tokens.assign(batch, 0);
  std::vector<std::int32_t> ones(batch * length, 1);
  const qwen35::TensorView<std::int32_t> mask =
      step.attention_mask ? step.attention_mask : qwen35::TensorView<std::int32_t>(ones.data(), {batch, length});
  const std::size_t from[] = {0, cut};
  const std::size_t to[] = {cut, length};
  // Media come in the order of the whole batch: sequence by sequence, both halves of each.
  for (std::size_t b = 0; b < batch; ++b) {
    for (std::size_t half : {0u, 1u}) {
      std::size_t image = 0;
      std::size_t video = 0;
      for (std::size_t s = from[half]; s < to[half]; ++s) {
        image += step.mm_token_type_ids[b * length + s] == 1 ? 1u : 0u;
        video += step.mm_token_type_ids[b * length + s] == 2 ? 1u : 0u;
        out->past_tokens[b] += half == 0 && mask[b * length + s] != 0 ? 1 : 0;
      }
      if (!images.take(image, out->image[half]) || !videos.take(video, out->video[half])) {
        return nullptr;
      }
    }
    if (out->past_tokens[b] == 0) {
      return nullptr;
    }
  }
  for (std::size_t half : {0u, 1u}) {
    out->ids[half] = columns(step.input_ids, from[half], to[half]);
    out->types[half] = columns(step.mm_token_type_ids, from[half], to[half]);
    out->mask[half] = columns(mask, from[half], to[half]);
    out->images[half] = out->image[half].grid_thw();
    out->videos[half] = out->video[half].grid_thw();
  }
  return out;
}

}  // namespace oracle
