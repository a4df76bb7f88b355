// SPDX-License-Identifier: Apache-2.0
// What the fuzz drivers share.
#pragma once

#include <qwen35/core/error.hpp>

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

namespace fuzz {

inline void expect(bool condition) {
  if (!condition) {
    std::abort();
  }
}

// Runs `body`, which may raise our errors and no others. True when it raised none.
template <class Body>
bool attempt(const Body& body) {
  try {
    body();
  } catch (const qwen35::Error&) {
    return false;
  }
  return true;
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}
inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// A folder of this process, for readers that take paths.
class Folder {
 public:
  explicit Folder(const char* name)
      : path_(std::filesystem::temp_directory_path() /
              ("qwen35_fuzz_" + std::string(name) + "_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  std::string path() const { return path_.string(); }
  // The path of a new file with these bytes: where one is cut to nothing and written again, some file systems wait for
  // the disk.
  std::string put(const std::string& name, std::string_view bytes) const {
    const std::string path = (path_ / name).string();
    std::filesystem::remove(path);
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace fuzz
