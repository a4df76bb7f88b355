// SPDX-License-Identifier: Apache-2.0
// Writing a file: the old one stays whole until the new one is, and a failure leaves nothing behind.
#pragma once

#include <qwen35/io/entropy.hpp>
#include <qwen35/io/file_handle.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#if QWEN35_HAS_POSIX
#include <sys/file.h>
#include <cstdio>
#include <ctime>
#else
#include <filesystem>
#include <fstream>
#include <system_error>
#endif

#if QWEN35_BODIES
#include <qwen35/core/hash.hpp>
#if QWEN35_HAS_POSIX
#include <dirent.h>
#endif
#endif

QWEN35_BEGIN_NAMESPACE

namespace detail {

// What is written to until it takes the place of the file `name`: ".qwen35-", what tells that file apart, and 128 bits
// that nobody can know before, so that no other program can have put a file or a link there.
std::string part_name(std::string_view name);

#if QWEN35_HAS_POSIX

// Keeps a file that is written to from being taken for one that was left: false where somebody does take it for one,
// and it is gone. (Where the system has no locks nobody takes it.)
bool lock_part(const FileHandle& file);

// Removes what was left by programs that were ended while they wrote the file `name`: nobody keeps it any more, and
// nobody wrote to it for an hour. (On some network file systems nobody sees another machine's locks.)
void remove_left_parts(const FileHandle& folder, std::string_view name);

#endif

}  // namespace detail

