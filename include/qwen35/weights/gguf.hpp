// SPDX-License-Identifier: Apache-2.0
// The GGUF format: magic and version, metadata, the tensors' directory, their bytes. Every count, length, offset and
// size of the file is checked before it is used.
#pragma once

#include <qwen35/core/lifetime.hpp>
#include <qwen35/weights/gguf_cursor.hpp>
#include <qwen35/weights/gguf_directory.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if QWEN35_BODIES
#include <unordered_set>
#endif

QWEN35_BEGIN_NAMESPACE

// A file's metadata in its order, and its tensors: names and shapes as the file has them, but for the order of the axes
// (outermost first, as everywhere here). All of it looks at the file's bytes.
struct GgufFile {
  std::string source;
  std::vector<std::pair<std::string_view, GgufValue>> metadata;
  std::vector<TensorInfo> tensors;

  // The value of a key, or null.
  const GgufValue* find(std::string_view key) const QWEN35_LIFETIMEBOUND;
  const TensorInfo* tensor(std::string_view name) const QWEN35_LIFETIMEBOUND;
};

// Does a file begin as a GGUF file does, or is it called so?
bool is_gguf(std::span<const std::byte> file);
bool is_gguf_name(std::string_view path);

// A GGUF file of version 2 or 3, little-endian, one of those that a model is split into, or all of it. Raises
// CheckpointError for everything else: with the first thing that is damaged in the metadata or the directory, or a list
// of the tensors whose types, sizes or places are wrong. Source: the format's description,
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
GgufFile read_gguf(std::span<const std::byte> file, const std::string& source);

namespace detail {

// Magic, version and the two counts: tensors, then metadata.
std::pair<std::uint64_t, std::uint64_t> read_gguf_header(GgufCursor& cursor, std::span<const std::byte> file,
                                                         const std::string& source);

GgufType read_gguf_type(GgufCursor& cursor, std::string_view key);

GgufValue read_gguf_value(GgufCursor& cursor, std::string_view key, std::span<const std::byte> file);

// The multiple of which the data and each tensor begin at.
std::size_t gguf_alignment(const GgufFile& file, const GgufCursor& cursor);

}  // namespace detail

#if QWEN35_BODIES

QWEN35_BODY const GgufValue* GgufFile::find(std::string_view key) const {
  const auto found = std::find_if(metadata.begin(), metadata.end(), [&](const auto& m) { return m.first == key; });
  return found == metadata.end() ? nullptr : &found->second;
}

