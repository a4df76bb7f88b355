// SPDX-License-Identifier: Apache-2.0
// Any bytes as a safetensors file.
#include <qwen35/weights/safetensors.hpp>

#include <cstdint>

#include "fuzz_tensors.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  try {
    fuzz::read_all(qwen35::read_safetensors(bytes, "file"));
  } catch (const qwen35::Error&) {
  }
  return 0;
}