// What is written goes to a file with a fresh name in the same folder, which takes the place of `path` in one step when
// commit() has put it on the disk. Without commit(), and after any error, `path` is as before and the other file gone.
// Where the system has files without a name (Linux, most file systems) it gets one when it is complete, so that a
// program that is ended before leaves nothing; elsewhere, and between finish() and commit(), that leaves a file called
// .qwen35-*.part, which a writer of `path` removes that comes an hour later. A link to a file in the place of `path` is
// replaced, not followed; a file that is replaced passes its permissions on. All errors are of type E, with the path
// and the system's reason.
template <class E = Error>
class FileWriter {
 public:
  // Raises E when the folder does not exist or cannot be written, and when `path` is there and is no file.
  explicit FileWriter(const std::string& path) : path_(path) {
    buffer_.reserve(buffer_bytes);
    const std::size_t slash = path.find_last_of('/');
    name_ = slash == std::string::npos ? path : path.substr(slash + 1);
    require<E>(!name_.empty() && name_ != "." && name_ != "..", path, ": not the name of a file");
    require<E>(path.find('\0') == std::string::npos, path.c_str(), ": behind this is a NUL byte, expected a name");
    part_ = detail::part_name(name_);
#if QWEN35_HAS_POSIX
    const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
    folder_ =
        FileHandle(without_interruption([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
    check(folder_.is_open());
    struct stat old {};
    const bool there = ::fstatat(folder_.number(), name_.c_str(), &old, AT_SYMLINK_NOFOLLOW) == 0;
    check(there || errno == ENOENT);
    if (there && S_ISLNK(old.st_mode)) {
      require<E>(leads_to_file(), path, ": is a link to what is no regular file, expected a file or a new name");
    } else if (there) {
      require<E>(S_ISREG(old.st_mode), path, S_ISDIR(old.st_mode) ? ": is a folder" : ": is not a regular file",
                 ", expected a file or a new name");
      keeps_mode_ = true;
      mode_ = old.st_mode & 07777;
    }
    detail::remove_left_parts(folder_, name_);
    // Private until it has the permissions of the file that it replaces; a new one gets those of any new file.
    const mode_t mode = keeps_mode_ ? 0600 : 0666;
#if defined(O_TMPFILE)
    file_ = FileHandle(
        without_interruption([&] { return ::openat(folder_.number(), ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, mode); }));
    check(file_.is_open() || errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT || errno == EINVAL);
    nameless_ = file_.is_open() && ::access(link_path().c_str(), F_OK) == 0;
#endif
    if (nameless_) {
      detail::lock_part(file_);
    } else {
      do {
        part_ = detail::part_name(name_);
        file_ = FileHandle(without_interruption([&] {
          return ::openat(folder_.number(), part_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
        }));
        check(file_.is_open());
      } while (!detail::lock_part(file_));
    }
#else
    part_ = path.substr(0, path.size() - name_.size()) + part_;
    require<E>(!std::filesystem::is_directory(path), path, ": is a folder, expected a file or a new name");
    file_.open(part_, std::ios::binary | std::ios::trunc);
    check(file_.good());
#endif
    open_ = true;
  }
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;
  ~FileWriter() {
    discard();
  }

  // Raises E when the bytes cannot be written, and after an earlier error.
  void write(std::span<const std::byte> bytes) {
    require<E>(open_ && !finished_, path_, ": cannot be written: it is finished, or an earlier write failed");
    if (bytes.size() > buffer_bytes - buffer_.size()) {
      flush();
    }
    if (bytes.size() >= buffer_bytes) {
      put(bytes);
    } else {
      buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    }
  }
  void write(std::string_view text) {
    write(std::as_bytes(std::span<const char>(text)));
  }

  // What was written is on the disk, all but its name: of several files each is finished before the first is committed.
  // Raises E.
  void finish() {
    require<E>(open_, path_, ": cannot be written: it is finished, or an earlier write failed");
    if (std::exchange(finished_, true)) {
      return;
    }
    flush();
#if QWEN35_HAS_POSIX
    check(!keeps_mode_ || ::fchmod(file_.number(), mode_) == 0);
    check(on_disk(file_));
    check(!nameless_ ||
          ::linkat(AT_FDCWD, link_path().c_str(), folder_.number(), part_.c_str(), AT_SYMLINK_FOLLOW) == 0);
    // Some systems tell only when a file is closed what was not written; its lock ends there too: a copy is closed.
    FileHandle copy(::fcntl(file_.number(), F_DUPFD_CLOEXEC, 0));
    check(!copy.is_open() || copy.close());
#else
    file_.close();
    check(!file_.fail());
#endif
  }
  // The file is at `path` and on the disk. Raises E when it is not.
  void commit() {
    finish();
#if QWEN35_HAS_POSIX
    check(::renameat(folder_.number(), part_.c_str(), folder_.number(), name_.c_str()) == 0);
    open_ = false;
    file_.close();
    require_system<E>(on_disk(folder_), path_, "is written, but its folder is not on the disk yet");
#else
    std::error_code error;
    std::filesystem::rename(part_, path_, error);
    check(!error);
    open_ = false;
#endif
  }

 private:
  static constexpr std::size_t buffer_bytes = std::size_t{1} << 16;

  void check(bool condition) {
    if (!condition) {
      const int reason = errno;
      discard();
      errno = reason;
      require_system<E>(false, path_, "cannot be written");
    }
  }
  void flush() {
    put(buffer_);
    buffer_.clear();
  }
  void put(std::span<const std::byte> bytes) {
#if QWEN35_HAS_POSIX
    while (!bytes.empty()) {
      constexpr std::size_t most = std::size_t{1} << 30;  // some systems refuse more in one call
      const ssize_t done =
          without_interruption([&] { return ::write(file_.number(), bytes.data(), std::min(bytes.size(), most)); });
      if (done == 0) {
        errno = ENOSPC;
      }
      check(done > 0);
      bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
#else
    file_.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    check(file_.good());
#endif
  }
  void discard() {
    if (!std::exchange(open_, false)) {
      return;
    }
#if QWEN35_HAS_POSIX
    ::unlinkat(folder_.number(), part_.c_str(), 0);
    file_.close();
#else
    file_.close();
    std::error_code ignored;
    std::filesystem::remove(part_, ignored);
#endif
  }
#if QWEN35_HAS_POSIX
  // May the link of that name be replaced? Not one that leads to a device, a pipe or a folder, and not the system's own
  // for an open file, such as /dev/stdout. One that leads nowhere may.
  bool leads_to_file() const {
    struct stat target {};
    constexpr std::string_view system = "/proc/";
    std::array<char, system.size()> begin{};
    const bool nowhere = ::fstatat(folder_.number(), name_.c_str(), &target, 0) != 0;
    const ssize_t size = ::readlinkat(folder_.number(), name_.c_str(), begin.data(), begin.size());
    return (nowhere || S_ISREG(target.st_mode)) &&
           std::string_view(begin.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))) != system;
  }
  // File systems that have no such thing as being on the disk refuse the question.
  static bool on_disk(const FileHandle& file) {
    return without_interruption([&] { return ::fsync(file.number()); }) == 0 || errno == EINVAL || errno == ENOTSUP;
  }

  // Where the system shows the open file.
  std::string link_path() const {
    return concat("/proc/self/fd/", file_.number());
  }

  FileHandle folder_;
  FileHandle file_;
  bool nameless_ = false;
  bool keeps_mode_ = false;
  mode_t mode_ = 0;
#else
  std::ofstream file_;
#endif
  std::string path_;
  std::string name_;  // in the folder
  std::string part_;  // what is written to meanwhile
  bool open_ = false;
  bool finished_ = false;
  std::vector<std::byte> buffer_;
};

// The whole file in one step.
template <class E = Error>
void write_file(const std::string& path, std::string_view text) {
  FileWriter<E> writer(path);
  writer.write(text);
  writer.commit();
}

#if QWEN35_BODIES

namespace detail {

inline constexpr std::string_view part_ending = ".part";

QWEN35_BODY std::string hex_digits(std::uint64_t bits) {
  std::string out(16, '0');
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = "0123456789abcdef"[bits >> 4 * i & 15];
  }
  return out;
}

// What stands before the 128 bits.
QWEN35_BODY std::string part_beginning(std::string_view name) {
  return concat(".qwen35-", hex_digits(hash_of(name)), "-");
}

QWEN35_BODY std::string part_name(std::string_view name) {
  return concat(part_beginning(name), hex_digits(random_bits()), hex_digits(random_bits()), part_ending);
}

#if QWEN35_HAS_POSIX

QWEN35_BODY bool lock_part(const FileHandle& file) {
  struct stat now {};
  return (::flock(file.number(), LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) &&
         (::fstat(file.number(), &now) != 0 || now.st_nlink > 0);
}

QWEN35_BODY void remove_left_parts(const FileHandle& folder, std::string_view name) {
  const std::string beginning = part_beginning(name);
  const int number = ::openat(folder.number(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const list = number < 0 ? nullptr : ::fdopendir(number);
  if (list == nullptr) {
    FileHandle(number).close();
    return;
  }
  while (const dirent* const entry = ::readdir(list)) {
    const std::string_view found = static_cast<const char*>(entry->d_name);
    if (!found.starts_with(beginning) || !found.ends_with(part_ending)) {
      continue;
    }
    const FileHandle part(::openat(folder.number(), static_cast<const char*>(entry->d_name),
                                   O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat info {};
    if (part.is_open() && ::fstat(part.number(), &info) == 0 && S_ISREG(info.st_mode) &&
        info.st_mtime < std::time(nullptr) - 3600 && ::flock(part.number(), LOCK_EX | LOCK_NB) == 0) {
      ::unlinkat(folder.number(), static_cast<const char*>(entry->d_name), 0);
    }
  }
  ::closedir(list);
}

#endif

}  // namespace detail

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
