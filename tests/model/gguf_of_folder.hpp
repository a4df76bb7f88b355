// SPDX-License-Identifier: Apache-2.0
// The GGUF files of the recorded models (tests/data/gguf), and what makes them equal to their folders bit for bit.
#pragma once

#include <qwen35/io/plain_file.hpp>
#include <qwen35/weights/checkpoint.hpp>
#include <qwen35/weights/dialect_huggingface.hpp>
#include <qwen35/weights/gguf.hpp>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

namespace oracle {

inline std::string gguf_path(const std::string& name) {
  return std::string(QWEN35_TEST_DATA) + "/gguf/" + name + ".gguf";
}

// A converted file with the folder's own decays and norms. The converter computes -exp(A_log) too, with an exponential
// that is rounded another way, and 1 + w in the folder's format, which f16 rounds; all else is the same number.
class GgufOfFolder {
 public:
  GgufOfFolder(const std::string& path, const qwen35::Checkpoint& folder)
      : bytes_(qwen35::read_file<qwen35::CheckpointError>(path, std::size_t{1} << 28)) {
    const qwen35::json::Value* const inner = folder.config().find("text_config");
    const qwen35::JsonFields text(inner == nullptr ? &folder.config() : inner, "config");
    const std::size_t heads = text.size("linear_num_value_heads", 1), keys = text.size("linear_num_key_heads", 1);
    const std::string prefix = qwen35::HuggingFaceNames::of(folder).text;
    // (A layer that predicts further tokens has no counterpart.)
    const auto stored = [&](const std::string& name, std::size_t count) {
      const qwen35::TensorInfo* const tensor = folder.find(prefix + name);
      std::vector<float> values(count);
      qwen35::kernels::decode_row({*qwen35::dtype_of(tensor->dtype), tensor->bytes.data(), count, values.data()});
      return values;
    };
    for (const qwen35::TensorInfo& tensor : qwen35::read_gguf(bytes_, path).tensors) {
      const std::size_t dot = tensor.name.find('.', 4);
      const bool in_layer = tensor.name.starts_with("blk.");
      const std::string layer = in_layer ? "layers." + tensor.name.substr(4, dot - 4) + "." : "";
      const std::string part = in_layer ? tensor.name.substr(dot + 1) : tensor.name;
      std::vector<float> values;
      if (part == "ssm_a") {
        const std::vector<float> logarithms = stored(layer + "linear_attn.A_log", heads);
        for (std::size_t i = 0; i < heads; ++i) {
          values.push_back(-std::exp(logarithms[i % keys * (heads / keys) + i / keys]));
        }
      } else if (const char* const norm = norm_of(part);
                 norm != nullptr && folder.find(prefix + layer + norm) != nullptr) {
        values = stored(layer + norm, tensor.bytes.size() / sizeof(float));
        for (float& value : values) {
          value += 1.0f;
        }
      } else {
        continue;
      }
      std::memcpy(bytes_.data() + (tensor.bytes.data() - bytes_.data()), values.data(), tensor.bytes.size());
    }
  }
  qwen35::Checkpoint checkpoint() const { return qwen35::Checkpoint::from_bytes({{"model.gguf", bytes_}}); }

 private:
  // The reference's name of a norm that works with 1 + w, or null.
  static const char* norm_of(const std::string& part) {
    return part == "attn_norm.weight"             ? "input_layernorm.weight"
           : part == "post_attention_norm.weight" ? "post_attention_layernorm.weight"
           : part == "attn_q_norm.weight"         ? "self_attn.q_norm.weight"
           : part == "attn_k_norm.weight"         ? "self_attn.k_norm.weight"
           : part == "output_norm.weight"         ? "norm.weight"
                                                  : nullptr;
  }

  std::vector<std::byte> bytes_;
};

}  // namespace oracle
