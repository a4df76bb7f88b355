// SPDX-License-Identifier: Apache-2.0
// Any bytes as a packed file, and as the index of one whose sum is right; and as a recipe.
#include <qwen35/weights/checkpoint.hpp>
#include <qwen35/weights/pack_recipe.hpp>

#include <cstdint>
#include <string_view>

#include "fuzz_tensors.hpp"
#include "packed_seal.hpp"

namespace {

void read(std::span<const std::byte> file) {
  try {
    const qwen35::PackedFile packed = qwen35::read_packed(file, "file");
    fuzz::read_all(packed.tensors);
    qwen35::verify_packed(packed);
  } catch (const qwen35::Error&) {
  }
  try {
    qwen35::Checkpoint::from_bytes({{"m.qwen35", file}});
  } catch (const qwen35::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  read(bytes);
  read(weights_test::sealed(text));
  try {
    const qwen35::PackRecipe recipe = qwen35::PackRecipe::parse(text, "recipe");
    recipe.format_of({"model.layers.0.mlp.experts.down_proj", "F32", {2, 64}, bytes, "file"},
                     qwen35::TensorPart::experts);
  } catch (const qwen35::Error&) {
  }
  return 0;
}
