// SPDX-License-Identifier: Apache-2.0
// The text model with a language-model head. Source: reference `Qwen3_5MoeForCausalLM`.
#pragma once

#include <qwen35/model/lm_head.hpp>
#include <qwen35/model/losses.hpp>
#include <qwen35/model/text_model.hpp>

QWEN35_BEGIN_NAMESPACE

// Arguments as in the reference; those of the text model, see TextModelInput.
template <class Config>
struct CausalLMInput {
  TensorView<TokenId> input_ids{};          // [batch, sequence]
  AttentionMask attention_mask{};           // [batch, past + sequence] or 4-D
  TensorView<std::int32_t> position_ids{};  // [batch, sequence], or that with a leading 1, 3 or 4
  HybridCache<Config>* past_key_values = nullptr;
  TensorView<float> inputs_embeds{};           // [batch, sequence, hidden_size]
  TensorView<std::int32_t> labels{};           // [batch, sequence]; -100 is ignored
  TensorView<std::int32_t> shift_labels{};     // [batch, sequence]: labels that are shifted already
  std::optional<double> num_items_in_batch{};  // divides the summed loss instead of the number of targets
  std::optional<bool> use_cache{};
  TensorView<std::int32_t> cache_position{};
  bool output_hidden_states = false;
  bool output_attentions = false;
  std::optional<bool> output_router_logits{};
  LogitsToKeep logits_to_keep = 0;
  Workspace<Config>* workspace = nullptr;
};

// Outputs as in the reference `MoeCausalLMOutputWithPast`.
template <class Config>
struct MoeCausalLMOutputWithPast : OutputWithPast<Config> {
  std::optional<float> loss{};      // with labels
  std::optional<float> aux_loss{};  // with router logits
  Tensor<float> logits;             // [batch, kept, vocab_size]
};

struct GenerationConfig;
template <class Model>
struct GenerateInput;

template <class Config>
class CausalLM {
 public:
  using config_type = Config;
  using Text = text_config_t<Config>;
  using Cache = HybridCache<Config>;
  using Input = CausalLMInput<Config>;
  using Output = MoeCausalLMOutputWithPast<Config>;

  explicit CausalLM(TextModel<Config> text) : model(std::move(text)) {}
  // With fresh weights. Raises ConfigError for rope parameters that contradict each other.
  explicit CausalLM(const InitOptions& options, const TextValues& values = TextValues::from<Config>())
      : model(initialised_text<Config>(options, values, true), values) {}
  explicit CausalLM(const Checkpoint& checkpoint)
      : model(checkpoint, Head::required), generation_config_(checkpoint.generation_config()) {}
  // A folder with config.json and safetensors files, text-only or multimodal. Raises ConfigError, CheckpointError.
  static CausalLM from_pretrained(const std::string& folder, const CheckpointOptions& options = {}) {
    return CausalLM(Checkpoint::open(folder, options));
  }

  // Raises InputError, CacheError.
  Output forward(const Input& input) const;
  Output operator()(const Input& input) const { return forward(input); }

  // The reference's generate(), with the checkpoint's generation_config.json or one given. Needs generate/generate.hpp.
  template <class M = CausalLM>
  auto generate(const GenerateInput<M>& input) const {
    return run_generation(*this, input);
  }
  template <class M = CausalLM>
  auto generate(const GenerateInput<M>& input, const GenerationConfig& config) const {
    return run_generation(*this, input, config);
  }

  // The text model's, and the head's unless it is tied.
  std::vector<NamedParameter> named_parameters() const {
    return qwen35::named_parameters(model.weights(), HuggingFaceNames::of_causal_lm(), true);
  }
  static std::size_t num_parameters() { return num_text_parameters<Config>(true); }
  // Writes a folder that from_pretrained() and the reference load, with the generation config if there is one; see
  // save_checkpoint(). Raises CheckpointError.
  void save_pretrained(const std::string& folder, const SaveOptions& options = {}) const;

  const Matrix& lm_head_weight() const { return model.weights().lm_head; }
  const TextValues& config() const { return model.config(); }
  const json::Value& generation_config() const { return generation_config_; }  // null when the checkpoint has none
  std::uint64_t fingerprint() const { return model.fingerprint(); }

  TextModel<Config> model;

 private:
  json::Value generation_config_;
};

template <class Config>
void CausalLM<Config>::save_pretrained(const std::string& folder, const SaveOptions& options) const {
  json::Value written = text_config_json<Config>(config(), tied_embeddings<Config>);
  written["architectures"].push_back(architecture<Config>("ForCausalLM"));
  save_checkpoint(folder, std::move(written), named_parameters(), options, generation_config_files(generation_config_));
}

template <class Config>
typename CausalLM<Config>::Output CausalLM<Config>::forward(const Input& input) const {
  auto text = model.forward({.input_ids = input.input_ids,
                             .attention_mask = input.attention_mask,
                             .position_ids = input.position_ids,
                             .past_key_values = input.past_key_values,
                             .inputs_embeds = input.inputs_embeds,
                             .use_cache = input.use_cache,
                             .cache_position = input.cache_position,
                             .output_hidden_states = input.output_hidden_states,
                             .output_attentions = input.output_attentions,
                             .output_router_logits = input.output_router_logits,
                             .workspace = input.workspace});
  Output output;
  output.logits = lm_head(lm_head_weight(), text.last_hidden_state, input.logits_to_keep);
  static_cast<OutputWithPast<Config>&>(output) = std::move(text);
  if (input.labels || input.shift_labels) {
    output.loss = causal_lm_loss(output.logits, input.labels, input.shift_labels, input.num_items_in_batch);
  }
  if constexpr (is_moe<Text>) {
    if (!output.router_logits.empty()) {
      output.aux_loss =
          load_balancing_loss(output.router_logits, Text::num_experts, Text::num_experts_per_tok, input.attention_mask);
      if (output.loss) {
        *output.loss += static_cast<float>(model.config().router_aux_loss_coef) * *output.aux_loss;
      }
    }
  }
  return output;
}

QWEN35_END_NAMESPACE
