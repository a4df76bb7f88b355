// SPDX-License-Identifier: Apache-2.0
// A model whose config is chosen at run time from those that the program was compiled for.
#pragma once

#include <qwen35/config/config_name.hpp>
#include <qwen35/core/lifetime.hpp>
#include <qwen35/core/result.hpp>
#include <qwen35/model/causal_lm.hpp>
#include <qwen35/model/conditional_generation.hpp>

#include <memory>
#include <string>
#include <utility>

QWEN35_BEGIN_NAMESPACE

// A CausalLM or a ConditionalGeneration of any config behind one type: generate(), Batch and Session of it are compiled
// once, however many configs there are. Immutable and shared, as what it holds; a copy is another hand on the same
// model.
class AnyModel : public GenerateCalls<AnyModel> {
 public:
  using Cache = RectangleCache;
  using Input = ForwardInput;
  using Output = ForwardOutput;

  template <class Config>
  explicit AnyModel(CausalLM<Config> model)
      : held_(std::make_shared<const TextOnly<CausalLM<Config>>>(std::move(model))) {}
  template <class Config>
  explicit AnyModel(ConditionalGeneration<Config> model)
      : held_(std::make_shared<const WithVision<ConditionalGeneration<Config>>>(std::move(model))) {}

  // See CausalLM and ConditionalGeneration.
  ForwardOutput forward(const ForwardInput& input) const { return held_->forward(input); }
  ForwardOutput operator()(const ForwardInput& input) const { return forward(input); }
  SliceRows forward(std::span<const SequenceSlice> slices, ForwardWorkspace& workspace,
                    const ForwardRecord& record = {}) const;
  CacheLayout cache_layout(DType kv_dtype = DType::f32) const { return held_->cache_layout(kv_dtype); }

  std::size_t vocab_size() const { return held_->vocab_size(); }
  // Of the text model.
  const TextValues& config() const QWEN35_LIFETIMEBOUND { return held_->config(); }
  const json::Value& generation_config() const QWEN35_LIFETIMEBOUND { return held_->generation_config(); }
  std::uint64_t fingerprint() const { return held_->fingerprint(); }

  // Has it a vision tower? Without one the next two raise InputError.
  bool has_vision() const { return held_->has_vision(); }
  std::vector<ImageFeatures> get_image_features(TensorView<float> pixel_values, TensorView<std::int64_t> image_grid_thw,
                                                const VisionProgress& progress = {}) const;
  std::vector<ImageFeatures> get_video_features(TensorView<float> pixel_values_videos,
                                                TensorView<std::int64_t> video_grid_thw,
                                                const VisionProgress& progress = {}) const;
  // Empty without a vision tower.
  RopeIndex positions(const ForwardInput& input) const { return held_->positions(input); }
  Tensor<std::int32_t> prepare_position_ids_for_generation(const ForwardInput& input) const {
    return held_->first_positions(input);
  }
  std::function<void(ForwardInput&)> repeat_media_for_generation(const ForwardInput& prompt) const {
    return held_->repeat_media(prompt);
  }

 private:
  template <class... Configs>
  friend AnyModel open_model(const Checkpoint& checkpoint);
  AnyModel() = default;

  struct Interface {
    virtual ~Interface() = default;
    virtual ForwardOutput forward(const ForwardInput& input) const = 0;
    virtual SliceRows forward(std::span<const SequenceSlice> slices, ForwardWorkspace& workspace,
                              const ForwardRecord& record) const = 0;
    virtual CacheLayout cache_layout(DType kv_dtype) const = 0;
    virtual std::size_t vocab_size() const = 0;
    virtual const TextValues& config() const = 0;
    virtual const json::Value& generation_config() const = 0;
    virtual std::uint64_t fingerprint() const = 0;
    virtual bool has_vision() const { return false; }
    QWEN35_BODY virtual std::vector<ImageFeatures> features(bool, TensorView<float>, TensorView<std::int64_t>,
                                                            const VisionProgress&) const;
    virtual RopeIndex positions(const ForwardInput&) const { return {}; }
    virtual Tensor<std::int32_t> first_positions(const ForwardInput&) const { return {}; }
    virtual std::function<void(ForwardInput&)> repeat_media(const ForwardInput&) const { return {}; }
  };
  template <class M>
  struct TextOnly : Interface {
    explicit TextOnly(M moved) : model(std::move(moved)) {}
    ForwardOutput forward(const ForwardInput& input) const override { return model.forward(input); }
    SliceRows forward(std::span<const SequenceSlice> slices, ForwardWorkspace& workspace,
                      const ForwardRecord& record) const override {
      return model.forward(slices, workspace, record);
    }
    CacheLayout cache_layout(DType kv_dtype) const override { return model.cache_layout(kv_dtype); }
    std::size_t vocab_size() const override { return M::Text::vocab_size; }
    const TextValues& config() const override { return model.config().get_text_config(); }
    const json::Value& generation_config() const override { return model.generation_config(); }
    std::uint64_t fingerprint() const override { return model.fingerprint(); }
    M model;
  };
  template <class M>
  struct WithVision final : TextOnly<M> {
    using TextOnly<M>::TextOnly;
    bool has_vision() const override { return true; }
    std::vector<ImageFeatures> features(bool video, TensorView<float> pixels, TensorView<std::int64_t> grid,
                                        const VisionProgress& progress) const override {
      return video ? this->model.get_video_features(pixels, grid, progress)
                   : this->model.get_image_features(pixels, grid, progress);
    }
    RopeIndex positions(const ForwardInput& input) const override { return this->model.model.positions(input); }
    Tensor<std::int32_t> first_positions(const ForwardInput& input) const override {
      return this->model.prepare_position_ids_for_generation(input);
    }
    std::function<void(ForwardInput&)> repeat_media(const ForwardInput& prompt) const override {
      return this->model.repeat_media_for_generation(prompt);
    }
  };

