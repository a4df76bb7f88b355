// SPDX-License-Identifier: Apache-2.0
// What was typed in earlier runs: a file in the user's state folder that nobody else may read.
#pragma once

#include <qwen35/io/file_handle.hpp>
#include <qwen35/io/file_writer.hpp>
#include <qwen35/io/plain_file.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace chat_tool {

// One entry a line, its own line ends as \n and its backslashes as \\. Without a place for the file, or where it cannot
// be written, entries are those of this run.
class LineHistory {
 public:
  static constexpr std::size_t longest = 1000;
  static constexpr std::size_t most_bytes = std::size_t{1} << 24;
  static constexpr std::size_t longest_entry = std::size_t{1} << 16;  // a longer one is of this run alone

  LineHistory() : path_(place()) {
    try {
      bool whole = true;
      // Nobody adds a line between the reading and the writing. Where somebody is at it the file stays as it is.
      const qwen35::FileHandle file = opened(O_RDONLY);
      qwen35::require_system<qwen35::Error>(file.is_open() || path_.empty() || !qwen35::path_exists(path_), path_,
                                            "cannot be opened");
      const bool ours = file.is_open() && ::flock(file.number(), LOCK_EX | LOCK_NB) == 0 && is_at_path(file);
      const std::string text = qwen35::path_exists(path_) ? newest_lines(whole) : std::string();
      for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        entries_.push_back(unescaped(std::string_view(text).substr(begin, end - begin)));
        begin = end + 1;
      }
      // The last line of a program that was ended while it wrote has no end, and the next would become a part of it.
      const bool cut = !text.empty() && text.back() != '\n';
      if (cut && !ours) {
        path_.clear();
      } else if (ours && (cut || !whole || entries_.size() > longest)) {
        entries_.erase(entries_.begin(),
                       entries_.end() - static_cast<std::ptrdiff_t>(std::min(longest, entries_.size())));
        std::string kept;
        for (const std::string& entry : entries_) {
          kept += escaped(entry) + "\n";
        }
        qwen35::write_file(path_, kept);
      }
    } catch (const qwen35::Error& error) {
      path_.clear();  // what cannot be read is not written either
      problem_ = error.what();
    }
  }
  // Why entries are those of this run alone; empty when they are not, or there is no place for a file.
  const std::string& problem() const { return problem_; }
  // The oldest first.
  const std::vector<std::string>& entries() const { return entries_; }
  // False when it is empty or the same as the one before.
  bool add(const std::string& entry) {
    if (entry.find_first_not_of(" \t\r\n") == std::string::npos || (!entries_.empty() && entries_.back() == entry)) {
      return false;
    }
    entries_.push_back(entry);
    if (entry.size() <= longest_entry) {
      append(escaped(entry) + "\n");
    }
    return true;
  }

 private:
  // $XDG_STATE_HOME/qwen35/chat_history, or that in ~/.local/state; empty: nowhere.
  static std::string place() {
    const char* const state = std::getenv("XDG_STATE_HOME");
    const char* const home = std::getenv("HOME");
    std::filesystem::path folder;
    if (state != nullptr && state[0] == '/') {
      folder = state;
    } else if (home != nullptr && home[0] == '/') {
      folder = std::filesystem::path(home) / ".local" / "state";
    } else {
      return "";
    }
    return (folder / "qwen35" / "chat_history").string();
  }
  // Whole lines, the last of the file in most_bytes; `whole`: they are all.
  std::string newest_lines(bool& whole) const {
    const qwen35::PlainFile<> file(path_);
    std::string text(std::min(file.size(), most_bytes), '\0');
    whole = text.size() == file.size();
    int error = 0;
    text.resize(file.read_at(file.size() - text.size(), std::as_writable_bytes(std::span(text)), error));
    qwen35::require(error == 0, path_, ": cannot be read");
    text.erase(0, whole ? 0 : std::min(text.find('\n'), text.size() - 1) + 1);
    return text;
  }
  qwen35::FileHandle opened(int how) const {
    return qwen35::FileHandle(qwen35::without_interruption(
        [&] { return ::open(path_.c_str(), how | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600); }));
  }
  // Or has another program put a shorter one in its place?
  bool is_at_path(const qwen35::FileHandle& file) const {
    struct stat open {
    }, named{};
    return ::fstat(file.number(), &open) == 0 && ::lstat(path_.c_str(), &named) == 0 && open.st_ino == named.st_ino &&
           open.st_dev == named.st_dev;
  }
  // In one call where the system takes it whole, so that programs side by side do not mix their lines. After an error
  // the entries are those of this run: the next line would become a part of one without an end.
  void append(const std::string& line) {
    if (path_.empty()) {
      return;
    }
    std::error_code ignored;
    const std::filesystem::path folder = std::filesystem::path(path_).parent_path();
    std::filesystem::create_directories(folder.parent_path(), ignored);
    ::mkdir(folder.c_str(), 0700);
    // Another program has the file for the time of a rewriting; one that keeps it for longer costs a line, not the
    // chat.
    qwen35::FileHandle file;
    bool ours = false;
    for (int attempt = 0; attempt < 200 && !ours; ++attempt) {
      if (attempt > 0) {
        ::usleep(5000);
      }
      file = opened(O_WRONLY | O_CREAT | O_APPEND);
      if (!file.is_open()) {
        return;
      }
      const bool held = ::flock(file.number(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
      ours = !held && is_at_path(file);
    }
    if (!ours) {
      return;
    }
    ::fchmod(file.number(), 0600);
    for (std::string_view rest = line; !rest.empty();) {
      const ssize_t done =
          qwen35::without_interruption([&] { return ::write(file.number(), rest.data(), rest.size()); });
      if (done <= 0) {
        path_.clear();
        return;
      }
      rest.remove_prefix(static_cast<std::size_t>(done));
    }
  }
  static std::string escaped(std::string_view text) {
    std::string out;
    for (const char byte : text) {
      out += byte == '\n' ? "\\n" : byte == '\\' ? "\\\\" : std::string(1, byte);
    }
    return out;
  }
  static std::string unescaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const bool escape = text[i] == '\\' && i + 1 < text.size();
      i += escape ? 1 : 0;
      out += escape && text[i] == 'n' ? '\n' : text[i];
    }
    return out;
  }

  std::string path_, problem_;
  std::vector<std::string> entries_;
};

}  // namespace chat_tool
