// SPDX-License-Identifier: Apache-2.0
// A file descriptor that is closed, and the system's reason in an error. The system's calls stand in this folder alone.
#pragma once

#include <qwen35/core/error.hpp>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#if !defined(QWEN35_NO_POSIX) && (defined(__unix__) || defined(__APPLE__))
#define QWEN35_HAS_POSIX 1
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#else
#define QWEN35_HAS_POSIX 0
#endif

QWEN35_BEGIN_NAMESPACE

// Raises E with the path and errno's text unless `condition` holds.
template <class E>
void require_system(bool condition, const std::string& path, const char* what) {
  if (!condition) {
    const int reason = errno;
    raise<E>(concat(path, ": ", what, ": ", static_cast<const char*>(std::strerror(reason))));
  }
}
// Declines instead, as holds().
template <class E>
[[nodiscard]] bool system_holds(bool condition, const std::string& path, const char* what) {
  const int reason = errno;
  return condition || holds<E>(false, path, ": ", what, ": ", static_cast<const char*>(std::strerror(reason)));
}

#if QWEN35_HAS_POSIX

class FileHandle {
 public:
  FileHandle() = default;
  explicit FileHandle(int number) : number_(number) {}
  FileHandle(FileHandle&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  FileHandle& operator=(FileHandle&& other) noexcept;
  FileHandle(const FileHandle&) = delete;
  FileHandle& operator=(const FileHandle&) = delete;
  ~FileHandle() { close(); }

  bool is_open() const { return number_ >= 0; }
  int number() const { return number_; }
  // False when the system reports, this late, that something was not written. (A call that was interrupted has closed.)
  bool close();

 private:
  int number_ = -1;
};

// Repeats a system call that a signal interrupted.
template <class Call>
auto without_interruption(const Call& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) {
    result = call();
  }
  return result;
}

#if QWEN35_BODIES

QWEN35_BODY FileHandle& FileHandle::operator=(FileHandle&& other) noexcept {
  std::swap(number_, other.number_);
  return *this;
}

QWEN35_BODY bool FileHandle::close() {
  const int number = std::exchange(number_, -1);
  return number < 0 || ::close(number) == 0 || errno == EINTR;
}

#endif  // QWEN35_BODIES

#endif  // QWEN35_HAS_POSIX

QWEN35_END_NAMESPACE
