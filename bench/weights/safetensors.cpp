// SPDX-License-Identifier: Apache-2.0
// Reading the header of a large checkpoint: per-expert files have up to 100,000 tensors.
#include <qwen35/weights/safetensors.hpp>

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

namespace {

std::vector<std::byte> file_of(std::size_t count) {
  std::string header = "{\"__metadata__\":{\"format\":\"pt\"}";
  for (std::size_t i = 0; i < count; ++i) {
    header += ",\"model.language_model.layers." + std::to_string(i % 60) + ".mlp.experts." + std::to_string(i / 60) +
              ".gate_proj.weight\":{\"dtype\":\"BF16\",\"shape\":[1,2],\"data_offsets\":[" + std::to_string(4 * i) +
              "," + std::to_string(4 * i + 4) + "]}";
  }
  header += "}";
  std::vector<std::byte> file(8 + header.size() + 4 * count);
  for (std::size_t i = 0; i < 8; ++i) {
    file[i] = static_cast<std::byte>(header.size() >> (8 * i));
  }
  for (std::size_t i = 0; i < header.size(); ++i) {
    file[8 + i] = static_cast<std::byte>(header[i]);
  }
  return file;
}

void read_header(benchmark::State& state) {
  const std::vector<std::byte> file = file_of(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    benchmark::DoNotOptimize(qwen35::read_safetensors(file, "model.safetensors"));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(read_header)->Arg(1000)->Arg(100000)->Unit(benchmark::kMillisecond);

}  // namespace
