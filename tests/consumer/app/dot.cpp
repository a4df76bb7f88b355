// SPDX-License-Identifier: Apache-2.0
#include <qwen35/kernels/kernels.hpp>

float dot(const float* a, const float* b, std::size_t n) {
  const qwen35::Matrix row{reinterpret_cast<const std::byte*>(a), qwen35::DType::f32, 1, n};
  float sum = 0.0f;
  qwen35::kernels::matmul({row, 0, 1, b, n, 1, &sum, 1});
  return sum;
}
