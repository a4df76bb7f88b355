// SPDX-License-Identifier: Apache-2.0
// GGUF files for tests, in memory, sound or broken on purpose.
#pragma once

#include <qwen35/weights/gguf.hpp>

#include "safetensors_writer.hpp"

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace weights_test {

using qwen35::GgufType;

// Bytes, added to at the end.
struct GgufBytes {
  Bytes bytes;

  template <class T>
  requires(std::is_integral_v<T>) GgufBytes& number(T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      bytes.push_back(static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i)));
    }
    return *this;
  }
  GgufBytes& text(std::string_view text) {
    number(std::uint64_t{text.size()});
    const Bytes more = bytes_of(text);
    bytes.insert(bytes.end(), more.begin(), more.end());
    return *this;
  }
  GgufBytes& add(const Bytes& more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
    return *this;
  }
};

inline Bytes gguf_u32(std::uint32_t value) {
  return GgufBytes().number(value).bytes;
}
inline Bytes gguf_f32(float value) {
  return GgufBytes().number(std::bit_cast<std::uint32_t>(value)).bytes;
}
inline Bytes gguf_text(std::string_view text) {
  return GgufBytes().text(text).bytes;
}
inline Bytes gguf_array(GgufType type, std::size_t count, const Bytes& elements) {
  return GgufBytes().number(static_cast<std::uint32_t>(type)).number(std::uint64_t{count}).add(elements).bytes;
}
inline Bytes gguf_texts(const std::vector<std::string>& texts) {
  GgufBytes out;
  for (const std::string& text : texts) {
    out.text(text);
  }
  return gguf_array(GgufType::string, texts.size(), out.bytes);
}

struct GgufEntryOf {
  std::string name;
  std::vector<std::uint64_t> extents;  // innermost first, as in the file
  std::uint32_t type = 0;
  std::uint64_t offset = 0;
};

// A file whose every number can be made wrong.
struct GgufParts {
  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::vector<std::pair<std::string, std::pair<std::uint32_t, Bytes>>> metadata{};  // key, type, value
  std::vector<GgufEntryOf> entries{};
  Bytes data{};
  std::uint64_t alignment = 32;
  std::int64_t more_tensors = 0, more_values = 0;  // than there are, as the header says

  GgufParts& set(const std::string& key, GgufType type, const Bytes& value) {
    return set(key, static_cast<std::uint32_t>(type), value);
  }
  GgufParts& set(const std::string& key, std::uint32_t type, const Bytes& value) {
    for (auto& [name, old] : metadata) {
      if (name == key) {
        old = {type, value};
        return *this;
      }
    }
    metadata.push_back({key, {type, value}});
    return *this;
  }
  GgufParts& text(const std::string& key, std::string_view value) {
    return set(key, GgufType::string, gguf_text(value));
  }
  GgufParts& u32(const std::string& key, std::uint32_t value) { return set(key, GgufType::u32, gguf_u32(value)); }
  GgufParts& f32(const std::string& key, float value) { return set(key, GgufType::f32, gguf_f32(value)); }
  // An entry with its bytes behind those of the one before.
  GgufParts& tensor(const std::string& name, const std::vector<std::uint64_t>& extents, std::uint32_t type,
                    const Bytes& bytes) {
    data.resize((data.size() + alignment - 1) / alignment * alignment);
    entries.push_back({name, extents, type, data.size()});
    data.insert(data.end(), bytes.begin(), bytes.end());
    return *this;
  }
  GgufParts& tensor(const TestTensor& tensor) {
    const std::uint32_t type = tensor.dtype == "F32" ? 0 : tensor.dtype == "F16" ? 1 : 30;
    return this->tensor(tensor.name, {tensor.shape.rbegin(), tensor.shape.rend()}, type,
                        encode(tensor.values, tensor.dtype));
  }

  // The parts of a sound file.
  static GgufParts of(const qwen35::GgufFile& file) {
    GgufParts out;
    for (const auto& [key, value] : file.metadata) {
      const Bytes bytes(value.bytes.begin(), value.bytes.end());
      out.set(std::string(key), value.is_array ? GgufType::array : value.type,
              value.is_array ? gguf_array(value.type, value.count, bytes) : bytes);
    }
    for (const qwen35::TensorInfo& tensor : file.tensors) {
      const std::uint32_t type = tensor.dtype == "F32"    ? 0
                                 : tensor.dtype == "F16"  ? 1
                                 : tensor.dtype == "Q8_0" ? 8
                                                          : 30;
      out.tensor(tensor.name, {tensor.shape.rbegin(), tensor.shape.rend()}, type,
                 Bytes(tensor.bytes.begin(), tensor.bytes.end()));
    }
    return out;
  }
  GgufParts& remove(const std::string& key) {
    std::erase_if(metadata, [&](const auto& value) { return value.first == key; });
    return *this;
  }
  GgufParts& remove_tensor(const std::string& name) {
    std::erase_if(entries, [&](const GgufEntryOf& entry) { return entry.name == name; });
    return *this;
  }

  Bytes file() const {
    GgufBytes out;
    out.add(bytes_of(magic)).number(version);
    out.number(static_cast<std::uint64_t>(static_cast<std::int64_t>(entries.size()) + more_tensors));
    out.number(static_cast<std::uint64_t>(static_cast<std::int64_t>(metadata.size()) + more_values));
    for (const auto& [key, value] : metadata) {
      out.text(key).number(value.first).add(value.second);
    }
    for (const GgufEntryOf& entry : entries) {
      out.text(entry.name).number(static_cast<std::uint32_t>(entry.extents.size()));
      for (const std::uint64_t extent : entry.extents) {
        out.number(extent);
      }
      out.number(entry.type).number(entry.offset);
    }
    if (!entries.empty()) {
      out.bytes.resize((out.bytes.size() + alignment - 1) / alignment * alignment);
    }
    return out.add(data).bytes;
  }
};

}  // namespace weights_test
