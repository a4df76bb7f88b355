// SPDX-License-Identifier: Apache-2.0
// A program without OpenMP that loads a library with loops, uses it from a thread that ends, and unloads it, OpenMP's
// library with it. host PLUGIN
#include <dlfcn.h>

#include <cstdio>
#include <thread>

int main(int, char** arguments) {
  int unloaded = 0;
  for (int round = 0; round < 50; ++round) {
    void* const library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      std::printf("%s\n", dlerror());
      return 1;
    }
    const auto sum = reinterpret_cast<int (*)()>(dlsym(library, "sum_of_loop"));
    int found = 0;
    std::thread([&] { found = sum(); }).join();
    if (found != 20 * 4950) {
      std::printf("round %d: %d\n", round, found);
      return 1;
    }
    dlclose(library);
    void* const still = dlopen(arguments[1], RTLD_NOW | RTLD_NOLOAD);
    unloaded += still == nullptr ? 1 : 0;
    if (still != nullptr) {
      dlclose(still);
    }
  }
  std::printf("50 rounds, unloaded after %d\n", unloaded);
}
