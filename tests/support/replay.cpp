// SPDX-License-Identifier: Apache-2.0
// The fuzz drivers over the inputs that are kept in the tree; each stops the program at what it must not find.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#define QWEN35_DRIVER(name) extern "C" int name(const std::uint8_t* data, std::size_t size);
#include "replay_drivers.inc"
#undef QWEN35_DRIVER

namespace {

struct Driver {
  const char* name;
  int (*run)(const std::uint8_t*, std::size_t);
};

constexpr Driver drivers[] = {
#define QWEN35_DRIVER(name) {#name, &name},
#include "replay_drivers.inc"
#undef QWEN35_DRIVER
};

}  // namespace

int main() {
  int without = 0;
  for (const Driver& driver : drivers) {
    const std::filesystem::path folder = std::filesystem::path(QWEN35_TEST_DATA) / "corpus" / driver.name;
    std::vector<std::filesystem::path> files;
    if (std::filesystem::is_directory(folder)) {
      files.assign(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator());
    }
    std::sort(files.begin(), files.end());
    for (const std::filesystem::path& path : files) {
      std::ifstream file(path, std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      std::fprintf(stderr, "%s %s\n", driver.name, path.filename().c_str());  // for what stops the program
      driver.run(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    }
    std::printf("%s: %zu inputs\n", driver.name, files.size());
    without += files.empty() ? 1 : 0;
  }
  return without == 0 ? 0 : 1;
}
