// SPDX-License-Identifier: Apache-2.0
// The GGUF files of the recorded models (tests/data/gguf), and what makes them equal to their folders bit for bit.
#pragma once

#include <qwen35/io/plain_file.hpp>
#include <qwen35/weights/checkpoint.hpp>
#include <qwen35/weights/dialect_of.hpp>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

namespace oracle {

inline std::string gguf_path(const std::string& name) {
  return std::string(QWEN35_TEST_DATA) + "/gguf/" + name + ".gguf";
}

// A converted file with the folder's own decays. The converter computes -exp(A_log) too, with an exponential that is
// rounded another way; all else is the same number.
class GgufOfFolder {
 public:
  GgufOfFolder(const std::string& path, const qwen35::Checkpoint& folder)
      : bytes_(qwen35::read_file<qwen35::CheckpointError>(path, std::size_t{1} << 28)) {
    const qwen35::json::Value* const inner = folder.config().find("text_config");
    const qwen35::JsonFields text(inner == nullptr ? &folder.config() : inner, "config");
    const std::size_t heads = text.size("linear_num_value_heads", 1), keys = text.size("linear_num_key_heads", 1);
    const std::string prefix = qwen35::HuggingFaceNames::of(folder).text;
    for (const qwen35::TensorInfo& tensor : qwen35::read_gguf(bytes_, path).tensors) {
      if (!tensor.name.ends_with(".ssm_a")) {
        continue;
      }
      const std::string layer = tensor.name.substr(4, tensor.name.find('.', 4) - 4);
      const qwen35::TensorInfo* const stored = folder.find(prefix + "layers." + layer + ".linear_attn.A_log");
      const qwen35::Matrix logarithms(stored->bytes.data(), *qwen35::dtype_of(stored->dtype), 1, heads);
      std::vector<float> values(heads), tiled(heads);
      qwen35::kernels::decode_row({logarithms.format, logarithms.data, heads, values.data()});
      for (std::size_t i = 0; i < heads; ++i) {
        tiled[i] = -std::exp(values[i % keys * (heads / keys) + i / keys]);
      }
      std::memcpy(bytes_.data() + (tensor.bytes.data() - bytes_.data()), tiled.data(), tensor.bytes.size());
    }
  }
  qwen35::Checkpoint checkpoint() const { return qwen35::Checkpoint::from_bytes({{"model.gguf", bytes_}}); }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace oracle