  std::shared_ptr<const Interface> held_;
};

namespace detail {

template <class Config>
AnyModel bind_any(const Checkpoint& checkpoint) {
  if constexpr (is_multimodal<Config>) {
    if (checkpoint.config().find("vision_config") != nullptr) {
      return AnyModel(ConditionalGeneration<Config>(checkpoint));
    }
  }
  return AnyModel(CausalLM<Config>(checkpoint));
}

}  // namespace detail

// Calls `use(config)` with a null pointer to the first of the configs that describes the checkpoint. Raises
// UncompiledModelError with each config's name and differences when none fits.
template <class... Configs, class Use>
void with_config_of(const Checkpoint& checkpoint, const Use& use) {
  static_assert(sizeof...(Configs) > 0, "name at least one config");
  std::string differences;
  const auto use_if_described = [&]<class Config>(const Config* config) {
    const Result<ConfigValues> values = try_check<Config>(checkpoint);
    if (declined()) {
      return true;  // and no config can be held against the file
    }
    if (values) {
      use(config);
    } else {
      differences += concat("\ncompiled for ", config_name<Config>(), ": ", values.failure().message);
    }
    return static_cast<bool>(values);
  };
  const bool described = (use_if_described(static_cast<const Configs*>(nullptr)) || ...);
  if (!described) {
    decline<UncompiledModelError>(
        concat(checkpoint.name(), ": this program was not compiled for such a model", differences));
  }
}

// The options with which a program opens a checkpoint that one of its configs has to describe: when none does, that is
// told before weights are read.
template <class... Configs>
CheckpointOptions checked_for_one_of(const CheckpointOptions& options) {
  return checked_by(options,
                    [](const Checkpoint& checkpoint) { with_config_of<Configs...>(checkpoint, [](const auto*) {}); });
}

// The model of a checkpoint, of the first of the configs that describes it: with its vision tower where the config and
// the file have one. Raises UncompiledModelError as above, CheckpointError.
template <class... Configs>
AnyModel open_model(const Checkpoint& checkpoint) {
  AnyModel model;
  with_config_of<Configs...>(checkpoint,
                             [&]<class Config>(const Config*) { model = detail::bind_any<Config>(checkpoint); });
  return model;
}
// The same, with what it would raise as a failure.
template <class... Configs>
Result<AnyModel> try_open_model(const Checkpoint& checkpoint) {
  return attempt([&] { return open_model<Configs...>(checkpoint); });
}

#if QWEN35_BODIES

QWEN35_BODY SliceRows AnyModel::forward(std::span<const SequenceSlice> slices, ForwardWorkspace& workspace,
                                        const ForwardRecord& record) const {
  return held_->forward(slices, workspace, record);
}

QWEN35_BODY std::vector<ImageFeatures> AnyModel::get_image_features(TensorView<float> pixel_values,
                                                                    TensorView<std::int64_t> image_grid_thw,
                                                                    const VisionProgress& progress) const {
  return held_->features(false, pixel_values, image_grid_thw, progress);
}

QWEN35_BODY std::vector<ImageFeatures> AnyModel::get_video_features(TensorView<float> pixel_values_videos,
                                                                    TensorView<std::int64_t> video_grid_thw,
                                                                    const VisionProgress& progress) const {
  return held_->features(true, pixel_values_videos, video_grid_thw, progress);
}

QWEN35_BODY std::vector<ImageFeatures> AnyModel::Interface::features(bool, TensorView<float>, TensorView<std::int64_t>,
                                                                     const VisionProgress&) const {
  raise<InputError>("this model reads text alone");
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
