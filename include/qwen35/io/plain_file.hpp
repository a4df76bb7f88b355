// SPDX-License-Identifier: Apache-2.0
// Opening and reading a file: only plain ones. A pipe, a device, a folder, a loop of links is an error at once.
#pragma once

#include <qwen35/io/file_handle.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#if !QWEN35_HAS_POSIX
#include <filesystem>
#include <fstream>
#endif

QWEN35_BEGIN_NAMESPACE

// All errors are of type E, with the path and the system's reason. (Where they are declined, the file is an empty one.)
template <class E = Error>
class PlainFile {
 public:
  explicit PlainFile(const std::string& path) : path_(shortened(path)) {
    if (!holds<E>(path.find('\0') == std::string::npos, path.c_str(), ": behind this is a NUL byte, expected a name")) {
      return;
    }
#if QWEN35_HAS_POSIX
    // O_NONBLOCK: opening a pipe that nobody writes to must fail, not wait.
    file_ = FileHandle(
        without_interruption([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); }));
    struct stat info {};
    if (system_holds<E>(file_.is_open(), path_, "cannot be opened") &&
        system_holds<E>(::fstat(file_.number(), &info) == 0, path_, "cannot be examined") &&
        holds<E>(S_ISREG(info.st_mode), path_, ": ", S_ISDIR(info.st_mode) ? "is a folder" : "is not a regular file",
                 ", expected a file")) {
      size_ = static_cast<std::size_t>(info.st_size);
    }
#else
    if (!holds<E>(!std::filesystem::is_directory(path), path_, ": is a folder, expected a file") ||
        !holds<E>(!std::filesystem::exists(path) || std::filesystem::is_regular_file(path), path_,
                  ": is not a regular file, expected a file")) {
      return;
    }
    errno = 0;
    file_.open(path, std::ios::binary | std::ios::ate);
    if (system_holds<E>(file_.good(), path_, "cannot be opened")) {
      size_ = static_cast<std::size_t>(file_.tellg());
      file_.seekg(0);
    }
#endif
  }

  const std::string& path() const {
    return path_;
  }
  // When it was opened. Files that the system makes up while they are read have 0.
  std::size_t size() const {
    return size_;
  }

  // Up to out.size() bytes; 0 at the end of the file.
  std::size_t read_some(std::span<std::byte> out) {
    constexpr std::size_t most = std::size_t{1} << 30;  // some systems refuse more in one call
    const std::size_t wanted = std::min(out.size(), most);
#if QWEN35_HAS_POSIX
    const ssize_t got = without_interruption([&] { return ::read(file_.number(), out.data(), wanted); });
    return system_holds<E>(got >= 0, path_, "cannot be read") ? static_cast<std::size_t>(got) : 0;
#else
    file_.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(wanted));
    return holds<E>(!file_.bad(), path_, ": cannot be read") ? static_cast<std::size_t>(file_.gcount()) : 0;
#endif
  }
  // Exactly out.size() bytes. Raises E when the file ends before.
  void read(std::span<std::byte> out) {
    for (std::size_t done = 0; done < out.size();) {
      const std::size_t got = read_some(out.subspan(done));
      if (!holds<E>(got > 0, path_, ": ended ", out.size() - done, " bytes too early: the file is cut")) {
        return;
      }
      done += got;
    }
  }

#if QWEN35_HAS_POSIX
  int number() const {
    return file_.number();
  }
  // The bytes from `offset` on, on any thread: how many there were before the file's end or an error, which is errno's.
  std::size_t read_at(std::size_t offset, std::span<std::byte> out, int& error) const noexcept {
    constexpr std::size_t most = std::size_t{1} << 30;
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t got = without_interruption([&] {
        return ::pread(file_.number(), out.data() + done, std::min(out.size() - done, most),
                       static_cast<off_t>(offset + done));
      });
      if (got <= 0) {
        error = got < 0 ? errno : 0;
        break;
      }
      done += static_cast<std::size_t>(got);
    }
    return done;
  }
  // What of the file is needed soon, or no more, for the system's cache.
  enum class Need { soon, over };
  void advise([[maybe_unused]] std::size_t offset, [[maybe_unused]] std::size_t bytes,
              [[maybe_unused]] Need need) const noexcept {
#if defined(POSIX_FADV_WILLNEED)
    ::posix_fadvise(file_.number(), static_cast<off_t>(offset), static_cast<off_t>(bytes),
                    need == Need::soon ? POSIX_FADV_WILLNEED : POSIX_FADV_DONTNEED);
#endif
  }
#endif

 private:
  std::string path_;
  std::size_t size_ = 0;
#if QWEN35_HAS_POSIX
  FileHandle file_;
#else
  std::ifstream file_;
#endif
};

// Is there something of that name? A link that leads nowhere is: opening it says so.
bool path_exists(const std::string& path);
// What is of that name, for messages: "is a folder", "is a pipe", "cannot be examined: ...". Links are followed.
std::string what_it_is(const std::string& path);

// The largest text file (JSON, templates) that is read.
inline constexpr std::size_t max_text_bytes = std::size_t{1} << 28;

namespace detail {

template <class E, class Bytes>
Bytes read_whole(const std::string& path, std::size_t max_bytes) {
  PlainFile<E> file(path);
  Bytes out;
  if (declined() || !holds<E>(file.size() <= max_bytes, file.path(), ": ", file.size(),
                              " bytes, longer than the limit of ", max_bytes, " bytes")) {
    return out;
  }
  // One byte more than it says, to see its end; then in pieces, for files that grow or that the system makes up.
  for (std::size_t done = 0, room = file.size() + 1;; room = done + std::max<std::size_t>(done, 65536)) {
    out.resize(room);
    while (done < room) {
      const std::size_t got = file.read_some(std::as_writable_bytes(std::span(out)).subspan(done));
      if (got == 0) {
        out.resize(done);
        return out;
      }
      done += got;
      if (!holds<E>(done <= max_bytes, file.path(), ": longer than the limit of ", max_bytes, " bytes")) {
        return {};
      }
    }
  }
}

}  // namespace detail

// The whole file. Raises E when it is longer than `max_bytes`, before it is read.
template <class E = Error>
std::vector<std::byte> read_file(const std::string& path, std::size_t max_bytes) {
  return detail::read_whole<E, std::vector<std::byte>>(path, max_bytes);
}
template <class E = Error>
std::string read_text_file(const std::string& path, std::size_t max_bytes = max_text_bytes) {
  return detail::read_whole<E, std::string>(path, max_bytes);
}

#if QWEN35_BODIES

QWEN35_BODY bool path_exists(const std::string& path) {
#if QWEN35_HAS_POSIX
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 || (errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG);
#else
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
#endif
}

QWEN35_BODY std::string what_it_is(const std::string& path) {
#if QWEN35_HAS_POSIX
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    return concat("cannot be examined: ", static_cast<const char*>(std::strerror(errno)));
  }
  const mode_t mode = info.st_mode;
  return S_ISREG(mode)    ? "is a file"
         : S_ISDIR(mode)  ? "is a folder"
         : S_ISFIFO(mode) ? "is a pipe"
         : S_ISSOCK(mode) ? "is a socket"
                          : "is a device";
#else
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored) ? "is a folder" : "is a file";
#endif
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
