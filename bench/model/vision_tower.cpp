// SPDX-License-Identifier: Apache-2.0
// The 35B-A3B's vision tower on a picture of 768 x 768 pixels: 2304 patches, 2.55 TFLOP. One block alone with random
// weights in bf16 and in 8 bits; with QWEN35_BENCH_VISION set to a folder that holds such a tower (whatever its text
// model), all of it. Compare GFLOP/s with multiply_add_peak of bench_kernels_peak; bench/vision_peers.sh runs other
// programs on the same file.
#include "layers/layer_bench.hpp"

#include <qwen35/config/presets.hpp>
#include <qwen35/model/vision_tower.hpp>

#include <cstdlib>

namespace {

using namespace qwen35;

using Vision = configs::Qwen35_35B_A3B::vision_config;
using Tower = VisionTower<Vision>;

constexpr PatchGrid grid{48, 48, 2};
constexpr double patches = 48.0 * 48.0;

double block_flops() {
  constexpr double width = Vision::hidden_size, inner = Vision::intermediate_size;
  return 2.0 * patches * (4.0 * width * width + 2.0 * width * inner) + 4.0 * patches * patches * width;
}

double tower_flops() {
  constexpr double width = Vision::hidden_size, merged = 4.0 * width;
  return Vision::depth * block_flops() + 2.0 * patches * static_cast<double>(Tower::patch_values) * width +
         2.0 * patches / 4.0 * merged * (merged + Vision::out_hidden_size);
}

void report(benchmark::State& state, double flops) {
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(grid.size()));
  state.counters["FLOP/s"] =
      benchmark::Counter(flops * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

// The same values in another format, which the matrix then is.
AlignedBuffer<std::byte> in_format(Matrix& matrix, Format format) {
  AlignedBuffer<std::byte> bytes(matrix.rows * row_bytes(format, matrix.cols));
  const Matrix other{bytes.data(), format, matrix.rows, matrix.cols};
  std::vector<float> row(matrix.cols);
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    kernels::decode_row({matrix.format, matrix.row(i), matrix.cols, row.data()});
    kernels::encode_row({format, row.data(), matrix.cols, bytes.data() + i * other.row_bytes});
  }
  matrix = other;
  return bytes;
}

void vision_block(benchmark::State& state) {
  layer_bench::Random random;
  constexpr std::size_t width = Vision::hidden_size, inner = Vision::intermediate_size;
  layer_bench::Fresh<VisionBlockWeights> fresh(VisionBlockSizes{width, inner});
  const auto format = static_cast<Format>(state.range(0));
  std::vector<AlignedBuffer<std::byte>> stored;
  // (Rows of linear_fc2 have 4304 values, which are no whole blocks: it stays as it is, as in packed files.)
  for (LinearWeights* const linear : {&fresh.weights.qkv, &fresh.weights.proj, &fresh.weights.linear_fc1}) {
    stored.push_back(in_format(linear->weight, format));
  }
  constexpr std::size_t half = width / Vision::num_heads / 2;
  std::vector<float> cos(grid.size() * half), sin(grid.size() * half),
      x = random.values(grid.size() * width, 0.0f, 1.0f);
  fill_vision_rotary(grid, half, cos.data(), sin.data());
  const Frame frame{0, grid.size()};
  Arena arena(Tower::Block::workspace_bytes(grid.size(), 1, inner));
  for (auto _ : state) {
    Tower::Block::forward(fresh.weights, x.data(), grid.size(), {&frame, 1}, {cos.data(), sin.data(), half}, arena);
  }
  report(state, block_flops());
}
BENCHMARK(vision_block)
    ->ArgName("format")
    ->Arg(static_cast<int>(Format::bf16))
    ->Arg(static_cast<int>(Format::q8_0))
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

const char* const folder = std::getenv("QWEN35_BENCH_VISION");
void vision_tower(benchmark::State& state) {
  static const Tower tower = Tower::from_pretrained(folder);
  layer_bench::Random random;
  const Tensor<float> pixels({grid.size(), Tower::patch_values},
                             random.values(grid.size() * Tower::patch_values, 0.0f, 1.0f));
  const Tensor<std::int64_t> grids({1, 3}, {1, grid.h, grid.w});
  for (auto _ : state) {
    benchmark::DoNotOptimize(tower.forward({.hidden_states = pixels, .grid_thw = grids}).pooler_output[0]);
  }
  report(state, tower_flops());
}
const bool registered = [] {
  if (folder != nullptr) {
    benchmark::RegisterBenchmark("vision_tower", vision_tower)->UseRealTime()->Unit(benchmark::kMillisecond);
  }
  return true;
}();

}  // namespace
