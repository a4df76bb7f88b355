// SPDX-License-Identifier: Apache-2.0
// The multimodal model with a language-model head. Source: reference `Qwen3_5MoeForConditionalGeneration`.
#pragma once

#include <qwen35/core/lifetime.hpp>
#include <qwen35/model/generate_calls.hpp>
#include <qwen35/model/head_forward.hpp>
#include <qwen35/model/losses.hpp>
#include <qwen35/model/multimodal_model.hpp>

#include <functional>
#include <memory>

QWEN35_BEGIN_NAMESPACE

// The arguments and results under the reference's names for this model.
template <class Config>
using ConditionalGenerationInput = ForwardInput;
template <class Config>
using Qwen3_5MoeCausalLMOutputWithPast = ForwardOutput;

template <class Config>
class ConditionalGeneration : public GenerateCalls<ConditionalGeneration<Config>> {
 public:
  static_assert(sizeof(RequireTextConfig<Config>) > 0);
  using config_type = Config;
  using Text = text_config_t<Config>;
  using Cache = HybridCache<Config>;
  using Input = ForwardInput;
  using Output = ForwardOutput;

  explicit ConditionalGeneration(Model<Config> multimodal) : model(std::move(multimodal)) {}
  // With fresh weights. Raises ConfigError for rope parameters that contradict each other.
  explicit ConditionalGeneration(const InitOptions& options, const ConfigValues& values = ConfigValues::from<Config>())
      : model(VisionTower<vision_config_t<Config>>(options),
              TextModel<Config>(initialised_text<Config>(options, values.text_config, true), values.text_config),
              values) {}
  explicit ConditionalGeneration(const Checkpoint& checkpoint)
      : model(checkpoint, Head::required), generation_config_(checkpoint.generation_config()) {}
  // A folder with config.json and safetensors files. Raises ConfigError, CheckpointError.
  static ConditionalGeneration from_pretrained(const std::string& folder, const CheckpointOptions& options = {}) {
    return ConditionalGeneration(Checkpoint::open(folder, checked_for<Config>(options)));
  }
  // The same, with what it would raise as a failure.
  static Result<ConditionalGeneration> try_from_pretrained(const std::string& folder,
                                                           const CheckpointOptions& options = {}) {
    return try_bind<ConditionalGeneration>(folder, checked_for<Config>(options));
  }

  // Raises InputError, CacheError.
  Output forward(const Input& input) const;
  Output operator()(const Input& input) const { return forward(input); }
  // Slices of sequences together, see TextModel; with the logits of the wanted rows. Pictures stand in replaced_rows.
  SliceRows forward(std::span<const SequenceSlice> slices, ForwardWorkspace& workspace,
                    const ForwardRecord& record = {}) const {
    return forward_with_head(model.language_model, slices, workspace, record);
  }
  static constexpr CacheLayout cache_layout(DType kv_dtype = DType::f32) {
    return qwen35::cache_layout<Config>(kv_dtype);
  }

  // See Model.
  std::vector<ImageFeatures> get_image_features(TensorView<float> pixel_values, TensorView<std::int64_t> image_grid_thw,
                                                const VisionProgress& progress = {}) const {
    return model.get_image_features(pixel_values, image_grid_thw, progress);
  }
  std::vector<ImageFeatures> get_video_features(TensorView<float> pixel_values_videos,
                                                TensorView<std::int64_t> video_grid_thw,
                                                const VisionProgress& progress = {}) const {
    return model.get_video_features(pixel_values_videos, video_grid_thw, progress);
  }

  // Positions of the first forward of a generation, [3, batch, sequence]: Model::positions(), or where that leaves them
  // to the text model, the index among the unmasked tokens. Each later token is one further on every plane. Raises
  // InputError.
  Tensor<std::int32_t> prepare_position_ids_for_generation(const Input& input) const;
  // For a generation without a cache, in which every forward runs all tokens: encodes the media of `prompt` once and
  // gives a function that puts them, as inputs_embeds, into the input of a batch in which each sequence of the prompt
  // stands any number of times in a row and may have grown. It holds views of `prompt`'s features. Raises InputError.
  std::function<void(Input&)> repeat_media_for_generation(const Input& prompt) const;

  // The text model's and the tower's, and the head's unless it is tied.
  std::vector<NamedParameter> named_parameters() const {
    return model.named_parameters(HuggingFaceNames::of_conditional_generation(), true);
  }
  static std::size_t num_parameters() {
    return num_text_parameters<Config>(true) + num_vision_parameters<vision_config_t<Config>>();
  }
  // Writes a folder that from_pretrained() and the reference load, with the generation config if there is one; see
  // save_checkpoint(). Raises CheckpointError.
  void save_pretrained(const std::string& folder, const SaveOptions& options = {}) const {
    model.save_pretrained(folder, "ForConditionalGeneration", named_parameters(), options,
                          generation_config_files(generation_config_));
  }

