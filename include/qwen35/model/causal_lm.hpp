// SPDX-License-Identifier: Apache-2.0
// The text model with a language-model head. Source: reference `Qwen3_5MoeForCausalLM`.
#pragma once

#include <qwen35/core/lifetime.hpp>
#include <qwen35/model/generate_calls.hpp>
#include <qwen35/model/head_forward.hpp>
#include <qwen35/model/losses.hpp>
#include <qwen35/model/text_model.hpp>

QWEN35_BEGIN_NAMESPACE

// The arguments and results under the reference's names for this model.
template <class Config>
using CausalLMInput = ForwardInput;
template <class Config>
using MoeCausalLMOutputWithPast = ForwardOutput;

template <class Config>
class CausalLM : public GenerateCalls<CausalLM<Config>> {
 public:
  static_assert(sizeof(RequireTextConfig<Config>) > 0);
  using config_type = Config;
  using Text = text_config_t<Config>;
  using Cache = HybridCache<Config>;
  using Input = ForwardInput;
  using Output = ForwardOutput;

  explicit CausalLM(TextModel<Config> text) : model(std::move(text)) {}
  // With fresh weights. Raises ConfigError for rope parameters that contradict each other.
  template <class = void>
  explicit CausalLM(const InitOptions& options, const TextValues& values = TextValues::from<Config>());
  template <class = void>
  explicit CausalLM(const Checkpoint& checkpoint);
  // A folder with config.json and safetensors files, text-only or multimodal. Raises ConfigError, CheckpointError.
  template <class = void>
  static CausalLM from_pretrained(const std::string& folder, const CheckpointOptions& options = {});
  // The same, with what it would raise as a failure.
  template <class = void>
  static Result<CausalLM> try_from_pretrained(const std::string& folder, const CheckpointOptions& options = {}) {
    return try_bind<CausalLM>(folder, checked_for<Config>(options));
  }

  // Raises InputError, CacheError.
  Output forward(const Input& input) const;
  Output operator()(const Input& input) const { return forward(input); }
  // Slices of sequences together, see TextModel; with the logits of the wanted rows.
  SliceRows forward(std::span<const SequenceSlice> slices, ForwardWorkspace& workspace,
                    const ForwardRecord& record = {}) const {
    return forward_with_head(model, slices, workspace, record);
  }
  static constexpr CacheLayout cache_layout(DType kv_dtype = DType::f32) {
    return qwen35::cache_layout<Config>(kv_dtype);
  }

  // The text model's, and the head's unless it is tied.
  std::vector<NamedParameter> named_parameters() const {
    return qwen35::named_parameters(model.weights(), HuggingFaceNames::of_causal_lm(), true);
  }
  static std::size_t num_parameters() { return num_text_parameters<Config>(true); }
  // Writes a folder that from_pretrained() and the reference load, with the generation config if there is one; see
  // save_checkpoint(). Raises CheckpointError.
  template <class = void>
  void save_pretrained(const std::string& folder, const SaveOptions& options = {}) const;

  const Matrix& get_input_embeddings() const QWEN35_LIFETIMEBOUND { return model.get_input_embeddings(); }
  const Matrix& get_output_embeddings() const QWEN35_LIFETIMEBOUND { return model.weights().lm_head; }
  [[deprecated("use get_output_embeddings")]] const Matrix& lm_head_weight() const { return get_output_embeddings(); }
  const TextValues& config() const QWEN35_LIFETIMEBOUND { return model.config(); }
  // Null when the checkpoint has none.
  const json::Value& generation_config() const QWEN35_LIFETIMEBOUND { return generation_config_; }
  std::uint64_t fingerprint() const { return model.fingerprint(); }

  TextModel<Config> model;

 private:
  json::Value generation_config_;
};

template <class Config>
template <class>
CausalLM<Config>::CausalLM(const InitOptions& options, const TextValues& values)
    : model(initialised_text<Config>(options, values, true), values) {}

template <class Config>
template <class>
CausalLM<Config>::CausalLM(const Checkpoint& checkpoint)
    : model(checkpoint, Head::required), generation_config_(checkpoint.generation_config()) {}

template <class Config>
template <class>
CausalLM<Config> CausalLM<Config>::from_pretrained(const std::string& folder, const CheckpointOptions& options) {
  return CausalLM(Checkpoint::open(folder, checked_for<Config>(options)));
}

template <class Config>
template <class>
void CausalLM<Config>::save_pretrained(const std::string& folder, const SaveOptions& options) const {
  json::Value written = text_config_json<Config>(config(), tied_embeddings<Config>);
  written["architectures"].push_back(architecture<Config>("ForCausalLM"));
  save_checkpoint(folder, std::move(written), named_parameters(), options, generation_config_files(generation_config_));
}

template <class Config>
typename CausalLM<Config>::Output CausalLM<Config>::forward(const Input& input) const {
  Input inner = input;
  inner.labels = {};
  inner.shift_labels = {};
  Output output = model.forward(inner);
  if (declined()) {
    return output;
  }
  RectangleCache::Following following(input.past_key_values);
  output.logits = lm_head(get_output_embeddings(), output.last_hidden_state, input.logits_to_keep);
  output.last_hidden_state = {};
  if (input.labels || input.shift_labels) {
    output.loss = causal_lm_loss(output.logits, input.labels, input.shift_labels, input.num_items_in_batch);
  }
  if constexpr (is_moe<Text>) {
    if (!output.router_logits.empty()) {
      add_router_loss(output, input, Text::num_experts, Text::num_experts_per_tok, model.config().router_aux_loss_coef);
    }
  }
  following.done();
  return output;
}

QWEN35_END_NAMESPACE
