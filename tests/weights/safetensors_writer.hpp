// SPDX-License-Identifier: Apache-2.0
// Safetensors files for tests, in memory, sound or broken on purpose; and a folder that goes when the test ends.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/weights/safetensors.hpp>

#include "support/message_of.hpp"

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace weights_test {

using Bytes = std::vector<std::byte>;
using Extents = std::vector<std::size_t>;

inline Bytes bytes_of(std::string_view text) {
  const auto* const data = reinterpret_cast<const std::byte*>(text.data());
  return {data, data + text.size()};
}

// The 8 bytes of the header's length (or another number), the header, the data.
inline Bytes raw_safetensors(std::string_view header, const Bytes& data, std::uint64_t length) {
  Bytes out;
  for (int i = 0; i < 8; ++i) {
    out.push_back(static_cast<std::byte>(length >> (8 * i)));
  }
  const Bytes text = bytes_of(header);
  out.insert(out.end(), text.begin(), text.end());
  out.insert(out.end(), data.begin(), data.end());
  return out;
}
inline Bytes raw_safetensors(std::string_view header, const Bytes& data) {
  return raw_safetensors(header, data, header.size());
}

inline Bytes encode(const std::vector<float>& values, const std::string& dtype) {
  return qwen35::visit(qwen35::dtype_of(dtype).value(), [&]<class Stored>(Stored) {
    typename Stored::Block block;
    Bytes out(values.size() * sizeof(block));
    for (std::size_t i = 0; i < values.size(); ++i) {
      Stored::encode(&values[i], block);
      std::memcpy(out.data() + i * sizeof(block), &block, sizeof(block));
    }
    return out;
  });
}

struct TestTensor {
  std::string name;
  Extents shape;
  std::vector<float> values;
  std::string dtype = "F32";
};

inline std::string shape_json(const Extents& shape) {
  std::string out = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    out += qwen35::concat(i == 0 ? "" : ",", shape[i]);
  }
  return out + "]";
}

// A tensor of any type, as its bytes.
struct RawTensor {
  std::string name;
  Extents shape;
  std::string dtype;
  Bytes bytes;

  RawTensor(std::string called, Extents extents, std::string type, Bytes data)
      : name(std::move(called)), shape(std::move(extents)), dtype(std::move(type)), bytes(std::move(data)) {}
  RawTensor(const TestTensor& tensor)
      : RawTensor(tensor.name, tensor.shape, tensor.dtype, encode(tensor.values, tensor.dtype)) {}
};

// `padding`: spaces after the header, so that the data starts at any offset.
inline Bytes write_safetensors(std::span<const RawTensor> tensors, std::size_t padding = 0) {
  std::string header = R"({"__metadata__":{"format":"pt"})";
  Bytes data;
  for (const RawTensor& tensor : tensors) {
    header +=
        qwen35::concat(",\"", tensor.name, "\":{\"dtype\":\"", tensor.dtype, "\",\"shape\":", shape_json(tensor.shape),
                       ",\"data_offsets\":[", data.size(), ",", data.size() + tensor.bytes.size(), "]}");
    data.insert(data.end(), tensor.bytes.begin(), tensor.bytes.end());
  }
  return raw_safetensors(header + "}" + std::string(padding, ' '), data);
}
inline Bytes write_safetensors(std::span<const TestTensor> tensors, std::size_t padding = 0) {
  return write_safetensors(std::vector<RawTensor>(tensors.begin(), tensors.end()), padding);
}

inline TestTensor random_tensor(const std::string& name, const Extents& shape, std::mt19937& random,
                                const std::string& dtype = "F32") {
  std::size_t size = 1;
  for (const std::size_t extent : shape) {
    size *= extent;
  }
  TestTensor out{name, shape, std::vector<float>(size), dtype};
  for (float& value : out.values) {
    value = static_cast<float>(static_cast<int>(random() % 2001) - 1000) / 512.0f;
    qwen35::visit(qwen35::dtype_of(dtype).value(), [&value]<class Stored>(Stored) {
      typename Stored::Block block;
      Stored::encode(&value, block);
      Stored::decode(block, &value);
    });
  }
  return out;
}

class TempFolder {
 public:
  TempFolder() {
    std::random_device random;
    do {
      path_ = std::filesystem::temp_directory_path() / qwen35::concat("qwen35_test_", random());
    } while (!std::filesystem::create_directory(path_));
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string path() const { return path_.string(); }
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  void write(const std::string& name, const Bytes& bytes) const {
    std::ofstream out(path_ / name, std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  void write(const std::string& name, std::string_view text) const { write(name, bytes_of(text)); }

 private:
  std::filesystem::path path_;
};

using test_support::contains;
using test_support::message_of;

}  // namespace weights_test
