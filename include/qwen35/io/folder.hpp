// SPDX-License-Identifier: Apache-2.0
// Folders: made, listed, rid of a file; names of files. (On POSIX without <filesystem>, which costs each file that
// includes us 0.4 s.)
#pragma once

#include <qwen35/io/file_handle.hpp>

#include <string>
#include <string_view>
#include <vector>

#if QWEN35_HAS_POSIX
#include <dirent.h>

#include <memory>
#else
#include <filesystem>
#include <system_error>
#endif

QWEN35_BEGIN_NAMESPACE

inline bool is_folder(const std::string& path) {
#if QWEN35_HAS_POSIX
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode);
#else
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
#endif
}

// Makes a folder and those above it, as far as they are not there. Raises E.
template <class E = Error>
void make_folders(const std::string& path) {
  require<E>(!path.empty(), "the path of a folder to be made is empty");
  require<E>(path.find('\0') == std::string::npos, path.c_str(), ": behind this is a NUL byte, expected a name");
#if QWEN35_HAS_POSIX
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    const bool made = ::mkdir(part.c_str(), 0777) == 0 || errno == EEXIST;
    // What is there, but cannot be written to, need not be made.
    require<E>(is_folder(part), path, ": cannot be made as a folder",
               made ? concat(": ", part, " is a file") : concat(": ", static_cast<const char*>(std::strerror(errno))));
    if (end == std::string::npos) {
      return;
    }
  }
#else
  std::error_code error;
  std::filesystem::create_directories(path, error);
  require<E>(!error && std::filesystem::is_directory(path, error), path, ": cannot be made as a folder");
#endif
}

// "00002-of-00003": which of a model's files.
inline std::string part_of_parts(std::size_t number, std::size_t count) {
  const auto five = [](std::size_t value) {
    const std::string digits = std::to_string(value);
    return std::string(digits.size() < 5 ? 5 - digits.size() : 0, '0') + digits;
  };
  return concat(five(number), "-of-", five(count));
}

// The names of what is in a folder, in no order. Raises E, also when there are more than `limit`.
template <class E = Error>
std::vector<std::string> names_in_folder(const std::string& path, std::size_t limit) {
  std::vector<std::string> names;
  const auto add = [&](std::string name) {
    const bool fits = holds<E>(names.size() < limit, path, ": more than ", limit, " files");
    if (fits) {
      names.push_back(std::move(name));
    }
    return fits;
  };
#if QWEN35_HAS_POSIX
  struct Close {
    void operator()(DIR* folder) const { ::closedir(folder); }
  };
  const std::unique_ptr<DIR, Close> folder(::opendir(path.c_str()));
  if (!system_holds<E>(folder != nullptr, path, "cannot be read as a folder")) {
    return names;
  }
  for (errno = 0; const dirent* const entry = ::readdir(folder.get()); errno = 0) {
    const std::string_view name = static_cast<const char*>(entry->d_name);
    if (name != "." && name != ".." && !add(std::string(name))) {
      return names;
    }
  }
  if (!system_holds<E>(errno == 0, path, "cannot be read as a folder")) {
    names.clear();
  }
#else
  std::error_code error;
  for (std::filesystem::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
    if (!add(entry->path().filename().string())) {
      return names;
    }
  }
  if (!holds<E>(!error, path, ": cannot be read as a folder: ", error.message())) {
    names.clear();
  }
#endif
  return names;
}

// Removes a file if it is there. Raises E.
template <class E = Error>
void remove_file(const std::string& path) {
#if QWEN35_HAS_POSIX
  require_system<E>(::unlink(path.c_str()) == 0 || errno == ENOENT, path, "cannot be removed");
#else
  std::error_code error;
  std::filesystem::remove(path, error);
  require<E>(!error, path, ": cannot be removed: ", error.message());
#endif
}

QWEN35_END_NAMESPACE
