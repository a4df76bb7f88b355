// SPDX-License-Identifier: Apache-2.0
// Which part of a model a tensor of a file belongs to, by its name.
#pragma once

#include <qwen35/core/abi.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#if QWEN35_BODIES
#include <algorithm>
#include <charconv>
#include <iterator>
#endif

QWEN35_BEGIN_NAMESPACE

enum class TensorPart : std::uint8_t {
  embedding,
  attention,  // of full-attention layers
  delta_net,  // of linear-attention layers
  router,     // with the gate of the shared expert
  shared_expert,
  experts,
  mlp,  // of a dense model
  norms,
  head,
  vision,
  mtp,  // what predicts further tokens
  other
};

inline constexpr std::size_t tensor_part_count = 12;

constexpr std::string_view name(TensorPart part) {
  constexpr std::string_view names[tensor_part_count] = {"embedding",     "attention", "delta_net", "router",
                                                         "shared_expert", "experts",   "mlp",       "norms",
                                                         "head",          "vision",    "mtp",       "other"};
  return names[static_cast<std::size_t>(part)];
}

// The part of that name.
std::optional<TensorPart> tensor_part(std::string_view name);

// Of a tensor called so in a folder or in a GGUF file; `layers`: of the text model, behind which a GGUF file has those
// of multi-token prediction.
TensorPart part_of_tensor(std::string_view name, std::size_t layers);

#if QWEN35_BODIES

namespace detail {

struct PartName {
  std::string_view begin;  // of what stands behind the number of a layer
  TensorPart part;
};

// The first that fits counts.
inline constexpr PartName part_names[] = {
    // of folders
    {"linear_attn.norm.", TensorPart::norms},
    {"linear_attn.", TensorPart::delta_net},
    {"self_attn.q_norm.", TensorPart::norms},
    {"self_attn.k_norm.", TensorPart::norms},
    {"self_attn.", TensorPart::attention},
    {"mlp.gate.", TensorPart::router},
    {"mlp.shared_expert_gate.", TensorPart::router},
    {"mlp.shared_expert.", TensorPart::shared_expert},
    {"mlp.experts.", TensorPart::experts},
    {"mlp.switch_mlp.", TensorPart::experts},
    {"mlp.", TensorPart::mlp},
    {"input_layernorm.", TensorPart::norms},
    {"post_attention_layernorm.", TensorPart::norms},
    // of GGUF files
    {"attn_norm.", TensorPart::norms},
    {"post_attention_norm.", TensorPart::norms},
    {"attn_q_norm.", TensorPart::norms},
    {"attn_k_norm.", TensorPart::norms},
    {"ssm_norm.", TensorPart::norms},
    {"ssm_", TensorPart::delta_net},
    {"attn_gate.", TensorPart::delta_net},
    {"attn_qkv.", TensorPart::delta_net},  // also what some files call q, k and v of full attention
    {"attn_", TensorPart::attention},
    {"ffn_gate_inp", TensorPart::router},
    {"ffn_gate_shexp.", TensorPart::shared_expert},
    {"ffn_up_shexp.", TensorPart::shared_expert},
    {"ffn_down_shexp.", TensorPart::shared_expert},
    {"ffn_gate_up_exps.", TensorPart::experts},
    {"ffn_gate_exps.", TensorPart::experts},
    {"ffn_up_exps.", TensorPart::experts},
    {"ffn_down_exps.", TensorPart::experts},
    {"ffn_", TensorPart::mlp},
};

}  // namespace detail

QWEN35_BODY std::optional<TensorPart> tensor_part(std::string_view name) {
  for (std::size_t i = 0; i < tensor_part_count; ++i) {
    if (qwen35::name(static_cast<TensorPart>(i)) == name) {
      return static_cast<TensorPart>(i);
    }
  }
  return std::nullopt;
}

QWEN35_BODY TensorPart part_of_tensor(std::string_view name, std::size_t layers) {
  for (const std::string_view root : {"model.", "language_model.", "model."}) {
    name.remove_prefix(name.starts_with(root) ? root.size() : 0);
  }
  if (name.starts_with("mtp.")) {
    return TensorPart::mtp;
  }
  if (name.starts_with("visual.") || name.starts_with("vision_tower.") || name.starts_with("v.") ||
      name.starts_with("mm.")) {
    return TensorPart::vision;
  }
  for (const std::string_view root : {"layers.", "blk."}) {
    if (!name.starts_with(root)) {
      continue;
    }
    name.remove_prefix(root.size());
    std::size_t layer = 0;
    const std::from_chars_result number = std::from_chars(name.data(), name.data() + name.size(), layer);
    if (number.ec != std::errc() || number.ptr == name.data() + name.size() || *number.ptr != '.') {
      return TensorPart::other;
    }
    if (root == "blk." && layer >= layers) {
      return TensorPart::mtp;
    }
    name.remove_prefix(static_cast<std::size_t>(number.ptr - name.data()) + 1);
    const auto* const found =
        std::find_if(std::begin(detail::part_names), std::end(detail::part_names),
                     [&](const detail::PartName& known) { return name.starts_with(known.begin); });
    return found == std::end(detail::part_names) ? TensorPart::other : found->part;
  }
  return name.starts_with("embed_tokens.") || name.starts_with("token_embd.") ? TensorPart::embedding
         : name.starts_with("lm_head.") || name.starts_with("output.")        ? TensorPart::head
         : name.starts_with("norm.") || name.starts_with("output_norm.")      ? TensorPart::norms
                                                                              : TensorPart::other;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
