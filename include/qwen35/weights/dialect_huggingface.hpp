// SPDX-License-Identifier: Apache-2.0
// The published checkpoints' dialect.
#pragma once

#include <qwen35/weights/dialect.hpp>

#include <vector>

QWEN35_BEGIN_NAMESPACE

// What stands before the names of the parts: multimodal files have a `language_model` level, text-only exports have
// not.
struct HuggingFaceNames {
  std::string text = "model.";  // stands before embed_tokens.weight, norm.weight, layers.N. ...
  std::string lm_head = "lm_head.weight";
  std::string visual = "model.visual.";  // stands before patch_embed. ..., blocks.N. ...

  // As the reference's models save themselves.
  static HuggingFaceNames of_part() { return {"", "lm_head.weight", ""}; }  // a text model or a tower alone
  static HuggingFaceNames of_causal_lm() { return {}; }
  static HuggingFaceNames of_model() { return {"language_model.", "lm_head.weight", "visual."}; }
  static HuggingFaceNames of_conditional_generation() {
    return {"model.language_model.", "lm_head.weight", "model.visual."};
  }

  // Looks at the names of the checkpoint; what is not there has the name that is expected of such a checkpoint.
  static HuggingFaceNames of(const Checkpoint& checkpoint);

  std::string text_name(const std::string& name) const { return name == "lm_head.weight" ? lm_head : text + name; }
  std::string vision_name(const std::string& name) const { return visual + name; }

  // Tensors of the other parts, and one that old exports store although it is computed: the text model passes them
  // over.
  static bool is_visual(std::string_view name) {
    return name.starts_with("model.visual.") || name.starts_with("visual.") || name.starts_with("vision_tower.");
  }
  static bool is_multi_token_prediction(std::string_view name);
  static bool is_rotary_buffer(std::string_view name) { return name.ends_with("rotary_emb.inv_freq"); }
  // Of quantised folders, for keys and values in 8 bits: the cache is not rounded to the folder's own types.
  static bool is_cache_scale(std::string_view name) { return name.ends_with(".k_scale") || name.ends_with(".v_scale"); }
  bool passes_over(std::string_view name, ModelPart part) const;

 private:
  static bool any_starts_with(const Checkpoint& checkpoint, std::string_view prefix);
};

class HuggingFaceDialect final : public Dialect {
 public:
  HuggingFaceDialect(const Checkpoint& checkpoint, ModelPart part)
      : names_(HuggingFaceNames::of(checkpoint)), part_(part) {}

  std::string file_name(const std::string& name) const override {
    return part_ == ModelPart::text ? names_.text_name(name) : names_.vision_name(name);
  }
  bool passes_over(std::string_view name) const override { return names_.passes_over(name, part_); }

  void bind(Binder& binder, const Parameter& parameter, Matrix& out) override {
    out = binder.matrix(file_name(parameter.name), parameter.shape);
  }
  void bind(Binder& binder, const Parameter& parameter, const float*& out) override {
    out = binder.vector(file_name(parameter.name), parameter.shape, parameter.meaning);
  }
  // Fused, also as stacked tensors of integers, or three matrices for each expert.
  QWEN35_BODY void bind(Binder& binder, const ExpertsParameter& experts, std::vector<MlpWeights>& out) override;

 private:
  static MlpSizes sizes(const ExpertsParameter& experts) { return {experts.hidden_size, experts.intermediate}; }
  static std::string expert_name(const ExpertsParameter& experts, std::size_t e) {
    return experts.name + std::to_string(e) + ".";
  }
  bool any_single(const Binder& binder, const ExpertsParameter& experts) const;
  // Two forms are two weights for one module, which nothing chooses between.
  void refuse_two_forms(Binder& binder, const ExpertsParameter& experts) const;

  HuggingFaceNames names_;
  ModelPart part_;
};

#if QWEN35_BODIES

QWEN35_BODY HuggingFaceNames HuggingFaceNames::of(const Checkpoint& checkpoint) {
  HuggingFaceNames names;
  constexpr const char* text_roots[] = {"model.language_model.", "language_model.model.", "language_model.", "model.",
                                        ""};
  const auto choose = [&](const auto& fits) {
    for (const char* const root : text_roots) {
      if (fits(std::string(root))) {
        names.text = root;
        return true;
      }
    }
    return false;
  };
  if (!choose([&](const std::string& root) { return checkpoint.find(root + "embed_tokens.weight") != nullptr; })) {
    choose([&](const std::string& root) { return any_starts_with(checkpoint, root + "layers."); });
  }
  for (const char* const root : {"", "language_model.", "model.language_model.", "model."}) {
    const std::string head = std::string(root) + "lm_head.";
    const auto has = [&](const char* part) { return checkpoint.find(head + part) != nullptr; };
    if (has("weight") || has("qweight") || has("weight_packed")) {
      names.lm_head = head + "weight";
      break;
    }
  }
  if (!any_starts_with(checkpoint, names.visual)) {
    if (any_starts_with(checkpoint, "visual.")) {
      names.visual = "visual.";
    } else if (any_starts_with(checkpoint, "vision_tower.")) {  // MLX's name for it
      names.visual = "vision_tower.";
    } else if (checkpoint.find("patch_embed.proj.weight") != nullptr) {
      names.visual = "";  // a tower by itself
    }
  }
  return names;
}

