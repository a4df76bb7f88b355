// SPDX-License-Identifier: Apache-2.0
// Files that writers left, made old enough to be taken for that.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

namespace test_support {

inline void age_parts(const std::string& folder) {
  for (const std::filesystem::directory_entry& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with(".qwen35-")) {
      timespec times[2] = {};
      times[0].tv_nsec = UTIME_OMIT;
      times[1].tv_sec = 1;  // long ago
      ::utimensat(AT_FDCWD, entry.path().c_str(), times, 0);
    }
  }
}

}  // namespace test_support
