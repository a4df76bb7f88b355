// SPDX-License-Identifier: Apache-2.0
// A program that a compiler's command line makes.
#include <qwen35/core/result.hpp>
#include <qwen35/parallel/parallel_for.hpp>
#include <qwen35/unicode/nfc.hpp>

#include <atomic>
#include <cstdio>
#include <string>

int main() {
  std::atomic<int> sum{0};
  qwen35::parallel_for(100, [&](std::size_t i) { sum += static_cast<int>(i); });
  const std::string composed = qwen35::unicode::nfc("e\xCC\x81");
  std::printf("%s: %d\n", std::string(qwen35::thread_backend()).c_str(), sum.load());
  return sum == 4950 && composed == "\xC3\xA9" ? 0 : 1;
}
