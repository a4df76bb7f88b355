// SPDX-License-Identifier: Apache-2.0
// The text model: embeddings, the hybrid stack of decoder layers, the final norm. Source: reference
// `Qwen3_5MoeTextModel`.
#pragma once

#include <qwen35/cache/hybrid_cache.hpp>
#include <qwen35/config/config_file.hpp>
#include <qwen35/core/lifetime.hpp>
#include <qwen35/layers/rotary_embedding.hpp>
#include <qwen35/model/forward_input.hpp>
#include <qwen35/model/rectangle.hpp>
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

// The arguments and results under the reference's names for this model.
template <class Config>
using TextModelInput = ForwardInput;
template <class Config>
using BaseModelOutputWithPast = ForwardOutput;

// Immutable and shared between threads: `forward` is const, what changes is in the cache and the workspace.
//
// What makes or writes a model is a member template of nothing, so that `template class TextModel<...>` does not
// compile the ways from a file to a model: with headers alone they take a third of the time.
template <class Config>
class TextModel {
 public:
  static_assert(sizeof(RequireTextConfig<Config>) > 0);
  using config_type = Config;
  using Layers = LayersOf<Config>;
  using Text = typename Layers::Text;
  using Cache = HybridCache<Config>;
  using Input = ForwardInput;
  using Output = ForwardOutput;
  static_assert(qwen35::TextConfig<Text>, "TextModel<Config>: Config is not a TextConfig");

  static constexpr std::size_t hidden_size = Text::hidden_size;

  TextModel(TextWeights<Config> weights, const TextValues& values);
  // With fresh weights. Raises ConfigError for rope parameters that contradict each other.
  template <class = void>
  explicit TextModel(const InitOptions& options, const TextValues& values = TextValues::from<Config>());
  // Checks config.json against the type and binds all tensors. Raises ConfigError, CheckpointError.
  template <class = void>
  explicit TextModel(const Checkpoint& checkpoint, Head head = Head::if_present);
  template <class = void>
  static TextModel from_pretrained(const std::string& folder, const CheckpointOptions& options = {});
  // The same, with what it would raise as a failure.
  template <class = void>
  static Result<TextModel> try_from_pretrained(const std::string& folder, const CheckpointOptions& options = {}) {
    return try_bind<TextModel>(folder, checked_for<Config>(options));
  }

  // Raises InputError for arguments that contradict each other or the config, CacheError when the cache is full or of
  // another model. The cache is then as before.
  Output forward(const Input& input) const;
  Output operator()(const Input& input) const { return forward(input); }

  // Runs slices of sequences together, which is what every forward is made of; each gives the bits that it gives alone.
  // With a workspace that has seen as many wanted rows nothing is allocated, but a page of keys and values for each
  // kv_page_slots tokens (see SequenceCache::reserve). Raises InputError, CacheError; the caches are then as before.
  SliceRows forward(std::span<const SequenceSlice> slices, ForwardWorkspace& workspace,
                    const ForwardRecord& record = {}) const {
    const std::size_t count = wanted_rows(slices);
    float* const rows = prepare(workspace, hidden_size, count);
    run(slices, workspace, rows, record);
    return {.count = count, .hidden_size = hidden_size, .hidden = rows};
  }
  // The same with the wanted rows, `[wanted_rows(slices), hidden_size]`, in memory of the caller's.
  void run(std::span<const SequenceSlice> slices, ForwardWorkspace& workspace, float* rows,
           const ForwardRecord& record = {}) const;

  // Memory of the workspace for the results of `rows` rows. Raises InputError for one that is too small.
  static float* prepare(ForwardWorkspace& workspace, std::size_t row_floats, std::size_t rows) {
    return workspace.prepare(Workspace<Config>::arena_bytes(workspace.tokens(), workspace.sequences()), row_floats,
                             rows);
  }

  // What the cache of a sequence for this model looks like.
  static constexpr CacheLayout cache_layout(DType kv_dtype = DType::f32) {
    return qwen35::cache_layout<Config>(kv_dtype);
  }

  // The embedding of a token, [hidden_size]. Raises InputError for an id that is none.
  void embed(TokenId id, float* out) const;

  // In the order of the layers; of the head, which belongs to the models around this one, nothing.
  std::vector<NamedParameter> named_parameters() const {
    return qwen35::named_parameters(weights_, HuggingFaceNames::of_part(), false);
  }
  static std::size_t num_parameters() { return num_text_parameters<Config>(false); }
  // Writes a folder that from_pretrained() and the reference load, see save_checkpoint(). Raises CheckpointError.
  template <class = void>
  void save_pretrained(const std::string& folder, const SaveOptions& options = {}) const;

  const Matrix& get_input_embeddings() const QWEN35_LIFETIMEBOUND { return weights_.embed_tokens; }
  const TextWeights<Config>& weights() const QWEN35_LIFETIMEBOUND { return weights_; }
  const TextValues& config() const QWEN35_LIFETIMEBOUND { return values_; }
  // Identifies the model: a cache belongs to one. In a multimodal model, whose caches hold rows of pictures too, it
  // tells the towers apart as well.
  std::uint64_t fingerprint() const { return fingerprint_; }

 private:
  template <class>
  friend class Model;
  using LinearLayer = typename TextWeights<Config>::LinearLayer;
  using FullLayer = typename TextWeights<Config>::FullLayer;

  template <class = void>
  TextModel(const Checkpoint& checkpoint, const TextValues& values, Head head);
  void check_slices(std::span<const SequenceSlice> slices, std::size_t at_once) const;
  // step(layer): called before each layer; when it raises, the pass ends there.
  template <class Step>
  void run_pass(std::span<const SequenceSlice> slices, std::span<const SlicePart> parts, std::size_t flat,
                const PassScratch<Arena>& scratch, Arena& arena, float*& rows, const ForwardRecord& record,
                const Step& step) const;
  void embed(const SequenceSlice& slice, const SlicePart& part, float* hidden) const;

  TextWeights<Config> weights_;
  TextValues values_;
  RotaryEmbedding rotary_;
  std::uint64_t fingerprint_ = 0;
};

QWEN35_END_NAMESPACE

#include <qwen35/model/text_model_impl.hpp>