QWEN35_BODY bool HuggingFaceNames::is_multi_token_prediction(std::string_view name) {
  return name.starts_with("mtp.") || name.starts_with("model.mtp.") || name.starts_with("language_model.mtp.") ||
         name.starts_with("model.language_model.mtp.");
}

QWEN35_BODY bool HuggingFaceNames::any_starts_with(const Checkpoint& checkpoint, std::string_view prefix) {
  for (const TensorInfo& tensor : checkpoint.tensors()) {
    if (tensor.name.starts_with(prefix)) {
      return true;
    }
  }
  return false;
}

QWEN35_BODY bool HuggingFaceNames::passes_over(std::string_view name, ModelPart part) const {
  if (is_rotary_buffer(name) || is_cache_scale(name)) {
    return true;
  }
  return part == ModelPart::text ? is_visual(name) || is_multi_token_prediction(name)
                                 : !visual.empty() && !is_visual(name);
}

QWEN35_BODY void HuggingFaceDialect::bind(Binder& binder, const ExpertsParameter& experts,
                                          std::vector<MlpWeights>& out) {
  const Parameter fused = experts.gate_up_proj(), fused_down = experts.down_proj();
  out.resize(experts.count);
  refuse_two_forms(binder, experts);
  if (!binder.has(file_name(fused.name)) && !binder.has(file_name(fused_down.name)) && any_single(binder, experts)) {
    for (std::size_t e = 0; e < experts.count; ++e) {
      MatrixVisitor single([&](const Parameter& parameter, Matrix& matrix) { bind(binder, parameter, matrix); });
      visit_parameters(out[e], sizes(experts), expert_name(experts, e), single);
    }
    return;
  }
  const std::size_t rows = experts.intermediate, hidden = experts.hidden_size;
  if (binder.has_stacked_integers(file_name(fused.name)) && binder.has_stacked_integers(file_name(fused_down.name))) {
    for (std::size_t e = 0; e < experts.count; ++e) {
      const Matrix gate_up = binder.stacked_integers(file_name(fused.name), fused.shape, e);
      const Matrix down = binder.stacked_integers(file_name(fused_down.name), fused_down.shape, e);
      if (gate_up.empty() || down.empty()) {
        return;
      }
      out[e] = {gate_up.slice(0, rows), gate_up.slice(rows, rows), down};
    }
    return;
  }
  const Matrix gate_up = binder.stacked(file_name(fused.name), fused.shape);
  const Matrix down = binder.stacked(file_name(fused_down.name), fused_down.shape);
  for (std::size_t e = 0; e < experts.count && !gate_up.empty() && !down.empty(); ++e) {
    out[e] = {gate_up.slice(2 * e * rows, rows), gate_up.slice((2 * e + 1) * rows, rows),
              down.slice(e * hidden, hidden)};
  }
}

QWEN35_BODY void HuggingFaceDialect::refuse_two_forms(Binder& binder, const ExpertsParameter& experts) const {
  const std::string fused[] = {file_name(experts.gate_up_proj().name), file_name(experts.down_proj().name)};
  const std::string single = file_name(expert_name(experts, 0));
  const bool forms[] = {binder.has(fused[0]) || binder.has(fused[1]),
                        binder.has_stacked_integers(fused[0]) || binder.has_stacked_integers(fused[1]),
                        binder.has(single + "gate_proj.weight") || binder.has(single + "up_proj.weight") ||
                            binder.has(single + "down_proj.weight")};
  if (forms[0] + forms[1] + forms[2] > 1) {
    binder.complain(file_name(experts.name),
                    concat("these experts have several weights, ", forms[0] ? "fused, " : "",
                           forms[1] ? "fused as integers, " : "", forms[2] ? "single, " : "", "expected one form"));
  }
}

QWEN35_BODY bool HuggingFaceDialect::any_single(const Binder& binder, const ExpertsParameter& experts) const {
  bool found = false;
  MlpWeights none;
  MatrixVisitor look(
      [&](const Parameter& parameter, Matrix&) { found = found || binder.has(file_name(parameter.name)); });
  for (std::size_t e = 0; e < experts.count && !found; ++e) {
    visit_parameters(none, sizes(experts), expert_name(experts, e), look);
  }
  return found;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
