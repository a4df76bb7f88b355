// SPDX-License-Identifier: Apache-2.0
// A library that is loaded, used and unloaded: see host.cpp.
#include <qwen35/parallel/parallel_for.hpp>

extern "C" __attribute__((visibility("default"))) int sum_of_loop() {
  const qwen35::ThreadCount threads(3);
  std::atomic<int> sum{0};
  for (int loop = 0; loop < 20; ++loop) {
    qwen35::parallel_for(100, [&](std::size_t i) { sum += static_cast<int>(i); });
  }
  return sum;
}
