// SPDX-License-Identifier: Apache-2.0
// For the fuzz drivers of readers of weight files.
#pragma once

#include <qwen35/weights/tensor_info.hpp>

#include <vector>

namespace fuzz {

// Reads every byte that the tensors were given.
inline void read_all(const std::vector<qwen35::TensorInfo>& tensors) {
  std::size_t sum = 0;
  for (const qwen35::TensorInfo& tensor : tensors) {
    for (const std::byte value : tensor.bytes) {
      sum += std::to_integer<std::size_t>(value);
    }
  }
  volatile std::size_t use = sum;
  static_cast<void>(use);
}

}  // namespace fuzz
