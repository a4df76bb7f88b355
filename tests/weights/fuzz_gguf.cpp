// SPDX-License-Identifier: Apache-2.0
// Any bytes as a GGUF file: read whole, and as the model that its metadata describe.
#include <qwen35/config/config_file.hpp>
#include <qwen35/config/presets.hpp>
#include <qwen35/text/tokenizer.hpp>
#include <qwen35/weights/checkpoint.hpp>
#include <qwen35/weights/gguf.hpp>

#include <cstdint>

#include "fuzz_tensors.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  try {
    const qwen35::GgufFile file = qwen35::read_gguf(bytes, "file");
    for (const auto& [key, value] : file.metadata) {
      static_cast<void>(value.json());
    }
    fuzz::read_all(file.tensors);
  } catch (const qwen35::Error&) {
  }
  try {
    const qwen35::Checkpoint checkpoint = qwen35::Checkpoint::from_bytes({{"m.gguf", bytes}});
    static_cast<void>(qwen35::try_check<qwen35::configs::Shapes>(checkpoint.config()));
    qwen35::Tokenizer::from_pretrained(checkpoint.files());
  } catch (const qwen35::Error&) {
  }
  return 0;
}
