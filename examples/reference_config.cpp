// SPDX-License-Identifier: Apache-2.0
// The example of the reference's Qwen3_5MoeConfig: a config, a model of it with fresh weights, and that model's config.
#include <qwen35/model.hpp>

#include <cstdio>

int main() {
  // Initializing a Qwen3.5-MoE style configuration; that of 35B-A3B is configs::Qwen35_35B_A3B
  using Configuration = qwen35::configs::Shapes;

  // Initializing a model from the configuration
  const qwen35::Qwen3_5MoeForConditionalGeneration<Configuration> model(qwen35::InitOptions{});

  // Accessing the model configuration
  const qwen35::ConfigValues& configuration = model.config();
  std::printf("%zu parameters, image token %d\n", model.num_parameters(), configuration.image_token_id);
}
