// SPDX-License-Identifier: Apache-2.0
// Which of the pictures and videos that a text from outside names may be opened.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/io/data_url.hpp>

#include <string>
#include <string_view>
#include <vector>

#if QWEN35_BODIES
#include <algorithm>
#include <filesystem>
#include <system_error>
#endif

QWEN35_BEGIN_NAMESPACE

class SourcePolicy {
 public:
  // Only what carries its bytes: data: URLs, and parts that name nothing.
  SourcePolicy() = default;
  // Also what is in these folders or below, `..` and links followed before that is decided. Raises InputError for one
  // that is not there.
  static SourcePolicy folders(const std::vector<std::string>& folders);
  // Whatever this program may read.
  static SourcePolicy everything() {
    SourcePolicy out;
    out.everything_ = true;
    return out;
  }

  // What is to be opened for `source`: in a folder its path without links. Raises E, with the same words whether there
  // is such a file or not.
  template <class E = Error>
  std::string admitted(const std::string& source, std::string_view where) const {
    std::string path = source;
    if (!admits(path)) {
      decline<E>(concat(where, ": names a file that is not to be opened: SourcePolicy admits ",
                        folders_.empty() ? "data: URLs alone" : "data: URLs and what is in its folders"));
    }
    return path;
  }

 private:
  // May it be opened? In a folder it becomes its path without links.
  bool admits(std::string& source) const;

  bool everything_ = false;
  std::vector<std::string> folders_;  // their paths without links
};

#if QWEN35_BODIES

QWEN35_BODY SourcePolicy SourcePolicy::folders(const std::vector<std::string>& folders) {
  SourcePolicy out;
  for (const std::string& folder : folders) {
    std::error_code error;
    const std::filesystem::path path = std::filesystem::canonical(folder, error);
    require<InputError>(!error && std::filesystem::is_directory(path, error), folder,
                        ": not a folder that pictures may come from");
    out.folders_.push_back(path.string());
  }
  return out;
}

namespace detail {

// A video may be a folder of pictures, one of which could be a link that leads out.
QWEN35_BODY bool has_no_links(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::directory_iterator entry(path, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (entry->is_symlink(error)) {
      return false;
    }
  }
  return true;
}

}  // namespace detail

QWEN35_BODY bool SourcePolicy::admits(std::string& source) const {
  if (everything_ || source.empty() || is_data_url(source)) {
    return true;
  }
  // No system opens a longer path; a std::filesystem::path takes 20 times its bytes.
  constexpr std::size_t longest = 4096;
  if (folders_.empty() || source.size() > longest) {
    return false;
  }
  std::error_code error;
  const std::filesystem::path path = std::filesystem::canonical(source, error);
  const bool within = !error && std::any_of(folders_.begin(), folders_.end(), [&path](const std::string& name) {
    const std::filesystem::path folder = name;
    return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
  });
  source = path.string();
  return within && detail::has_no_links(path);
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
