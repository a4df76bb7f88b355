// SPDX-License-Identifier: Apache-2.0
// Saved conversations that somebody changed, with a checksum that fits.
#pragma once

#include <qwen35/cache/point_file.hpp>
#include <qwen35/core/hash.hpp>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace test_support {

inline std::string file_contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// As a new file: where one is cut to nothing and written again, some file systems wait for the disk (ext4: 20 ms).
inline void put_file(const std::string& path, const std::string& bytes) {
  std::filesystem::remove(path);
  std::ofstream(path, std::ios::binary) << bytes;
}

inline qwen35::detail::PointFileHeader point_header(const std::string& bytes) {
  qwen35::detail::PointFileHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  return header;
}

inline std::string point_text(const std::string& bytes) {
  return bytes.substr(sizeof(qwen35::detail::PointFileHeader), point_header(bytes).text_bytes);
}

// A file of a text alone.
inline std::string point_file_of(const std::string& text) {
  qwen35::detail::PointFileHeader header;
  header.text_bytes = text.size();
  qwen35::Hasher sum;
  sum.bytes(&header, sizeof(header));
  sum.bytes(text.data(), text.size());
  const std::uint64_t value = sum.value();
  return std::string(reinterpret_cast<const char*>(&header), sizeof(header)) + text +
         std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

}  // namespace test_support
