// SPDX-License-Identifier: Apache-2.0
// The text model's tensors, found under the checkpoint's own names.
#pragma once

#include <qwen35/weights/binder.hpp>
#include <qwen35/weights/name_map.hpp>
#include <qwen35/weights/text_weights.hpp>

#include <cmath>

QWEN35_BEGIN_NAMESPACE

namespace detail {

inline float one_plus(float value) {
  return 1.0f + value;
}

template <class Config>
class TextBinder {
 public:
  using Text = text_config_t<Config>;
  using Weights = TextWeights<Config>;

  TextBinder(const Checkpoint& checkpoint, Weights& weights)
      : binder_(checkpoint, weights.storage), weights_(weights), names_(NameMap::of(checkpoint)) {}

  void bind() {
    constexpr std::size_t hidden = Text::hidden_size;
    weights_.embed_tokens = binder_.matrix(names_.text + "embed_tokens.weight", Text::vocab_size, hidden);
    weights_.norm = binder_.vector(names_.text + "norm.weight", hidden, one_plus);
    if (tied_embeddings<Config>) {
      weights_.lm_head = weights_.embed_tokens;
      if (binder_.has(names_.lm_head)) {  // some exports write the tied matrix twice
        binder_.matrix(names_.lm_head, Text::vocab_size, hidden);
      }
    } else {
      weights_.lm_head = binder_.matrix(names_.lm_head, Text::vocab_size, hidden);
    }
    if constexpr (is_moe<Text>) {
      weights_.experts.resize(Text::num_hidden_layers * Text::num_experts);
    }
    for (std::size_t layer = 0; layer < Text::num_hidden_layers; ++layer) {
      const std::string prefix = names_.text + "layers." + std::to_string(layer) + ".";
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
    binder_.finish([](std::string_view name) {
      return NameMap::is_visual(name) || NameMap::is_multi_token_prediction(name) || NameMap::is_rotary_buffer(name);
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
    out.conv1d = binder_.depthwise(prefix + "conv1d.weight", Layer::conv_channels, Text::linear_conv_kernel_dim);
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
    return {binder_.matrix(prefix + "gate_proj.weight", intermediate, hidden),
            binder_.matrix(prefix + "up_proj.weight", intermediate, hidden),
            binder_.matrix(prefix + "down_proj.weight", hidden, intermediate)};
  }

  // Fused: gate_up_proj [E, 2 I, H] (gate rows first) and down_proj [E, H, I]; else three matrices for each expert.
  void bind_experts(const std::string& prefix, MlpWeights* experts) {
    constexpr std::size_t hidden = Text::hidden_size;
    constexpr std::size_t count = Text::num_experts;
    constexpr std::size_t width = Text::moe_intermediate_size;
    if (!binder_.has(prefix + "gate_up_proj") && !binder_.has(prefix + "down_proj") && has_single_expert(prefix)) {
      for (std::size_t e = 0; e < count; ++e) {
        experts[e] = bind_mlp(prefix + std::to_string(e) + ".", width);
      }
      return;
    }
    const Matrix gate_up = binder_.stacked(prefix + "gate_up_proj", count, 2 * width, hidden);
    const Matrix down = binder_.stacked(prefix + "down_proj", count, hidden, width);
    for (std::size_t e = 0; e < count && !gate_up.empty() && !down.empty(); ++e) {
      experts[e] = {gate_up.slice(2 * e * width, width), gate_up.slice((2 * e + 1) * width, width),
                    down.slice(e * hidden, hidden)};
    }
  }

  bool has_single_expert(const std::string& prefix) const {
    for (std::size_t e = 0; e < Text::num_experts; ++e) {
      const std::string expert = prefix + std::to_string(e) + ".";
      if (binder_.has(expert + "gate_proj.weight") || binder_.has(expert + "up_proj.weight") ||
          binder_.has(expert + "down_proj.weight")) {
        return true;
      }
    }
    return false;
  }

  Binder binder_;
  Weights& weights_;
  NameMap names_;
};

}  // namespace detail

// Binds every tensor of the text model; vision and multi-token-prediction tensors are passed over. Raises one
// CheckpointError that lists all missing, unknown and misshapen tensors. Source: the published checkpoints' names, with
// or without the `language_model` level.
template <class Config>
TextWeights<Config> bind_text(const Checkpoint& checkpoint) {
  TextWeights<Config> weights;
  detail::TextBinder<Config>(checkpoint, weights).bind();
  weights.file = checkpoint.owner();
  return weights;
}

QWEN35_END_NAMESPACE
