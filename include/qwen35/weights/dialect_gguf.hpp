// SPDX-License-Identifier: Apache-2.0
// The dialect of GGUF files: llama.cpp's names, what its converter has applied already (1 + w, -exp(A_log)), and its
// order of value heads.
#pragma once

#include <qwen35/config/json_fields.hpp>
#include <qwen35/weights/dialect.hpp>

#include <charconv>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// Source: the converter's tables (gguf-py's tensor_mapping, conversion/qwen.py), compared value by value with the
// checkpoints that it read.
class GgufDialect final : public Dialect {
 public:
  GgufDialect(const Checkpoint& checkpoint, ModelPart part);

  QWEN35_BODY std::string file_name(const std::string& name) const override;
  QWEN35_BODY bool passes_over(std::string_view name) const override;
  bool tiled_value_heads() const override { return value_heads_ > key_heads_; }

  QWEN35_BODY void bind(Binder& binder, const Parameter& parameter, Matrix& out) override;
  QWEN35_BODY void bind(Binder& binder, const Parameter& parameter, const float*& out) override;
  // Gate and up each alone, or one behind the other.
  QWEN35_BODY void bind(Binder& binder, const ExpertsParameter& experts, std::vector<MlpWeights>& out) override;

 private:
  void bind_fused(Binder& binder, const Parameter& parameter, const std::string& fused, Matrix& out);
  // A tensor by itself beside one that has its rows.
  void refuse_two_forms(Binder& binder, const std::string& single, const std::string& fused) const;
  void bind_patches(Binder& binder, const Parameter& parameter, Matrix& out) const;
  void restore_columns(Binder& binder, Matrix& out) const;

  const Checkpoint& checkpoint_;
  ModelPart part_;
  std::size_t layers_ = 0;
  std::size_t key_heads_ = 1;
  std::size_t value_heads_ = 1;
  Matrix fused_;                // of q, k and v, while they are taken from it
  std::size_t next_fused_ = 0;  // its row that is taken next
};

namespace detail {

// "layers.3.mlp.gate.weight" with the prefix "layers.": "3" and "mlp.gate.weight"; nothing without the prefix.
std::pair<std::string_view, std::string_view> numbered(std::string_view name, std::string_view prefix);

}  // namespace detail

#if QWEN35_BODIES

namespace detail {

// The names of a layer's parameters, or of one outside the layers: the reference's, then the file's.
// (A pair made of two literals is two templates of their lengths.)
struct NamePair {
  std::string_view reference, file;
};

inline constexpr NamePair gguf_text_names[] = {{"embed_tokens.weight", "token_embd.weight"},
                                               {"norm.weight", "output_norm.weight"},
                                               {"lm_head.weight", "output.weight"}};
inline constexpr NamePair gguf_layer_names[] = {{"input_layernorm.weight", "attn_norm.weight"},
                                                {"post_attention_layernorm.weight", "post_attention_norm.weight"},
                                                {"linear_attn.in_proj_qkv.weight", "attn_qkv.weight"},
                                                {"linear_attn.in_proj_z.weight", "attn_gate.weight"},
                                                {"linear_attn.in_proj_b.weight", "ssm_beta.weight"},
                                                {"linear_attn.in_proj_a.weight", "ssm_alpha.weight"},
                                                {"linear_attn.out_proj.weight", "ssm_out.weight"},
                                                {"linear_attn.conv1d.weight", "ssm_conv1d.weight"},
                                                {"linear_attn.dt_bias", "ssm_dt.bias"},
                                                {"linear_attn.A_log", "ssm_a"},
                                                {"linear_attn.norm.weight", "ssm_norm.weight"},
                                                {"self_attn.q_proj.weight", "attn_q.weight"},
                                                {"self_attn.k_proj.weight", "attn_k.weight"},
                                                {"self_attn.v_proj.weight", "attn_v.weight"},
                                                {"self_attn.o_proj.weight", "attn_output.weight"},
                                                {"self_attn.q_proj.bias", "attn_q.bias"},
                                                {"self_attn.k_proj.bias", "attn_k.bias"},
                                                {"self_attn.v_proj.bias", "attn_v.bias"},
                                                {"self_attn.o_proj.bias", "attn_output.bias"},
                                                {"self_attn.q_norm.weight", "attn_q_norm.weight"},
                                                {"self_attn.k_norm.weight", "attn_k_norm.weight"},
                                                {"mlp.gate.weight", "ffn_gate_inp.weight"},
                                                {"mlp.shared_expert.gate_proj.weight", "ffn_gate_shexp.weight"},
                                                {"mlp.shared_expert.up_proj.weight", "ffn_up_shexp.weight"},
                                                {"mlp.shared_expert.down_proj.weight", "ffn_down_shexp.weight"},
                                                {"mlp.shared_expert_gate.weight", "ffn_gate_inp_shexp.weight"},
                                                {"mlp.experts.gate_up_proj", "ffn_gate_up_exps.weight"},
                                                {"mlp.experts.gate_proj", "ffn_gate_exps.weight"},
                                                {"mlp.experts.up_proj", "ffn_up_exps.weight"},
                                                {"mlp.experts.down_proj", "ffn_down_exps.weight"},
                                                {"mlp.gate_proj.weight", "ffn_gate.weight"},
                                                {"mlp.up_proj.weight", "ffn_up.weight"},
                                                {"mlp.down_proj.weight", "ffn_down.weight"}};
// Before ".weight" and ".bias".
inline constexpr NamePair gguf_vision_names[] = {{"patch_embed.proj", "v.patch_embd"},
                                                 {"pos_embed", "v.position_embd"},
                                                 {"merger.norm", "v.post_ln"},
                                                 {"merger.linear_fc1", "mm.0"},
                                                 {"merger.linear_fc2", "mm.2"}};
inline constexpr NamePair gguf_vision_block_names[] = {{"norm1", "ln1"},
                                                       {"norm2", "ln2"},
                                                       {"attn.qkv", "attn_qkv"},
                                                       {"attn.proj", "attn_out"},
                                                       {"mlp.linear_fc1", "ffn_up"},
                                                       {"mlp.linear_fc2", "ffn_down"}};

template <std::size_t N>
std::string renamed(const NamePair (&names)[N], std::string_view name) {
  for (const auto& [reference, file] : names) {
    if (reference == name) {
      return std::string(file);
    }
  }
  return std::string(name);
}

QWEN35_BODY std::pair<std::string_view, std::string_view> numbered(std::string_view name, std::string_view prefix) {
  const std::size_t end = name.starts_with(prefix) ? name.find('.', prefix.size()) : std::string_view::npos;
  return end == std::string_view::npos
             ? std::pair<std::string_view, std::string_view>()
             : std::pair(name.substr(prefix.size(), end - prefix.size()), name.substr(end + 1));
}

}  // namespace detail

