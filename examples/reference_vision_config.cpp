// SPDX-License-Identifier: Apache-2.0
// The same for the reference's Qwen3_5MoeVisionConfig: the vision tower alone, with fresh weights.
#include <qwen35/model.hpp>

#include <cstdio>

int main() {
  // Initializing a configuration of a Qwen3.5-MoE style vision tower; the published ones are in configs too
  using Configuration = qwen35::configs::Shapes::vision_config;

  // Initializing a model from the configuration
  const qwen35::Qwen3_5MoeVisionModel<Configuration> model(qwen35::InitOptions{});

  // Accessing the model configuration
  const auto configuration = model.config();
  std::printf("%zu parameters, %zu blocks\n", model.num_parameters(), configuration.depth);
}
