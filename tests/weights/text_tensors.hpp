// SPDX-License-Identifier: Apache-2.0
// All tensors of a text model under the published names, with random values, for any small config.
#pragma once

#include <qwen35/config/text_config.hpp>

#include "safetensors_writer.hpp"

namespace weights_test {

struct TextNames {
  std::string root = "model.language_model.";
  std::string lm_head = "lm_head.weight";
  bool per_expert = false;
  bool store_tied_head = false;
  std::string dtype = "BF16";       // of everything but
  std::string small_dtype = "F32";  // A_log and linear_attn.norm, which some releases keep in F32
};

// The same values for the same seed, whatever the names.
template <class Config>
std::vector<TestTensor> text_tensors(const TextNames& names, std::uint32_t seed = 1) {
  using C = qwen35::text_config_t<Config>;
  std::mt19937 random(seed);
  std::vector<TestTensor> out;
  const auto add = [&](const std::string& name, const Extents& shape) {
    out.push_back(random_tensor(name, shape, random, names.dtype));
  };
  const std::size_t hidden = C::hidden_size, kd = C::linear_num_key_heads * C::linear_key_head_dim;
  const std::size_t vd = C::linear_num_value_heads * C::linear_value_head_dim, cd = 2 * kd + vd;
  const auto mlp = [&](const std::string& prefix, std::size_t width) {
    add(prefix + "gate_proj.weight", {width, hidden});
    add(prefix + "up_proj.weight", {width, hidden});
    add(prefix + "down_proj.weight", {hidden, width});
  };
  add(names.root + "embed_tokens.weight", {C::vocab_size, hidden});
  add(names.root + "norm.weight", {hidden});
  const TestTensor head = random_tensor(names.lm_head, {C::vocab_size, hidden}, random, names.dtype);
  if (!qwen35::tied_embeddings<Config> || names.store_tied_head) {
    out.push_back(head);
  }
  for (std::size_t layer = 0; layer < C::num_hidden_layers; ++layer) {
    const std::string prefix = names.root + "layers." + std::to_string(layer) + ".";
    add(prefix + "input_layernorm.weight", {hidden});
    add(prefix + "post_attention_layernorm.weight", {hidden});
    if (C::layer_types[layer] == qwen35::LayerType::linear_attention) {
      const std::string mixer = prefix + "linear_attn.";
      add(mixer + "in_proj_qkv.weight", {cd, hidden});
      add(mixer + "in_proj_z.weight", {vd, hidden});
      add(mixer + "in_proj_b.weight", {C::linear_num_value_heads, hidden});
      add(mixer + "in_proj_a.weight", {C::linear_num_value_heads, hidden});
      add(mixer + "conv1d.weight", {cd, 1, C::linear_conv_kernel_dim});
      add(mixer + "dt_bias", {C::linear_num_value_heads});
      out.push_back(random_tensor(mixer + "A_log", {C::linear_num_value_heads}, random, names.small_dtype));
      out.push_back(random_tensor(mixer + "norm.weight", {C::linear_value_head_dim}, random, names.small_dtype));
      add(mixer + "out_proj.weight", {hidden, vd});
    } else {
      const std::string mixer = prefix + "self_attn.";
      const std::size_t q = C::num_attention_heads * C::head_dim, kv = C::num_key_value_heads * C::head_dim;
      add(mixer + "q_proj.weight", {2 * q, hidden});
      add(mixer + "k_proj.weight", {kv, hidden});
      add(mixer + "v_proj.weight", {kv, hidden});
      add(mixer + "o_proj.weight", {hidden, q});
      if (C::attention_bias) {
        add(mixer + "q_proj.bias", {2 * q});
        add(mixer + "k_proj.bias", {kv});
        add(mixer + "v_proj.bias", {kv});
        add(mixer + "o_proj.bias", {hidden});
      }
      add(mixer + "q_norm.weight", {C::head_dim});
      add(mixer + "k_norm.weight", {C::head_dim});
    }
    if constexpr (qwen35::is_moe<C>) {
      const std::size_t width = C::moe_intermediate_size;
      add(prefix + "mlp.gate.weight", {C::num_experts, hidden});
      TestTensor gate_up =
          random_tensor(prefix + "mlp.experts.gate_up_proj", {C::num_experts, 2 * width, hidden}, random, names.dtype);
      TestTensor down =
          random_tensor(prefix + "mlp.experts.down_proj", {C::num_experts, hidden, width}, random, names.dtype);
      if (names.per_expert) {
        const auto piece = [&](const TestTensor& from, const std::string& name, std::size_t index, std::size_t rows,
                               std::size_t cols) {
          const auto begin = from.values.begin() + static_cast<std::ptrdiff_t>(index * rows * cols);
          out.push_back({name, {rows, cols}, {begin, begin + static_cast<std::ptrdiff_t>(rows * cols)}, names.dtype});
        };
        for (std::size_t e = 0; e < C::num_experts; ++e) {
          const std::string expert = prefix + "mlp.experts." + std::to_string(e) + ".";
          piece(gate_up, expert + "gate_proj.weight", 2 * e, width, hidden);
          piece(gate_up, expert + "up_proj.weight", 2 * e + 1, width, hidden);
          piece(down, expert + "down_proj.weight", e, hidden, width);
        }
      } else {
        out.push_back(std::move(gate_up));
        out.push_back(std::move(down));
      }
      mlp(prefix + "mlp.shared_expert.", C::shared_expert_intermediate_size);
      add(prefix + "mlp.shared_expert_gate.weight", {1, hidden});
    } else {
      mlp(prefix + "mlp.", C::intermediate_size);
    }
  }
  return out;
}

}  // namespace weights_test
