// SPDX-License-Identifier: Apache-2.0
// expect: 'max_new_token'
// lines: 12
#include <qwen35/sampling/generation_config.hpp>

std::string call() {
  const qwen35::GenerationConfig config{.max_new_token = 3};
  return to_string(config);
}
