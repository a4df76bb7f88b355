// SPDX-License-Identifier: Apache-2.0
// Which of the pictures and videos that a text from outside names may be opened.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/io/data_url.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE

class SourcePolicy {
 public:
  // Only what carries its bytes: data: URLs, and parts that name nothing.
  SourcePolicy() = default;
  // Also what is in these folders or below, `..` and links followed before that is decided. Raises InputError for one
  // that is not there.
  static SourcePolicy folders(const std::vector<std::string>& folders) {
    SourcePolicy out;
    for (const std::string& folder : folders) {
      std::error_code error;
      out.folders_.push_back(std::filesystem::canonical(folder, error));
      require<InputError>(!error && std::filesystem::is_directory(out.folders_.back(), error), folder,
                          ": not a folder that pictures may come from");
    }
    return out;
  }
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
    if (everything_ || source.empty() || is_data_url(source)) {
      return source;
    }
    std::error_code error;
    const std::filesystem::path path =
        folders_.empty() ? std::filesystem::path(source) : std::filesystem::canonical(source, error);
    const bool within = !error && std::any_of(folders_.begin(), folders_.end(), [&](const auto& folder) {
      return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
    });
    require<E>(within && has_no_links(path), where, ": names a file that is not to be opened: SourcePolicy admits ",
               folders_.empty() ? "data: URLs alone" : "data: URLs and what is in its folders");
    return path.string();
  }

 private:
  // A video may be a folder of pictures, one of which could be a link that leads out.
  static bool has_no_links(const std::filesystem::path& path) {
    std::error_code error;
    std::filesystem::directory_iterator entry(path, error);
    for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
      if (entry->is_symlink(error)) {
        return false;
      }
    }
    return true;
  }

  bool everything_ = false;
  std::vector<std::filesystem::path> folders_;
};

QWEN35_END_NAMESPACE
