// SPDX-License-Identifier: Apache-2.0
// Loses memory on purpose: where the address sanitizer runs, it must say so.
#include <cstdio>
#include <cstdlib>

int main() {
  void* volatile lost = std::malloc(1000);
  std::printf("%d\n", lost != nullptr);
  lost = nullptr;
  return 0;
}
