// SPDX-License-Identifier: Apache-2.0
// A media file read whole, up to a limit.
#pragma once

#include <qwen35/core/error.hpp>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// Raises MediaError when the file cannot be read or is longer than `max_bytes`.
inline std::vector<std::byte> read_media_file(const std::string& path, std::size_t max_bytes) {
  std::error_code error;
  require<MediaError>(!std::filesystem::is_directory(path, error), path, ": is a folder, expected a file");
  std::ifstream file(path, std::ios::binary);
  require<MediaError>(file.good(), path, ": cannot be opened");
  // In pieces, not by the size that the system tells: a pipe or device has none.
  std::vector<std::byte> bytes;
  while (file.good()) {
    const std::size_t have = bytes.size();
    bytes.resize(have + std::min<std::size_t>(std::max<std::size_t>(have, 65536), max_bytes + 1 - have));
    file.read(reinterpret_cast<char*>(bytes.data()) + have, static_cast<std::streamsize>(bytes.size() - have));
    bytes.resize(have + static_cast<std::size_t>(file.gcount()));
    require<MediaError>(bytes.size() <= max_bytes, path, ": longer than the limit of ", max_bytes, " bytes");
  }
  require<MediaError>(file.eof(), path, ": cannot be read");
  return bytes;
}

QWEN35_END_NAMESPACE
