// SPDX-License-Identifier: Apache-2.0
// Under which names a checkpoint keeps the parts of the model: multimodal files have a `language_model` level,
// text-only exports have not.
#pragma once

#include <qwen35/weights/checkpoint.hpp>

QWEN35_BEGIN_NAMESPACE

struct NameMap {
  std::string text = "model.";  // stands before embed_tokens.weight, norm.weight, layers.N. ...
  std::string lm_head = "lm_head.weight";
  std::string visual = "model.visual.";  // stands before patch_embed. ..., blocks.N. ...

  // Looks at the names of the checkpoint; what is not there has the name that is expected of such a checkpoint.
  static NameMap of(const Checkpoint& checkpoint) {
    NameMap names;
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
      const std::string name = std::string(root) + "lm_head.weight";
      if (checkpoint.find(name) != nullptr) {
        names.lm_head = name;
        break;
      }
    }
    if (!any_starts_with(checkpoint, names.visual) && any_starts_with(checkpoint, "visual.")) {
      names.visual = "visual.";
    }
    return names;
  }

  // Tensors of the other parts, and one that old exports store although it is computed: the text model passes them
  // over.
  static bool is_visual(std::string_view name) {
    return name.starts_with("model.visual.") || name.starts_with("visual.");
  }
  static bool is_multi_token_prediction(std::string_view name) {
    return name.starts_with("mtp.") || name.starts_with("model.mtp.") || name.starts_with("language_model.mtp.") ||
           name.starts_with("model.language_model.mtp.");
  }
  static bool is_rotary_buffer(std::string_view name) { return name.ends_with("rotary_emb.inv_freq"); }

 private:
  static bool any_starts_with(const Checkpoint& checkpoint, std::string_view prefix) {
    for (const TensorInfo& tensor : checkpoint.tensors()) {
      if (tensor.name.starts_with(prefix)) {
        return true;
      }
    }
    return false;
  }
};

QWEN35_END_NAMESPACE
