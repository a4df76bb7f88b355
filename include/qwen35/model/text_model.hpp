// SPDX-License-Identifier: Apache-2.0
// The text model: embeddings, the hybrid stack of decoder layers, the final norm. Source: reference
// `Qwen3_5MoeTextModel`.
#pragma once

#include <qwen35/cache/hybrid_cache.hpp>
#include <qwen35/config/config_file.hpp>
#include <qwen35/layers/rotary_embedding.hpp>
#include <qwen35/model/forward_plan.hpp>
#include <qwen35/model/workspace_of.hpp>
#include <qwen35/weights/bind.hpp>
#include <qwen35/weights/fingerprint.hpp>
#include <qwen35/weights/initialise.hpp>
#include <qwen35/weights/save_checkpoint.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// Arguments as in the reference. Exactly one of input_ids and inputs_embeds is given.
template <class Config>
struct TextModelInput {
  TensorView<TokenId> input_ids{};          // [batch, sequence]; a flat vector is a batch of one
  AttentionMask attention_mask{};           // [batch, past + sequence] or 4-D, see AttentionMask
  TensorView<std::int32_t> position_ids{};  // [batch, sequence], or that with a leading 1, 3 or 4
  HybridCache<Config>* past_key_values = nullptr;
  TensorView<float> inputs_embeds{};  // [batch, sequence, hidden_size]
  // [batch * sequence] or empty: a row of hidden_size values that stands instead of the token's embedding (a
  // picture's), or null. Not copied.
  std::span<const float* const> replaced_rows{};
  std::optional<bool> use_cache{};  // default: the config's; without past_key_values the output then holds a new cache
  TensorView<std::int32_t> cache_position{};  // [sequence]; if given, must be past ... past + sequence - 1
  bool output_hidden_states = false;
  bool output_attentions = false;
  std::optional<bool> output_router_logits{};  // default: the config's
  Workspace<Config>* workspace = nullptr;      // reused scratch; none: the call makes its own
};

// What the outputs of every model have in common.
template <class Config>
struct OutputWithPast {
  HybridCache<Config>* past_key_values = nullptr;  // the caller's, or the one below; null without a cache
  std::unique_ptr<HybridCache<Config>> owned_cache;
  std::vector<Tensor<float>>
      hidden_states;  // layers + 1: embeddings, outputs of all layers but the last, last_hidden_state
  std::vector<Tensor<float>> attentions;     // full-attention layers: [batch, heads, sequence, past + sequence]
  std::vector<Tensor<float>> router_logits;  // layers: [batch * sequence, num_experts], raw
};

// As the reference's of that name.
template <class Config>
struct BaseModelOutputWithPast : OutputWithPast<Config> {
  Tensor<float> last_hidden_state;  // [batch, sequence, hidden_size], after the final norm
};

// Immutable and shared between threads: `forward` is const, what changes is in the cache and the workspace.
template <class Config>
class TextModel {
 public:
  using config_type = Config;
  using Layers = LayersOf<Config>;
  using Text = typename Layers::Text;
  using Cache = HybridCache<Config>;
  using Input = TextModelInput<Config>;
  using Output = BaseModelOutputWithPast<Config>;
  static_assert(qwen35::TextConfig<Text>, "TextModel<Config>: Config is not a TextConfig");

  static constexpr std::size_t hidden_size = Text::hidden_size;

  TextModel(TextWeights<Config> weights, const TextValues& values);
  // With fresh weights. Raises ConfigError for rope parameters that contradict each other.
  explicit TextModel(const InitOptions& options, const TextValues& values = TextValues::from<Config>())
      : TextModel(initialised_text<Config>(options, values, false), values) {}
  // Checks config.json against the type and binds all tensors. Raises ConfigError, CheckpointError.
  explicit TextModel(const Checkpoint& checkpoint, Head head = Head::if_present);
  static TextModel from_pretrained(const std::string& folder, const CheckpointOptions& options = {}) {
    return TextModel(Checkpoint::open(folder, options));
  }

  // Raises InputError for arguments that contradict each other or the config, CacheError when the cache is full or of
  // another model.
  Output forward(const Input& input) const;
  Output operator()(const Input& input) const { return forward(input); }

  // The embedding of a token, [hidden_size]. Raises InputError for an id that is none.
  void embed(TokenId id, float* out) const;

  // In the order of the layers; of the head, which belongs to the models around this one, nothing.
  std::vector<NamedParameter> named_parameters() const {
    return qwen35::named_parameters(weights_, HuggingFaceNames::of_part(), false);
  }
  static std::size_t num_parameters() { return num_text_parameters<Config>(false); }
  // Writes a folder that from_pretrained() and the reference load, see save_checkpoint(). Raises CheckpointError.
  void save_pretrained(const std::string& folder, const SaveOptions& options = {}) const;

  const TextWeights<Config>& weights() const { return weights_; }
  const TextValues& config() const { return values_; }
  // Identifies the model: a cache belongs to one. In a multimodal model, whose caches hold rows of pictures too, it
  // tells the towers apart as well.
  std::uint64_t fingerprint() const { return fingerprint_; }

 private:
  template <class>
  friend class Model;
  using LinearLayer = typename TextWeights<Config>::LinearLayer;
  using FullLayer = typename TextWeights<Config>::FullLayer;

  TextModel(const Checkpoint& checkpoint, const TextValues& values, Head head);
  ForwardPlan plan(const Input& input, bool keep_cache) const;
  void run(const Input& input, const ForwardPlan& plan, Cache& cache, Workspace<Config>& workspace,
           Output& output) const;
  void pass(const Input& input, const ForwardPlan& plan, Cache& cache, Arena& arena, std::size_t begin,
            std::size_t count, Output& output) const;
  void embed(const Input& input, const ForwardPlan& plan, std::size_t begin, std::size_t count, float* hidden) const;
  void prepare(const ForwardPlan& plan, std::size_t begin, std::size_t count, Arena& arena, Pass& pass) const;

  TextWeights<Config> weights_;
  TextValues values_;
  RotaryEmbedding rotary_;
  std::uint64_t fingerprint_ = 0;
};

QWEN35_END_NAMESPACE

#include <qwen35/model/text_model_impl.hpp>
