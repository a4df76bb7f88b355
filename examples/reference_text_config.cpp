// SPDX-License-Identifier: Apache-2.0
// The example of the reference's Qwen3_5MoeTextConfig: the text model alone, with fresh weights.
#include <qwen35/model.hpp>

#include <cstdio>

int main() {
  // Initializing a Qwen3.5-MoE style configuration; that of 35B-A3B is configs::Qwen35_35B_A3B::text_config
  using Configuration = qwen35::configs::Shapes::text_config;

  // Initializing a model from the configuration
  const qwen35::Qwen3_5MoeTextModel<Configuration> model(qwen35::InitOptions{});

  // Accessing the model configuration
  const qwen35::TextValues& configuration = model.config();
  std::printf("%zu parameters, %zu positions\n", model.num_parameters(), configuration.max_position_embeddings);
}
