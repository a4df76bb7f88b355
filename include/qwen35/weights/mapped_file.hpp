// SPDX-License-Identifier: Apache-2.0
// A file's bytes, mapped read-only. The only header with operating-system calls.
#pragma once

#include <qwen35/core/aligned_buffer.hpp>
#include <qwen35/core/error.hpp>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <utility>

#if !defined(QWEN35_NO_MMAP) && (defined(__unix__) || defined(__APPLE__))
#define QWEN35_HAS_MMAP 1
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#else
#define QWEN35_HAS_MMAP 0
#include <fstream>
#endif

QWEN35_BEGIN_NAMESPACE

// Where the system has no mmap (or QWEN35_NO_MMAP is defined), or the file system cannot map, the file is read into
// memory. The bytes are aligned to 64. A file that another process makes shorter while it is mapped ends the program
// when the lost part is read: a checkpoint is replaced by writing a new file and renaming it.
class MappedFile {
 public:
  MappedFile() = default;
  // `progress`: told the bytes of this file that are in memory, now and then; it must not throw. Raises CheckpointError
  // with the path and the system's reason.
  explicit MappedFile(const std::string& path, const std::function<void(std::size_t done)>& progress = {}) {
#if QWEN35_HAS_MMAP
    // O_NONBLOCK: opening a pipe that nobody writes to must fail, not wait.
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    require_system(file >= 0, path, "cannot be opened");
    const Closer closer{file};
    struct stat info {};
    require_system(::fstat(file, &info) == 0, path, "cannot be examined");
    require<CheckpointError>(S_ISREG(info.st_mode), path, ": ",
                             S_ISDIR(info.st_mode) ? "is a folder" : "is not a regular file", ", expected a file");
    const auto size = static_cast<std::size_t>(info.st_size);
    if (size == 0) {
      return;
    }
    void* const start = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (start != MAP_FAILED) {
      mapping_ = static_cast<const std::byte*>(start);
      bytes_ = {mapping_, size};
      populate(progress);
      return;
    }
    copy_ = AlignedBuffer<std::byte>::uninitialised(size);
    for (std::size_t done = 0; done < size;) {
      const ssize_t got = ::read(file, copy_.data() + done, size - done);
      if (got < 0 && errno == EINTR) {
        continue;
      }
      require_system(got >= 0, path, "cannot be read");
      require<CheckpointError>(got > 0, path, ": ended after ", done, " bytes, expected ", size);
      done += static_cast<std::size_t>(got);
    }
#else
    errno = 0;
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    require_system(static_cast<bool>(file), path, "cannot be opened");
    const std::streamoff end = file.tellg();
    require<CheckpointError>(end >= 0 && end < PTRDIFF_MAX, path, ": cannot be read: is it a file?");
    copy_ = AlignedBuffer<std::byte>::uninitialised(static_cast<std::size_t>(end));
    file.seekg(0);
    file.read(reinterpret_cast<char*>(copy_.data()), end);
    require_system(static_cast<bool>(file) && file.gcount() == end, path, "cannot be read");
#endif
    bytes_ = {copy_.data(), copy_.size()};
    if (progress) {
      progress(bytes_.size());
    }
  }
  MappedFile(MappedFile&& other) noexcept
      : bytes_(std::exchange(other.bytes_, {})),
        mapping_(std::exchange(other.mapping_, nullptr)),
        copy_(std::move(other.copy_)) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(mapping_, other.mapping_);
    std::swap(copy_, other.copy_);
    return *this;
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() {
#if QWEN35_HAS_MMAP
    if (mapping_ != nullptr) {
      ::munmap(const_cast<std::byte*>(mapping_), bytes_.size());
    }
#endif
  }

  std::span<const std::byte> bytes() const {
    return bytes_;
  }

  // 0 when there is no such file.
  static std::size_t file_size(const std::string& path) {
#if QWEN35_HAS_MMAP
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && info.st_size > 0 ? static_cast<std::size_t>(info.st_size) : 0;
#else
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    const std::streamoff end = file ? static_cast<std::streamoff>(file.tellg()) : 0;
    return end > 0 ? static_cast<std::size_t>(end) : 0;
#endif
  }
  // Is there something of that name?
  static bool exists(const std::string& path) {
#if QWEN35_HAS_MMAP
    return ::access(path.c_str(), F_OK) == 0;
#else
    return std::ifstream(path).good();
#endif
  }

 private:
#if QWEN35_HAS_MMAP
  // Enters all pages at once. Page by page, the first tokens of a model with many experts run at half speed (a fault
  // for each 64 KiB); a file that would not stay in memory is left to be read as it is used. Where the system cannot do
  // it, nothing is lost.
  void populate(const std::function<void(std::size_t done)>& progress) const {
#if defined(MADV_POPULATE_READ)
    constexpr std::size_t step = std::size_t{64} << 20;  // a few times a second from a disk
    const long pages = ::sysconf(_SC_PHYS_PAGES);
    const long page = ::sysconf(_SC_PAGESIZE);
    if (pages > 0 && page > 0 &&
        bytes_.size() / 3 * 4 / static_cast<std::size_t>(page) < static_cast<std::size_t>(pages)) {
      for (std::size_t done = 0; done < bytes_.size(); done += step) {
        if (progress) {
          progress(done);
        }
        ::madvise(const_cast<std::byte*>(mapping_) + done, bytes_.size() - done < step ? bytes_.size() - done : step,
                  MADV_POPULATE_READ);
      }
    }
#endif
    if (progress) {
      progress(bytes_.size());
    }
  }

  struct Closer {
    int file;
    ~Closer() { ::close(file); }
  };
#endif
  static void require_system(bool condition, const std::string& path, const char* what) {
    const int reason = errno;
    require<CheckpointError>(condition, path, ": ", what, ": ",
                             condition ? "" : static_cast<const char*>(std::strerror(reason)));
  }

  std::span<const std::byte> bytes_;
  const std::byte* mapping_ = nullptr;
  AlignedBuffer<std::byte> copy_;
};

QWEN35_END_NAMESPACE
