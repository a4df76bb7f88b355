// SPDX-License-Identifier: Apache-2.0
// The text model's tensors, found under the checkpoint's own names.
#pragma once

#include <qwen35/weights/binder.hpp>
#include <qwen35/weights/text_weights.hpp>

QWEN35_BEGIN_NAMESPACE

namespace detail {

inline float one_plus(float value) { return 1.0f + value; }

template <class Config>
class TextBinder {
 public:
  using Text = text_config_t<Config>;
  using Weights = TextWeights<Config>;

  TextBinder(const Checkpoint& checkpoint, Weights& weights) : binder_(checkpoint, weights.storage), weights_(weights) {
    // Multimodal checkpoints have one level more than text-only ones.
    for (const TensorInfo& tensor : checkpoint.tensors()) {
      if (tensor.name.starts_with("model.language_model.")) {
        root_ = "model.language_model.";
        break;
      }
    }
  }

  void bind() {
    constexpr std::size_t hidden = Text::hidden_size;
    weights_.embed_tokens = binder_.matrix(root_ + "embed_tokens.weight", Text::vocab_size, hidden);
    weights_.norm = binder_.vector(root_ + "norm.weight", hidden, one_plus);
    const bool has_head = binder_.has("lm_head.weight");
    if (tied_embeddings<Config> && !has_head) {
      weights_.lm_head = weights_.embed_tokens;
    } else if (tied_embeddings<Config>) {
      binder_.matrix("lm_head.weight", Text::vocab_size, hidden);  // some exports write the tied matrix twice
      weights_.lm_head = weights_.embed_tokens;
    } else {
      weights_.lm_head = binder_.matrix("lm_head.weight", Text::vocab_size, hidden);
    }
    if constexpr (is_moe<Text>) {
      weights_.experts.resize(Text::num_hidden_layers * Text::num_experts);
    }
    for (std::size_t layer = 0; layer < Text::num_hidden_layers; ++layer) {
      const std::string prefix = root_ + "layers." + std::to_string(layer) + ".";
      if (Text::layer_types[layer] == LayerType::linear_attention) {
        weights_.linear_layers.emplace_back();
        bind_linear(prefix + "linear_attn.", weights_.linear_layers.back().mixer);
        bind_rest(prefix, layer, weights_.linear_layers.back());
      } else {
        weights_.full_layers.emplace_back();
        bind_full(prefix + "self_attn.", weights_.full_layers.back().mixer);
        bind_rest(prefix, layer, weights_.full_layers.back());
      }
    }
    binder_.finish([](const std::string& name) {
      return name.starts_with("model.visual.") || name.starts_with("visual.") || name.starts_with("mtp.") || name.starts_with("model.mtp.") ||
             name.ends_with("rotary_emb.inv_freq");
    });
  }

 private:
  void bind_linear(const std::string& prefix, GatedDeltaNetWeights& out) {
    using Layer = typename LayersOf<Config>::Linear;
    constexpr std::size_t hidden = Text::hidden_size;
    constexpr std::size_t heads = Text::linear_num_value_heads;
    out.in_proj_qkv = binder_.matrix(prefix + "in_proj_qkv.weight", Layer::conv_channels, hidden);
    out.in_proj_z = binder_.matrix(prefix + "in_proj_z.weight", Layer::value_size, hidden);
    out.in_proj_b = binder_.matrix(prefix + "in_proj_b.weight", heads, hidden);
    out.in_proj_a = binder_.matrix(prefix + "in_proj_a.weight", heads, hidden);
    out.out_proj = binder_.matrix(prefix + "out_proj.weight", hidden, Layer::value_size);
    out.conv1d = binder_.transposed(prefix + "conv1d.weight", Layer::conv_channels, Text::linear_conv_kernel_dim);
    out.dt_bias = binder_.vector(prefix + "dt_bias", heads);
    out.a = binder_.vector(prefix + "A_log", heads, [](float value) { return -std::exp(value); });
    out.norm = binder_.vector(prefix + "norm.weight", Text::linear_value_head_dim);
  }

