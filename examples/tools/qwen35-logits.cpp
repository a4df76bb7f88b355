// SPDX-License-Identifier: Apache-2.0
// qwen35-logits DIR --ids 1,2,3 [-o OUT]: the logits of every position, to hold the library against a reference.
#include "logits.hpp"

#include <qwen35/config/presets.hpp>

// Presets added with -DQWEN35_TOOL_CONFIGS="Qwen35_0_8B;Qwen35_35B_A3B".
#if !defined(QWEN35_TOOL_CONFIG_LIST)
#define QWEN35_TOOL_CONFIG_LIST qwen35::configs::Shapes
#endif

int main(int argc, char** argv) {
  return logits_tool::main<QWEN35_TOOL_CONFIG_LIST>(argc, argv);
}
