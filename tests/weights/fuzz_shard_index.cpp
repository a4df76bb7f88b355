// SPDX-License-Identifier: Apache-2.0
// Any index of shards beside two files of tensors: an error, or a checkpoint of tensors that can be read.
#include <qwen35/weights/checkpoint.hpp>

#include "support/fuzz_folder.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qwen35;
  static const fuzz::Folder folder("shard_index");
  fuzz::Files files = fuzz::files_of(fuzz::text_of(data, size));
  // A shard is given by its header.
  for (auto& [name, content] : files) {
    if (name.ends_with(".safetensors")) {
      const std::uint64_t header = content.size();
      content = std::string(reinterpret_cast<const char*>(&header), sizeof(header)) + content + std::string(64, '\1');
    }
  }
  for (const char* const name : {"config.json", "model.safetensors.index.json", "a.safetensors", "b.safetensors"}) {
    std::string content = "{}";
    for (const auto& [given, text] : files) {
      content = given == name ? text : content;
    }
    folder.put(name, content);
  }
  fuzz::attempt([&] {
    const Checkpoint checkpoint = Checkpoint::open(folder.path());
    std::size_t sum = 0;
    for (const TensorInfo& tensor : checkpoint.tensors()) {
      fuzz::expect(checkpoint.find(tensor.name) == &tensor);
      for (const std::byte value : tensor.bytes) {
        sum += std::to_integer<std::size_t>(value);
      }
    }
    fuzz::expect(sum <= 128);
  });
  return 0;
}