  void bind_full(const std::string& prefix, GatedAttentionWeights& out) {
    using Layer = typename LayersOf<Config>::Full;
    constexpr std::size_t hidden = Text::hidden_size;
    out.q_proj = binder_.matrix(prefix + "q_proj.weight", 2 * Layer::query_size, hidden);
    out.k_proj = binder_.matrix(prefix + "k_proj.weight", Layer::kv_size, hidden);
    out.v_proj = binder_.matrix(prefix + "v_proj.weight", Layer::kv_size, hidden);
    out.o_proj = binder_.matrix(prefix + "o_proj.weight", hidden, Layer::query_size);
    if constexpr (Text::attention_bias) {
      out.q_bias = binder_.vector(prefix + "q_proj.bias", 2 * Layer::query_size);
      out.k_bias = binder_.vector(prefix + "k_proj.bias", Layer::kv_size);
      out.v_bias = binder_.vector(prefix + "v_proj.bias", Layer::kv_size);
      out.o_bias = binder_.vector(prefix + "o_proj.bias", hidden);
    }
    out.q_norm = binder_.vector(prefix + "q_norm.weight", Text::head_dim, one_plus);
    out.k_norm = binder_.vector(prefix + "k_norm.weight", Text::head_dim, one_plus);
  }

  template <class Layer>
  void bind_rest(const std::string& prefix, std::size_t layer, Layer& out) {
    constexpr std::size_t hidden = Text::hidden_size;
    out.input_layernorm = binder_.vector(prefix + "input_layernorm.weight", hidden, one_plus);
    out.post_attention_layernorm = binder_.vector(prefix + "post_attention_layernorm.weight", hidden, one_plus);
    if constexpr (is_moe<Text>) {
      bind_experts(prefix + "mlp.experts.", weights_.experts.data() + layer * Text::num_experts);
      out.mlp.experts = weights_.experts.data() + layer * Text::num_experts;
      out.mlp.gate = binder_.matrix(prefix + "mlp.gate.weight", Text::num_experts, hidden);
      out.mlp.shared_expert = bind_mlp(prefix + "mlp.shared_expert.", Text::shared_expert_intermediate_size);
      out.mlp.shared_expert_gate = binder_.matrix(prefix + "mlp.shared_expert_gate.weight", 1, hidden);
    } else {
      out.mlp = bind_mlp(prefix + "mlp.", Text::intermediate_size);
    }
  }

  MlpWeights bind_mlp(const std::string& prefix, std::size_t intermediate) {
    constexpr std::size_t hidden = Text::hidden_size;
    return {binder_.matrix(prefix + "gate_proj.weight", intermediate, hidden), binder_.matrix(prefix + "up_proj.weight", intermediate, hidden),
            binder_.matrix(prefix + "down_proj.weight", hidden, intermediate)};
  }

  // Fused: gate_up_proj [E, 2 I, H] (gate rows first) and down_proj [E, H, I]; else three matrices for each expert.
  void bind_experts(const std::string& prefix, MlpWeights* experts) {
    constexpr std::size_t hidden = Text::hidden_size;
    constexpr std::size_t count = Text::num_experts;
    constexpr std::size_t width = Text::moe_intermediate_size;
    if (!binder_.has(prefix + "gate_up_proj") && !binder_.has(prefix + "down_proj") && binder_.has(prefix + "0.gate_proj.weight")) {
      for (std::size_t e = 0; e < count; ++e) {
        experts[e] = bind_mlp(prefix + std::to_string(e) + ".", width);
      }
      return;
    }
    const Matrix gate_up = binder_.stacked(prefix + "gate_up_proj", count, 2 * width, hidden);
    const Matrix down = binder_.stacked(prefix + "down_proj", count, hidden, width);
    for (std::size_t e = 0; e < count && !gate_up.empty() && !down.empty(); ++e) {
      experts[e] = {gate_up.slice(2 * e * width, width), gate_up.slice((2 * e + 1) * width, width), down.slice(e * hidden, hidden)};
    }
  }

  Binder binder_;
  Weights& weights_;
  std::string root_ = "model.";
};

}  // namespace detail

// Binds every tensor of the text model; vision and multi-token-prediction tensors are passed over. Raises one CheckpointError that lists all missing,
// unknown and misshapen tensors. Source: the published checkpoints' names, with or without the `language_model` level.
template <class Config>
TextWeights<Config> bind_text(const Checkpoint& checkpoint) {
  TextWeights<Config> weights;
  detail::TextBinder<Config>(checkpoint, weights).bind();
  weights.file = checkpoint.owner();
  return weights;
}

QWEN35_END_NAMESPACE
