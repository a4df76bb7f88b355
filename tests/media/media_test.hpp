// SPDX-License-Identifier: Apache-2.0
// What the tests of pictures and videos share: the recorded cases, the pictures that they were made with, checksums,
// small writers.
#pragma once

#include <qwen35/io/plain_file.hpp>
#include <qwen35/json/parse.hpp>
#include <qwen35/media/image.hpp>

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace media_test {

inline const std::string& data_folder() {
  static const std::string folder = std::string(QWEN35_TEST_DATA) + "/media";
  return folder;
}

inline std::string file_path(const std::string& name) {
  return data_folder() + "/files/" + name;
}

inline const qwen35::json::Value& cases() {
  static const qwen35::json::Value value = [] {
    const std::vector<std::byte> bytes = qwen35::read_file<qwen35::MediaError>(data_folder() + "/cases.json", 1 << 24);
    return qwen35::json::parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, "cases.json");
  }();
  return value;
}

// CRC-32 as zlib's, eight bytes a step.
inline std::uint32_t crc32(std::span<const std::byte> bytes) {
  static const auto tables = [] {
    std::array<std::array<std::uint32_t, 256>, 8> t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t c = i;
      for (int k = 0; k < 8; ++k) {
        c = (c & 1u) != 0 ? 0xedb88320u ^ (c >> 1) : c >> 1;
      }
      t[0][i] = c;
    }
    for (std::size_t k = 1; k < 8; ++k) {
      for (std::uint32_t i = 0; i < 256; ++i) {
        t[k][i] = (t[k - 1][i] >> 8) ^ t[0][t[k - 1][i] & 0xffu];
      }
    }
    return t;
  }();
  std::uint32_t c = 0xffffffffu;
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint32_t low, high;
    std::memcpy(&low, bytes.data() + i, 4);
    std::memcpy(&high, bytes.data() + i + 4, 4);
    low ^= c;
    c = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      c ^= tables[7 - k][(low >> (8 * k)) & 0xffu] ^ tables[3 - k][(high >> (8 * k)) & 0xffu];
    }
  }
  for (; i < bytes.size(); ++i) {
    c = (c >> 8) ^ tables[0][(c ^ static_cast<std::uint32_t>(bytes[i])) & 0xffu];
  }
  return ~c;
}

template <class T>
inline std::int64_t crc_of(std::span<const T> values) {
  return crc32(std::as_bytes(values));
}
inline std::int64_t crc_of(const qwen35::Image& image) {
  return crc_of(image.pixels());
}

// The generator's pictures: a hash of the index, hard edges, or slow ramps.
inline std::vector<std::uint8_t> picture(std::size_t width, std::size_t height, const std::string& kind,
                                         std::uint32_t seed, std::size_t channels = 3) {
  std::vector<std::uint8_t> out(width * height * channels);
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::uint32_t x = (static_cast<std::uint32_t>(i) + seed * 7919u) * 2654435761u;
    x = (x ^ (x >> 15)) * 2246822519u;
    x ^= x >> 13;
    if (kind == "noise") {
      out[i] = static_cast<std::uint8_t>(x & 255u);
    } else if (kind == "edges") {
      out[i] = static_cast<std::uint8_t>(((x >> 8) & 1u) * 255u);
    } else {
      const std::size_t c = i % channels, pixel = i / channels, px = pixel % width, py = pixel / width;
      out[i] = static_cast<std::uint8_t>((px * (3 + c) / 2 + py * 2 + seed) & 255u);
    }
  }
  return out;
}

inline qwen35::Image rgb_picture(std::size_t width, std::size_t height, const std::string& kind, std::uint32_t seed) {
  const std::vector<std::uint8_t> pixels = picture(width, height, kind, seed);
  return qwen35::Image(qwen35::PixelView{pixels.data(), width, height});
}

inline std::size_t size_of(const qwen35::json::Value& value) {
  return static_cast<std::size_t>(value.as_integer());
}

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// The message of the error that `body` raises; "no error" without one. Any other exception is a failure of the test.
template <class E, class F>
inline std::string message_of(F&& body) {
  try {
    body();
  } catch (const E& error) {
    return error.what();
  }
  return "no error";
}

inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace media_test
