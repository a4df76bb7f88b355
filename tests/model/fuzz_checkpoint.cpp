// SPDX-License-Identifier: Apache-2.0
// Any config.json and safetensors header of the shapes model: an error, or a model that runs.
#include <qwen35/config/presets.hpp>
#include <qwen35/model/causal_lm.hpp>

#include "../cmake/shapes_model.hpp"
#include "support/fuzz_folder.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qwen35;
  constexpr std::size_t data_bytes = std::size_t{4} << 20;
  const fuzz::Files files = fuzz::files_of(fuzz::text_of(data, size));
  std::string config, tensors;
  for (const auto& [name, content] : files) {
    if (name == "config.json") {
      config = content;
    } else if (name == "model.safetensors") {
      const std::uint64_t header = content.size();
      tensors.reserve(sizeof(header) + content.size() + data_bytes);
      tensors.assign(reinterpret_cast<const char*>(&header), sizeof(header));
      tensors += content;
      // As many bytes as its last tensor asks for, within reason.
      std::size_t end = 0;
      if (const auto value = json::try_parse(content); value && value->is_object()) {
        for (const auto& [tensor, entry] : value->members()) {
          const json::Value* const offsets = entry.find("data_offsets");
          if (offsets != nullptr && offsets->is_array() && offsets->size() == 2 && offsets->items()[1].is_integer()) {
            end = std::max(end, static_cast<std::size_t>(std::max<std::int64_t>(offsets->items()[1].as_integer(), 0)));
          }
        }
      }
      tensors.resize(tensors.size() + std::min(end, data_bytes), '\x2c');
    }
  }
  fuzz::attempt([&] {
    const CausalLM<configs::Shapes> model(Checkpoint::from_bytes(
        {{"config.json", fuzz::bytes_of(config)}, {"model.safetensors", fuzz::bytes_of(tensors)}}));
    const std::vector<TokenId> ids{1, 2, 3};
    fuzz::expect(model.forward({.input_ids = ids, .logits_to_keep = 1}).logits.size() ==
                 configs::Shapes::text_config::vocab_size);
  });
  return 0;
}
