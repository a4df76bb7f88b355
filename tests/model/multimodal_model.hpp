// SPDX-License-Identifier: Apache-2.0
// A ConditionalGeneration of any config behind one interface, so that what is checked is compiled once in a file
// however many configs it has.
#pragma once

#include "model/vision_case.hpp"

#include <qwen35/generate/generate.hpp>
#include <qwen35/model/conditional_generation.hpp>

namespace oracle {

// What the checks vary; views that are not set are not given.
struct MediaArguments {
  qwen35::TensorView<qwen35::TokenId> input_ids;
  qwen35::AttentionMask attention_mask;
  qwen35::TensorView<std::int32_t> position_ids;
  qwen35::TensorView<float> inputs_embeds;
  qwen35::TensorView<std::int32_t> labels;
  qwen35::TensorView<float> pixel_values;
  qwen35::TensorView<float> pixel_values_videos;
  qwen35::TensorView<std::int64_t> image_grid_thw;
  qwen35::TensorView<std::int64_t> video_grid_thw;
  qwen35::TensorView<std::int32_t> mm_token_type_ids;
  std::span<const qwen35::ImageFeatures> image_features;
  std::span<const qwen35::ImageFeatures> video_features;
  bool output_hidden_states = false;
  std::optional<bool> output_router_logits;
  qwen35::LogitsToKeep logits_to_keep = 0;
};

struct MediaResult {
  std::optional<float> loss;
  std::optional<float> aux_loss;
  qwen35::Tensor<float> logits;
  std::vector<qwen35::Tensor<float>> hidden_states;
  std::vector<qwen35::Tensor<float>> router_logits;
  std::vector<std::int32_t> rope_deltas;
};

struct Generated {
  qwen35::Tensor<qwen35::TokenId> sequences;
  std::vector<float> scores;
};

struct MediaCache {
  virtual ~MediaCache() = default;
  virtual std::vector<std::int32_t> rope_deltas() const = 0;
  virtual std::vector<qwen35::TokenId> ids() const = 0;
};

struct AnyMediaModel {
  virtual ~AnyMediaModel() = default;
  virtual std::unique_ptr<MediaCache> make_cache() const = 0;
  virtual MediaResult forward(const MediaArguments& arguments, MediaCache* cache = nullptr) const = 0;
  virtual qwen35::RopeIndex positions(const MediaArguments& arguments, MediaCache* cache = nullptr) const = 0;
  virtual std::vector<qwen35::ImageFeatures> encode(qwen35::TensorView<float> pixels,
                                                    qwen35::TensorView<std::int64_t> grid) const = 0;
  virtual Generated generate(const MediaArguments& arguments, const qwen35::GenerationConfig& config,
                             MediaCache* cache = nullptr) const = 0;
  virtual std::size_t merge() const = 0;
  virtual bool is_moe() const = 0;
};

template <class Config>
class MediaModel final : public AnyMediaModel {
 public:
  using Model = qwen35::ConditionalGeneration<Config>;
  using Input = typename Model::Input;

  struct Cache final : MediaCache {
    std::vector<std::int32_t> rope_deltas() const override {
      return {cache.rope_deltas().begin(), cache.rope_deltas().end()};
    }
    std::vector<qwen35::TokenId> ids() const override { return {cache.ids().begin(), cache.ids().end()}; }
    qwen35::HybridCache<Config> cache;
  };

  explicit MediaModel(const std::string& folder) : model_(Model::from_pretrained(folder)) {}

  std::unique_ptr<MediaCache> make_cache() const override { return std::make_unique<Cache>(); }
  std::size_t merge() const override { return Config::vision_config::spatial_merge_size; }
  bool is_moe() const override { return qwen35::is_moe<typename Config::text_config>; }
  std::vector<qwen35::ImageFeatures> encode(qwen35::TensorView<float> pixels,
                                            qwen35::TensorView<std::int64_t> grid) const override {
    return model_.get_image_features(pixels, grid);
  }

  MediaResult forward(const MediaArguments& a, MediaCache* cache) const override {
    auto out = model_.forward(input(a, cache));
    return {out.loss,
            out.aux_loss,
            std::move(out.logits),
            std::move(out.hidden_states),
            std::move(out.router_logits),
            std::move(out.rope_deltas)};
  }
  qwen35::RopeIndex positions(const MediaArguments& a, MediaCache* cache) const override {
    return model_.model.positions({.input_ids = a.input_ids,
                                   .attention_mask = a.attention_mask,
                                   .past_key_values = slots(cache),
                                   .inputs_embeds = a.inputs_embeds,
                                   .pixel_values = a.pixel_values,
                                   .pixel_values_videos = a.pixel_values_videos,
                                   .image_grid_thw = a.image_grid_thw,
                                   .video_grid_thw = a.video_grid_thw,
                                   .mm_token_type_ids = a.mm_token_type_ids,
                                   .image_features = a.image_features,
                                   .video_features = a.video_features});
  }
  Generated generate(const MediaArguments& a, const qwen35::GenerationConfig& config,
                     MediaCache* cache) const override {
    Input media = input(a, nullptr);
    media.input_ids = {};
    media.attention_mask = {};
    auto out = model_.generate({.input_ids = a.input_ids,
                                .attention_mask = a.attention_mask,
                                .past_key_values = slots(cache),
                                .model_kwargs = media},
                               config);
    return {std::move(out.sequences), std::move(out.sequences_scores)};
  }

 private:
  static qwen35::HybridCache<Config>* slots(MediaCache* cache) {
    return cache == nullptr ? nullptr : &static_cast<Cache*>(cache)->cache;
  }
  static Input input(const MediaArguments& a, MediaCache* cache) {
    return {.input_ids = a.input_ids,
            .attention_mask = a.attention_mask,
            .position_ids = a.position_ids,
            .past_key_values = slots(cache),
            .inputs_embeds = a.inputs_embeds,
            .labels = a.labels,
            .pixel_values = a.pixel_values,
            .pixel_values_videos = a.pixel_values_videos,
            .image_grid_thw = a.image_grid_thw,
            .video_grid_thw = a.video_grid_thw,
            .mm_token_type_ids = a.mm_token_type_ids,
            .image_features = a.image_features,
            .video_features = a.video_features,
            .output_hidden_states = a.output_hidden_states,
            .output_router_logits = a.output_router_logits,
            .logits_to_keep = a.logits_to_keep};
  }

  Model model_;
};

}  // namespace oracle
