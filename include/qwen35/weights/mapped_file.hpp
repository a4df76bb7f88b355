// SPDX-License-Identifier: Apache-2.0
// A file's bytes, mapped read-only. The only header with operating-system calls.
#pragma once

#include <qwen35/core/error.hpp>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

QWEN35_BEGIN_NAMESPACE

class MappedFile {
 public:
  // Raises CheckpointError with the path and the system's reason.
  explicit MappedFile(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) {
      fail(path, "cannot be opened");
    }
    struct stat info {};
    if (::fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) {
      const int reason = S_ISDIR(info.st_mode) ? EISDIR : errno == 0 ? EINVAL : errno;
      ::close(file);
      errno = reason;
      fail(path, "is not a regular file");
    }
    size_ = static_cast<std::size_t>(info.st_size);
    if (size_ > 0) {
      void* const start = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
      const int reason = errno;
      ::close(file);
      errno = reason;
      if (start == MAP_FAILED) {
        size_ = 0;
        fail(path, "cannot be mapped");
      }
      data_ = static_cast<const std::byte*>(start);
    } else {
      ::close(file);
    }
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() {
    if (data_ != nullptr) {
      ::munmap(const_cast<std::byte*>(data_), size_);
    }
  }

  std::span<const std::byte> bytes() const { return {data_, size_}; }

  static bool exists(const std::string& path) { return ::access(path.c_str(), R_OK) == 0; }

 private:
  [[noreturn]] static void fail(const std::string& path, const char* what) {
    raise<CheckpointError>(concat(path, ": ", what, ": ", static_cast<const char*>(std::strerror(errno))));
  }

  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

QWEN35_END_NAMESPACE