QWEN35_BODY const TensorInfo* GgufFile::tensor(std::string_view name) const {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const auto& t) { return t.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

QWEN35_BODY bool is_gguf(std::span<const std::byte> file) {
  constexpr std::string_view magic = "GGUF";
  return file.size() >= magic.size() && std::equal(magic.begin(), magic.end(), reinterpret_cast<const char*>(&file[0]));
}

QWEN35_BODY bool is_gguf_name(std::string_view path) {
  return path.ends_with(".gguf") || path.ends_with(".GGUF");
}

namespace detail {

QWEN35_BODY std::pair<std::uint64_t, std::uint64_t> read_gguf_header(GgufCursor& cursor,
                                                                     std::span<const std::byte> file,
                                                                     const std::string& source) {
  if (!holds<CheckpointError>(file.size() >= 4, source, ": ", file.size(), " bytes, too short for a GGUF file")) {
    return {};
  }
  const std::string_view magic(reinterpret_cast<const char*>(file.data()), 4);
  for (const std::string_view old : {"lmgg", "fmgg", "tjgg", "algg", "GGML", "GGJT", "GGMF"}) {
    if (!holds<CheckpointError>(magic != old, source,
                                ": a GGML file, the format before GGUF, expected GGUF: convert the original "
                                "checkpoint again")) {
      return {};
    }
  }
  if (!holds<CheckpointError>(is_gguf(file), source, ": not a GGUF file: it does not begin with \"GGUF\"")) {
    return {};
  }
  cursor.take(4, "the magic number");
  const auto version = cursor.number<std::uint32_t>("the version");
  if (!holds<CheckpointError>((version & 0xFFFF) != 0 || version == 0, source,
                              ": a big-endian GGUF file, expected a little-endian one: convert the original "
                              "checkpoint without --bigendian") ||
      !holds<CheckpointError>(version == 2 || version == 3, source, ": GGUF version ", version,
                              version < 2 ? ", expected 2 or 3: convert the original checkpoint again"
                                          : ", newer than this program, which knows 2 and 3")) {
    return {};
  }
  const auto tensors = cursor.number<std::uint64_t>("the number of tensors");
  return {tensors, cursor.number<std::uint64_t>("the number of metadata values")};
}

QWEN35_BODY GgufType read_gguf_type(GgufCursor& cursor, std::string_view key) {
  const auto type = cursor.number<std::uint32_t>("the type of a metadata value");
  const bool known =
      cursor.expect(type < gguf_type_count, "\"", shortened(key), "\": unknown type ", type, " of a value");
  return known ? static_cast<GgufType>(type) : GgufType::u8;
}

QWEN35_BODY GgufValue read_gguf_value(GgufCursor& cursor, std::string_view key, std::span<const std::byte> file) {
  GgufValue out;
  out.type = read_gguf_type(cursor, key);
  if (out.type == GgufType::array) {
    out.is_array = true;
    out.type = read_gguf_type(cursor, key);
    if (!cursor.expect(out.type != GgufType::array, "\"", shortened(key), "\": an array of arrays")) {
      return {};
    }
    const auto count = cursor.number<std::uint64_t>("the length of an array");
    out.count =
        cursor.count(count, std::max<std::size_t>(gguf_type_bytes(out.type), out.type == GgufType::string ? 8 : 1),
                     concat("elements of \"", shortened(key), "\""));
  }
  const std::size_t begin = cursor.at();
  if (out.type == GgufType::string) {
    for (std::size_t i = 0; i < out.count && !declined(); ++i) {
      cursor.text(SIZE_MAX, "a text");
    }
  } else {
    cursor.take(out.count * gguf_type_bytes(out.type), "a metadata value");
  }
  out.bytes = file.subspan(begin, cursor.at() - begin);
  if (out.type == GgufType::boolean) {
    const std::string name = shortened(key);
    for (const std::byte value : out.bytes) {
      if (!cursor.expect(value <= std::byte{1}, "\"", name, "\": the truth value ", std::to_integer<int>(value),
                         ", expected 0 or 1")) {
        break;
      }
    }
  }
  return out;
}

QWEN35_BODY std::size_t gguf_alignment(const GgufFile& file, const GgufCursor& cursor) {
  constexpr std::uint32_t absent = 32, most = 1u << 24;
  const GgufValue* const value = file.find("general.alignment");
  if (value == nullptr ||
      !cursor.expect(value->type == GgufType::u32 && !value->is_array, "\"general.alignment\": expected a u32, found ",
                     value->is_array ? "an array" : name(value->type))) {
    return absent;
  }
  const auto alignment = read_little_endian<std::uint32_t>(value->bytes.data());
  const bool is_one = cursor.expect(std::has_single_bit(alignment) && alignment <= most,
                                    "\"general.alignment\": ", alignment, ", expected a power of 2 up to ", most);
  return is_one ? alignment : absent;
}

}  // namespace detail

QWEN35_BODY GgufFile read_gguf(std::span<const std::byte> file, const std::string& source) {
  using namespace detail;
  constexpr std::size_t longest_key = 65535, least_value = 8 + 1 + 4 + 1, least_tensor = 8 + 1 + 4 + 8 + 4 + 8;
  GgufCursor cursor(file, source);
  const auto [stated_tensors, stated_values] = read_gguf_header(cursor, file, source);
  const std::size_t values = cursor.count(stated_values, least_value, "metadata values");
  GgufFile out;
  out.source = source;
  std::unordered_set<std::string_view> keys;
  for (std::size_t i = 0; i < values; ++i) {
    const std::string_view key = cursor.text(longest_key, "the key of a metadata value");
    if (!cursor.expect(!key.empty(), "a metadata value without a key") ||
        !cursor.expect(keys.insert(key).second, "\"", shortened(key), "\" stands twice in the metadata")) {
      return out;
    }
    const GgufValue value = read_gguf_value(cursor, key, file);
    if (declined()) {
      return out;
    }
    out.metadata.emplace_back(key, value);
  }
  const std::size_t alignment = gguf_alignment(out, cursor);
  const std::size_t tensors = cursor.count(stated_tensors, least_tensor, "tensors");
  std::vector<GgufEntry> entries;
  for (std::size_t i = 0; i < tensors && !declined(); ++i) {
    entries.push_back(read_gguf_entry(cursor));
  }
  std::unordered_set<std::string_view> names;
  for (const GgufEntry& entry : entries) {
    if (declined() || !cursor.expect(names.insert(entry.tensor.name).second, "tensor \"", shortened(entry.tensor.name),
                                     "\" stands twice")) {
      return out;
    }
  }
  if (!entries.empty()) {
    cursor.take((alignment - cursor.at() % alignment) % alignment, "the space before the data");
  }
  if (!declined()) {
    place_gguf_tensors(entries, file, cursor.at(), alignment, source);
  }
  if (declined()) {
    return out;
  }
  out.tensors.reserve(entries.size());
  for (GgufEntry& entry : entries) {
    out.tensors.push_back(std::move(entry.tensor));
  }
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
