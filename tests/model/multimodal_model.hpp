// SPDX-License-Identifier: Apache-2.0
// A multimodal model of any config as the checks use it: what is checked is compiled once in a file however many
// configs it has.
#pragma once

#include "model/vision_case.hpp"

#include <qwen35/generate/generate.hpp>
#include <qwen35/model/any_model.hpp>

namespace oracle {

using MediaArguments = qwen35::ForwardInput;
using MediaResult = qwen35::ForwardOutput;

struct Generated {
  qwen35::Tensor<qwen35::TokenId> sequences;
  std::vector<float> scores;
};

struct MediaCache {
  std::vector<std::int32_t> rope_deltas() const { return {cache.rope_deltas().begin(), cache.rope_deltas().end()}; }
  std::vector<qwen35::TokenId> ids() const { return {cache.ids().begin(), cache.ids().end()}; }
  qwen35::RectangleCache cache;
};

class AnyMediaModel {
 public:
  AnyMediaModel(qwen35::AnyModel model, std::size_t merge, bool is_moe)
      : model_(std::move(model)), merge_(merge), is_moe_(is_moe) {}

  std::unique_ptr<MediaCache> make_cache() const { return std::make_unique<MediaCache>(); }
  std::size_t merge() const { return merge_; }
  bool is_moe() const { return is_moe_; }
  std::vector<qwen35::ImageFeatures> encode(qwen35::TensorView<float> pixels,
                                            qwen35::TensorView<std::int64_t> grid) const {
    return model_.get_image_features(pixels, grid);
  }
  MediaResult forward(MediaArguments arguments, MediaCache* cache = nullptr) const {
    arguments.past_key_values = slots(cache);
    return model_.forward(arguments);
  }
  qwen35::RopeIndex positions(MediaArguments arguments, MediaCache* cache = nullptr) const {
    arguments.past_key_values = slots(cache);
    return model_.positions(arguments);
  }
  Generated generate(const MediaArguments& arguments, const qwen35::GenerationConfig& config,
                     MediaCache* cache = nullptr) const {
    MediaArguments media = arguments;
    media.input_ids = {};
    media.attention_mask = {};
    auto out = model_.generate({.input_ids = arguments.input_ids,
                                .attention_mask = arguments.attention_mask,
                                .past_key_values = slots(cache),
                                .model_kwargs = media},
                               config);
    return {std::move(out.sequences), std::move(out.sequences_scores)};
  }

 private:
  static qwen35::RectangleCache* slots(MediaCache* cache) { return cache == nullptr ? nullptr : &cache->cache; }

  qwen35::AnyModel model_;
  std::size_t merge_;
  bool is_moe_;
};

template <class Config>
AnyMediaModel media_model(const std::string& folder) {
  return {qwen35::open_model<Config>(qwen35::Checkpoint::open(folder)), Config::vision_config::spatial_merge_size,
          qwen35::is_moe<typename Config::text_config>};
}

}  // namespace oracle
