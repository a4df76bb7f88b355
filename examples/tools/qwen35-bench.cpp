// SPDX-License-Identifier: Apache-2.0
// qwen35-bench -m FILE_OR_FOLDER [-p 512] [-n 128] [-d 0] [-t 2] [-b 1] [-r 5] [-o md|json|csv]: tokens a second.
#include "bench.hpp"

#include <qwen35/config/presets.hpp>

namespace {

struct Qwen35_35B_A3B_4Layers : qwen35::configs::Qwen35_35B_A3B::text_config {
  static constexpr std::size_t num_hidden_layers = 4;
  static constexpr auto layer_types = qwen35::hybrid_layer_types<4>();
};

}  // namespace

// Presets added with -DQWEN35_TOOL_CONFIGS="Qwen35_0_8B;Qwen35_122B_A10B".
#if !defined(QWEN35_TOOL_CONFIG_LIST)
#define QWEN35_TOOL_CONFIG_LIST qwen35::configs::Shapes
#endif

int main(int argc, char** argv) {
  return bench_tool::main<Qwen35_35B_A3B_4Layers, qwen35::configs::Qwen35_35B_A3B::text_config,
                          QWEN35_TOOL_CONFIG_LIST>(argc, argv);
}