QWEN35_BODY GgufDialect::GgufDialect(const Checkpoint& checkpoint, ModelPart part)
    : checkpoint_(checkpoint), part_(part) {
  read_config(checkpoint, [this](const json::Value& config) {
    const json::Value* const inner = config.find("text_config");
    const JsonFields text(inner == nullptr ? &config : inner, "config");
    layers_ = text.size("num_hidden_layers", 0);
    key_heads_ = text.size("linear_num_key_heads", 1);
    value_heads_ = text.size("linear_num_value_heads", 1);
  });
}

QWEN35_BODY std::string GgufDialect::file_name(const std::string& name) const {
  if (part_ == ModelPart::text) {
    const auto [layer, rest] = detail::numbered(name, "layers.");
    if (layer.empty()) {
      return detail::renamed(detail::gguf_text_names, name);
    }
    std::string out = concat("blk.", layer, ".", detail::renamed(detail::gguf_layer_names, rest));
    if (rest == "linear_attn.dt_bias" && checkpoint_.find(out) == nullptr) {  // Ollama's name for it
      const std::string other = concat("blk.", layer, ".ssm_dt");
      out = checkpoint_.find(other) == nullptr ? out : other;
    }
    return out;
  }
  const std::size_t dot = name.rfind('.');
  const std::string_view root = std::string_view(name).substr(0, dot), ending = std::string_view(name).substr(dot);
  const auto [block, rest] = detail::numbered(root, "blocks.");
  return block.empty() ? detail::renamed(detail::gguf_vision_names, root) + std::string(ending)
                       : concat("v.blk.", block, ".", detail::renamed(detail::gguf_vision_block_names, rest), ending);
}

QWEN35_BODY bool GgufDialect::passes_over(std::string_view name) const {
  const bool vision = name.starts_with("v.") || name.starts_with("mm.");
  if (part_ == ModelPart::vision || vision) {
    return (part_ == ModelPart::vision) != vision;
  }
  if (name.starts_with("mtp.")) {  // Ollama's name for what predicts further tokens
    return true;
  }
  // A block behind the layers that does.
  const auto [layer, rest] = detail::numbered(name, "blk.");
  std::size_t number = 0;
  const bool is_number = std::from_chars(layer.data(), layer.data() + layer.size(), number).ec == std::errc();
  return is_number && number >= layers_ && checkpoint_.find(concat("blk.", layer, ".nextn.eh_proj.weight")) != nullptr;
}

QWEN35_BODY void GgufDialect::bind(Binder& binder, const Parameter& parameter, Matrix& out) {
  const std::string name = file_name(parameter.name);
  const std::string_view parameter_name = parameter.name;
  if (part_ == ModelPart::vision && parameter_name == "patch_embed.proj.weight") {
    bind_patches(binder, parameter, out);
    return;
  }
  const auto [layer, rest] = detail::numbered(parameter_name, "layers.");
  const std::string fused = concat("blk.", layer, ".attn_qkv.weight");
  if ((rest == "self_attn.q_proj.weight" || rest == "self_attn.k_proj.weight" || rest == "self_attn.v_proj.weight") &&
      checkpoint_.find(fused) != nullptr) {
    refuse_two_forms(binder, name, fused);
    bind_fused(binder, parameter, fused, out);
    return;
  }
  out = binder.matrix(name, parameter.shape);
  if (rest == "linear_attn.out_proj.weight") {
    restore_columns(binder, out);
  }
}

