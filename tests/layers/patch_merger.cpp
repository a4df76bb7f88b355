// SPDX-License-Identifier: Apache-2.0
#include <qwen35/layers/patch_merger.hpp>

#include "vision_test.hpp"

using namespace qwen35;
using namespace vision_test;

namespace {

template <std::size_t HiddenSize, std::size_t BlockSize>
void check(std::size_t blocks, std::size_t out) {
  using Merger = PatchMerger<HiddenSize, BlockSize>;
  Random random;
  const PatchMergerWeights weights{random.norm(HiddenSize), random.linear(Merger::width, Merger::width),
                                   random.linear(out, Merger::width)};
  const std::vector<float> x = random.values(blocks * Merger::width, 0.5f, 1.0f);
  std::vector<float> y(blocks * out);
  Arena arena(Merger::workspace_bytes(blocks));
  Merger::forward(weights, x.data(), y.data(), blocks, arena);
  std::vector<Row> expected;
  for (std::size_t b = 0; b < blocks; ++b) {
    Row merged;
    for (std::size_t patch = 0; patch < BlockSize; ++patch) {
      const Row own = layer_norm(weights.norm, row(x.data() + (b * BlockSize + patch) * HiddenSize, HiddenSize));
      merged.insert(merged.end(), own.begin(), own.end());
    }
    Row act = linear(weights.linear_fc1, merged);
    for (double& value : act) {
      value = 0.5 * value * (1.0 + std::erf(value / std::sqrt(2.0)));  // the merger's GELU is the exact one
    }
    expected.push_back(linear(weights.linear_fc2, act));
  }
  CAPTURE(blocks);
  CHECK(distance(y, expected) < 1e-6);
}

}  // namespace

TEST_CASE("the merger normalises each patch, then maps the patches of a block as one row") {
  check<12, 4>(1, 9);
  check<12, 4>(200, 9);
  check<12, 4>(1600, 5);
  check<10, 1>(33, 16);
}
