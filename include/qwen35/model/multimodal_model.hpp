// SPDX-License-Identifier: Apache-2.0
// The multimodal model: a vision tower whose rows stand among the token embeddings of a text model. Source: reference
// `Qwen3_5MoeModel`.
#pragma once

#include <qwen35/core/lifetime.hpp>
#include <qwen35/model/media_input.hpp>
#include <qwen35/model/rope_index.hpp>
#include <qwen35/model/text_model.hpp>
#include <qwen35/model/vision_tower.hpp>

QWEN35_BEGIN_NAMESPACE

// The arguments and results under the reference's names for this model.
template <class Config>
using ModelInput = ForwardInput;
template <class Config>
using Qwen3_5MoeModelOutputWithPast = ForwardOutput;

// Immutable and shared between threads, as its two parts are.
template <class Config>
class Model {
  static_assert(is_multimodal<Config>,
                "Model<Config>: Config has no vision_config; a text model is a TextModel or a CausalLM");

 public:
  using config_type = Config;
  using Vision = vision_config_t<Config>;
  using Text = text_config_t<Config>;
  using Cache = HybridCache<Config>;
  using Input = ForwardInput;
  using Output = ForwardOutput;
  static_assert(VisionFeedsText<Vision, Text>,
                "Model<Config>: the vision tower's out_hidden_size is not the text model's hidden_size");

  Model(VisionTower<Vision> tower, TextModel<Config> text, const ConfigValues& values = ConfigValues::from<Config>())
      : visual(std::move(tower)), language_model(std::move(text)), values_(values) {
    Fingerprint both;
    both.add(language_model.fingerprint_);
    both.add(visual.fingerprint());
    both.add(values.image_token_id);
    both.add(values.video_token_id);
    language_model.fingerprint_ = both.value();
  }
  // With fresh weights. Raises ConfigError for rope parameters that contradict each other.
  explicit Model(const InitOptions& options, const ConfigValues& values = ConfigValues::from<Config>())
      : Model(VisionTower<Vision>(options), TextModel<Config>(options, values.text_config), values) {}
  // Checks config.json against the type and binds the tensors of both parts. Raises ConfigError, CheckpointError.
  explicit Model(const Checkpoint& checkpoint, Head head = Head::if_present)
      : Model(checkpoint, check<Config>(checkpoint), head) {}
  static Model from_pretrained(const std::string& folder, const CheckpointOptions& options = {}) {
    return Model(Checkpoint::open(folder, checked_for<Config>(options)));
  }
  // The same, with what it would raise as a failure.
  static Result<Model> try_from_pretrained(const std::string& folder, const CheckpointOptions& options = {}) {
    return try_bind<Model>(folder, checked_for<Config>(options));
  }

  // Raises InputError for arguments that contradict each other or the config, CacheError when the cache is full or of
  // another model.
  Output forward(const Input& input) const;
  Output operator()(const Input& input) const { return forward(input); }

  // Encodes pictures once, for any number of forwards. None when `progress` stopped it. Raises InputError.
  std::vector<ImageFeatures> get_image_features(TensorView<float> pixel_values, TensorView<std::int64_t> image_grid_thw,
                                                const VisionProgress& progress = {}) const {
    return visual.encode(pixel_values, image_grid_thw, progress);
  }
  std::vector<ImageFeatures> get_video_features(TensorView<float> pixel_values_videos,
                                                TensorView<std::int64_t> video_grid_thw,
                                                const VisionProgress& progress = {}) const {
    return visual.encode(pixel_values_videos, video_grid_thw, progress);
  }
  // Positions of a conversation from its start; see rope_index(). Raises InputError.
  RopeIndex get_rope_index(TensorView<TokenId> input_ids, TensorView<std::int32_t> mm_token_type_ids,
                           TensorView<std::int64_t> image_grid_thw = {}, TensorView<std::int64_t> video_grid_thw = {},
                           const AttentionMask& attention_mask = {}) const {
    return rope_index({.tokens = input_ids.shape(),
                       .mm_token_type_ids = mm_token_type_ids,
                       .image_grid_thw = image_grid_thw,
                       .video_grid_thw = video_grid_thw,
                       .attention_mask = attention_mask,
                       .spatial_merge_size = Vision::spatial_merge_size});
  }
  // The positions that forward() chooses when the caller gives none, and the offsets behind the new tokens. With grids
  // those of rope_index(): from the start, or going on where the cache ends, as if all had been read at once (the
  // reference then takes text positions). Else, with a cache whose offsets are known, text goes on there. Else both are
  // empty: the text model counts slots. With inputs_embeds alone media have no positions of their own, as in the
  // reference: give position_ids. Raises InputError.
  RopeIndex positions(const Input& input) const;

  // The text model's, then the tower's.
  std::vector<NamedParameter> named_parameters() const { return named_parameters(HuggingFaceNames::of_model(), false); }
  static std::size_t num_parameters() { return num_text_parameters<Config>(false) + num_vision_parameters<Vision>(); }
  // Writes a folder that from_pretrained() and the reference load, see save_checkpoint(). Raises CheckpointError.
  void save_pretrained(const std::string& folder, const SaveOptions& options = {}) const {
    save_pretrained(folder, "Model", named_parameters(), options, {});
  }

  const Matrix& get_input_embeddings() const QWEN35_LIFETIMEBOUND { return language_model.weights().embed_tokens; }
  const ConfigValues& config() const QWEN35_LIFETIMEBOUND { return values_; }
  // Of both parts: a cache holds what pictures became.
  std::uint64_t fingerprint() const { return language_model.fingerprint(); }

  VisionTower<Vision> visual;
  TextModel<Config> language_model;

 private:
  template <class>
  friend class ConditionalGeneration;

  // The media of a call, found to fit its tokens. Holds views of itself: stays where it was made.
  struct Media {
    Media(const Model& model, const Input& input);
    MediaInput images;
    MediaInput videos;
  };

  Model(const Checkpoint& checkpoint, const ConfigValues& values, Head head)
      : Model(VisionTower<Vision>(checkpoint), TextModel<Config>(checkpoint, head), values) {}
  std::vector<NamedParameter> named_parameters(const HuggingFaceNames& names, bool lm_head) const;
  void save_pretrained(const std::string& folder, std::string_view class_name,
                       const std::vector<NamedParameter>& parameters, const SaveOptions& options,
                       const std::vector<SideFile>& side_files) const;
  RopeIndex positions(const Input& input, const MediaInput& images, const MediaInput& videos) const;
  std::vector<std::size_t> placeholders(const Input& input, TokenId id) const;
  // Encodes what is not encoded: a row for each placeholder token, null for the others; empty without media.
  std::vector<const float*> replaced_rows(Media& media, std::size_t tokens) const;
  static MediaInput images_of(const Input& input) {
    return MediaInput(MediaInput::Kind::image, input.pixel_values, input.image_grid_thw, input.image_features,
                      Vision::spatial_merge_size, Text::hidden_size);
  }
  static MediaInput videos_of(const Input& input) {
    return MediaInput(MediaInput::Kind::video, input.pixel_values_videos, input.video_grid_thw, input.video_features,
                      Vision::spatial_merge_size, Text::hidden_size);
  }

  ConfigValues values_;
};

QWEN35_END_NAMESPACE

#include <qwen35/model/multimodal_model_impl.hpp>