QWEN35_BODY void GgufDialect::bind(Binder& binder, const Parameter& parameter, const float*& out) {
  out =
      binder.vector(file_name(parameter.name), parameter.shape, parameter.meaning, parameter.meaning != Meaning::plain);
}

QWEN35_BODY void GgufDialect::bind(Binder& binder, const ExpertsParameter& experts, std::vector<MlpWeights>& out) {
  const std::size_t rows = experts.intermediate, hidden = experts.hidden_size;
  const auto stacked = [&](const char* name, std::size_t height, std::size_t width) {
    return binder.stacked(file_name(experts.name + name), {experts.count, height, width});
  };
  const std::string both = file_name(experts.name + "gate_up_proj");
  const bool together = binder.has(both);
  if (together) {
    refuse_two_forms(binder, file_name(experts.name + "gate_proj"), both);
    refuse_two_forms(binder, file_name(experts.name + "up_proj"), both);
  }
  const Matrix gate = together ? stacked("gate_up_proj", 2 * rows, hidden) : stacked("gate_proj", rows, hidden);
  const Matrix up = together ? gate : stacked("up_proj", rows, hidden);
  const Matrix down = stacked("down_proj", hidden, rows);
  out.resize(experts.count);
  for (std::size_t e = 0; e < experts.count && !gate.empty() && !up.empty() && !down.empty(); ++e) {
    out[e] = together
                 ? MlpWeights{gate.slice(2 * e * rows, rows), gate.slice((2 * e + 1) * rows, rows),
                              down.slice(e * hidden, hidden)}
                 : MlpWeights{gate.slice(e * rows, rows), up.slice(e * rows, rows), down.slice(e * hidden, hidden)};
  }
}

QWEN35_BODY void GgufDialect::refuse_two_forms(Binder& binder, const std::string& single,
                                               const std::string& fused) const {
  if (binder.has(single)) {
    binder.complain(single, concat("stands beside ", fused, ", which has its values too: two weights for one module"));
  }
}

// Rows of q, then of k, then of v in one tensor: the walk asks for them in this order.
QWEN35_BODY void GgufDialect::bind_fused(Binder& binder, const Parameter& parameter, const std::string& fused,
                                         Matrix& out) {
  if (parameter.name.ends_with("q_proj.weight")) {
    const TensorInfo* const tensor = checkpoint_.find(fused);
    fused_ = binder.matrix(fused, {tensor->shape[0], parameter.shape[1]});
    next_fused_ = 0;
  }
  const std::size_t rows = parameter.shape[0];
  const bool last = parameter.name.ends_with("v_proj.weight");
  if (fused_.empty()) {
    return;
  }
  if (next_fused_ + rows > fused_.rows || (last && next_fused_ + rows != fused_.rows)) {
    binder.complain(fused, concat(fused_.rows, " rows are not those of q, k and v, one behind the other"));
    fused_ = {};
    return;
  }
  out = fused_.slice(next_fused_, rows);
  next_fused_ += rows;
}

// One tensor for each of the frames that a patch covers: [width, channels, patch, patch] becomes [width, channels,
// frame, patch, patch].
QWEN35_BODY void GgufDialect::bind_patches(Binder& binder, const Parameter& parameter, Matrix& out) const {
  const Shape& shape = parameter.shape;
  const std::string name = file_name(parameter.name);
  std::vector<Matrix> frames;
  for (std::size_t frame = 0; frame < shape[2]; ++frame) {
    frames.push_back(
        binder.matrix(frame == 0 ? name : concat(name, ".", frame), {shape[0], shape[1], shape[3], shape[4]}));
    if (frames.back().empty()) {
      return;
    }
    if (frames.back().format != frames[0].format || format_info(frames[0].format).block_values != 1) {
      binder.complain(name, "frames of two formats, or of one in blocks");
      return;
    }
  }
  std::vector<ColumnBlock> blocks;
  for (std::size_t channel = 0; channel < shape[1]; ++channel) {
    for (const Matrix& frame : frames) {
      blocks.push_back({&frame, channel});
    }
  }
  out = binder.columns(blocks, shape[3] * shape[4]);
}

// Columns in tiled order back in the order of the heads, so that sums over them are those of a folder; where they are
// stored in blocks of several they stay, and the layer computes in that order.
QWEN35_BODY void GgufDialect::restore_columns(Binder& binder, Matrix& out) const {
  if (out.empty() || !tiled_value_heads() || format_info(out.format).block_values != 1) {
    return;
  }
  const Matrix stored = out;
  std::vector<ColumnBlock> blocks;
  for (std::size_t key = 0; key < key_heads_; ++key) {
    for (std::size_t tile = 0; tile < value_heads_ / key_heads_; ++tile) {
      blocks.push_back({&stored, tile * key_heads_ + key});
    }
  }
  out = binder.columns(blocks, stored.cols / value_heads_);
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
