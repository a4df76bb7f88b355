// SPDX-License-Identifier: Apache-2.0
// Packed files around any index, with its right sum: sound or broken on purpose.
#pragma once

#include <qwen35/weights/packed.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace weights_test {

inline void put_little_endian(std::vector<std::byte>& bytes, std::uint64_t number, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    bytes.push_back(static_cast<std::byte>(number >> (8 * i)));
  }
}

inline void put_text(std::vector<std::byte>& bytes, std::string_view text) {
  for (const char c : text) {
    bytes.push_back(static_cast<std::byte>(c));
  }
}

// The bytes 0 to 255 as contents, from byte 64 on.
inline std::vector<std::byte> sealed(std::string_view index, std::uint32_t version = qwen35::packed_version) {
  std::vector<std::byte> out;
  put_text(out, qwen35::packed_magic);
  put_little_endian(out, version, 4);
  out.resize(qwen35::packed_frame);
  for (std::size_t i = 0; i < 256; ++i) {
    out.push_back(static_cast<std::byte>(i));
  }
  const std::size_t offset = out.size();
  put_text(out, index);
  const std::uint64_t sum = qwen35::packed_sum(std::span(out).subspan(offset));
  put_text(out, qwen35::packed_magic);
  put_little_endian(out, offset, 8);
  put_little_endian(out, index.size(), 8);
  put_little_endian(out, sum, 8);
  out.resize(offset + index.size() + qwen35::packed_frame);
  return out;
}

}  // namespace weights_test
