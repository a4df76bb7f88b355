// SPDX-License-Identifier: Apache-2.0
// Any bytes as a safetensors file and as the config.json beside it.
#include <qwen35/config/config_file.hpp>
#include <qwen35/config/presets.hpp>
#include <qwen35/weights/checkpoint.hpp>

#include <cstdint>

#include "fuzz_tensors.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  try {
    fuzz::read_all(qwen35::read_safetensors(bytes, "file"));
  } catch (const qwen35::Error&) {
  }
  try {
    if (const auto value = qwen35::json::try_parse({reinterpret_cast<const char*>(data), size})) {
      qwen35::check<qwen35::configs::Shapes>(*value);
    }
  } catch (const qwen35::Error&) {
  }
  return 0;
}
