// SPDX-License-Identifier: Apache-2.0
// Of what is compiled once: kernels, and functions that are no templates.
#include <qwen35/kernels/kernels.hpp>
#include <qwen35/text/chat_template.hpp>

#include <cstdio>
#include <string>

int main() {
  const float row[4] = {1, 2, 3, 4};
  const qwen35::Matrix matrix{reinterpret_cast<const std::byte*>(row), qwen35::DType::f32, 1, 4};
  float sum = 0.0f;
  qwen35::kernels::matmul({matrix, 0, 1, row, 4, 1, &sum, 1});
  const std::string prompt = qwen35::apply_chat_template({{qwen35::Role::user, "Hello."}});
  try {
    qwen35::set_isa("none");
  } catch (const qwen35::InputError& error) {
    std::printf("%g, %zu bytes, %s\n", static_cast<double>(sum), prompt.size(), error.what());
    return sum == 30.0f && prompt == "<|im_start|>user\nHello.<|im_end|>\n" ? 0 : 1;
  }
  return 1;
}
