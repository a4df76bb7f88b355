// SPDX-License-Identifier: Apache-2.0
// expect: the model's Config is none: derive it from qwen35::MoeTextDefaults
// lines: 12
#include <qwen35/model.hpp>

struct Mine {
  static constexpr int hidden_size = 64;
};

void call() {
  qwen35::CausalLM<Mine>::from_pretrained("folder");
}