  const Matrix& get_input_embeddings() const QWEN35_LIFETIMEBOUND { return model.get_input_embeddings(); }
  const Matrix& get_output_embeddings() const QWEN35_LIFETIMEBOUND { return model.language_model.weights().lm_head; }
  [[deprecated("use get_output_embeddings")]] const Matrix& lm_head_weight() const { return get_output_embeddings(); }
  const ConfigValues& config() const QWEN35_LIFETIMEBOUND { return model.config(); }
  // Null when the checkpoint has none.
  const json::Value& generation_config() const QWEN35_LIFETIMEBOUND { return generation_config_; }
  std::uint64_t fingerprint() const { return model.fingerprint(); }

  Model<Config> model;

 private:
  json::Value generation_config_;
};

template <class Config>
typename ConditionalGeneration<Config>::Output ConditionalGeneration<Config>::forward(const Input& input) const {
  if (!holds<InputError>(!input.shift_labels && !input.num_items_in_batch,
                         "shift_labels and num_items_in_batch are arguments of CausalLM alone")) {
    return {};
  }
  Input inner = input;
  inner.labels = {};
  Output output = model.forward(inner);
  if (declined()) {
    return output;
  }
  RectangleCache::Following following(input.past_key_values);
  output.logits = lm_head(get_output_embeddings(), output.last_hidden_state, input.logits_to_keep);
  output.last_hidden_state = {};
  if (input.labels) {
    output.loss = causal_lm_loss(output.logits, input.labels, {}, {});
  }
  if constexpr (is_moe<Text>) {
    if (input.output_router_logits.value_or(false)) {
      add_router_loss(output, input, Text::num_experts, Text::num_experts_per_tok,
                      config().text_config.router_aux_loss_coef);
    }
  }
  following.done();
  return output;
}

template <class Config>
Tensor<std::int32_t> ConditionalGeneration<Config>::prepare_position_ids_for_generation(const Input& input) const {
  RopeIndex chosen = model.positions(input);
  if (chosen.position_ids.empty()) {
    const TokenCounts counts = count_tokens(token_shape(input), input.attention_mask, input.past_key_values);
    chosen = rope_index({.tokens = counts.tokens,
                         .attention_mask = counts.mask,
                         .past_tokens = counts.seen,
                         .past_deltas = counts.deltas});
  }
  return std::move(chosen.position_ids);
}

// A placeholder token that is generated is a token like others: only those of the prompt stand for rows.
template <class Config>
std::function<void(typename ConditionalGeneration<Config>::Input&)>
ConditionalGeneration<Config>::repeat_media_for_generation(const Input& prompt) const {
  struct Shared {
    typename Model<Config>::Media media;
    Shape tokens;
    std::vector<const float*> rows;
    Tensor<float> embeds;
  };
  require<InputError>(static_cast<bool>(prompt.input_ids), "repeat_media_for_generation: expected input_ids");
  const Shape tokens = token_shape(prompt);
  const std::shared_ptr<Shared> shared(new Shared{{model, prompt}, tokens, {}, {}});
  shared->rows = model.replaced_rows(shared->media, tokens.size());
  return [this, shared](Input& input) {
    input.pixel_values = {};
    input.pixel_values_videos = {};
    input.image_grid_thw = {};
    input.video_grid_thw = {};
    input.image_features = {};
    input.video_features = {};
    if (shared->rows.empty() || !input.input_ids) {
      return;
    }
    const std::size_t batch = input.input_ids.shape()[0];
    const std::size_t length = input.input_ids.shape()[1];
    const std::size_t expand = batch / shared->tokens[0];
    shared->embeds = Tensor<float>({batch, length, Text::hidden_size});
    for (std::size_t b = 0; b < batch; ++b) {
      for (std::size_t s = 0; s < length; ++s) {
        float* const to = shared->embeds.data() + (b * length + s) * Text::hidden_size;
        const float* const row = s < shared->tokens[1] ? shared->rows[b / expand * shared->tokens[1] + s] : nullptr;
        if (row != nullptr) {
          std::copy_n(row, Text::hidden_size, to);
        } else {
          model.language_model.embed(input.input_ids[b * length + s], to);
        }
      }
    }
    input.input_ids = {};
    input.inputs_embeds = shared->embeds;
  };
}

QWEN35_END_NAMESPACE
