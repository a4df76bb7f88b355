// SPDX-License-Identifier: Apache-2.0
// The packed file: a whole model in one file, laid out to be mapped, with sums of all that is in it.
#pragma once

#include <qwen35/core/hash.hpp>
#include <qwen35/io/model_folder.hpp>
#include <qwen35/json/value.hpp>
#include <qwen35/weights/safetensors.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// The form, all numbers little-endian:
//
//   64 bytes   "QWEN35PK", the version (4 bytes), zeros
//   contents   of files, then of tensors, each at a multiple of packed_alignment() of its size
//   index      JSON: {"dialect": "huggingface" or "gguf", "recipe": text, "files": [{"name", "offset", "bytes",
//              "sum"}, ...], "tensors": [{"name", "format", "shape", "offset", "bytes", "sum"}, ...]}, in the order of
//              their offsets; sums are 16 hexadecimal digits
//   64 bytes   "QWEN35PK", the index's offset, its bytes, its sum (8 bytes each), zeros
//
// The index comes last, so that a file is written in one go and one that was cut is known at once; opening reads it and
// no content. Tensors have the names and values of the folder or GGUF file that they come from (its dialect).
inline constexpr std::string_view packed_magic = "QWEN35PK";
inline constexpr std::uint32_t packed_version = 1;
inline constexpr std::size_t packed_frame = 64;  // bytes at the beginning and at the end

// Large contents begin on pages, the largest on large pages.
constexpr std::size_t packed_alignment(std::size_t bytes) {
  return bytes < (std::size_t{16} << 10) ? 64 : bytes < (std::size_t{32} << 20) ? 4096 : std::size_t{2} << 20;
}

// The sum of contents: of hashes of their pieces, so that several threads can make it.
class PackedSum {
 public:
  static constexpr std::size_t piece = std::size_t{1} << 20;

  // A piece; each but the last is whole.
  static std::uint64_t of_piece(std::span<const std::byte> bytes) {
    return hash_of({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  void add(std::uint64_t piece_hash) { hasher_.word(piece_hash); }
  std::uint64_t value() const { return hasher_.value(); }

 private:
  Hasher hasher_;
};
// Of all contents at once, on all threads. `step`: told how many bytes more are done, at each 64 MiB.
std::uint64_t packed_sum(std::span<const std::byte> bytes, const std::function<void(std::size_t more)>& step = {});

struct PackedFile {
  struct Entry {
    std::string name;
    std::span<const std::byte> bytes;
    std::uint64_t sum = 0;
  };

  std::string source;
  bool gguf = false;   // the dialect
  std::string recipe;  // that it was made with
  std::vector<Entry> files;
  std::vector<TensorInfo> tensors;
  std::vector<std::uint64_t> sums;  // of the tensors
};

// Does a file begin as a packed file does, or is it called so?
bool is_packed(std::span<const std::byte> file);
bool is_packed_name(std::string_view path);

// Looks at the frame and the index alone. Raises CheckpointError for what is no packed file, is of a newer version, is
// cut, or has an index that is damaged or that contradicts itself or the file's size.
PackedFile read_packed(std::span<const std::byte> file, const std::string& source);

// Holds every content against its sum. `progress`: told the bytes that are done, of all. Raises CheckpointError with
// the names of those that are damaged, CancelledError within 64 MiB.
void verify_packed(const PackedFile& file,
                   const std::function<void(std::size_t done, std::size_t total)>& progress = {});

// The files in it. Reading one raises CheckpointError when it is damaged. `owner` keeps the bytes.
ModelFolder packed_model_folder(const std::shared_ptr<const PackedFile>& file, std::shared_ptr<const void> owner);

// How sums stand in the index.
std::string packed_sum_text(std::uint64_t sum);

namespace detail {

// Reads one index. All of it raises CheckpointError; where that is declined, what is read is empty.
class PackedIndex {
 public:
  PackedIndex(std::span<const std::byte> file, std::size_t offset, std::size_t bytes, const std::string& source)
      : file_(file), end_(offset), source_(source), text_(file.subspan(offset, bytes)) {}

  PackedFile read();

 private:
  template <class... Parts>
  [[nodiscard]] bool expect(bool condition, const Parts&... parts) const {
    return holds<CheckpointError>(condition, source_, ": damaged index: ", parts...);
  }
  // A member of that kind, or none.
  const json::Value& member(const json::Value& object, std::string_view key, json::Kind kind,
                            std::string_view where) const;
  std::size_t number(const json::Value& value, std::string_view where) const;
  // The place of an entry, behind those before.
  PackedFile::Entry entry(const json::Value& value, std::string_view what);
  TensorInfo tensor(const json::Value& value, const PackedFile::Entry& place) const;

  std::span<const std::byte> file_;
  std::size_t end_;
  std::size_t covered_ = packed_frame;
  const std::string& source_;
  std::span<const std::byte> text_;
  std::unordered_set<std::string> names_;
};

}  // namespace detail

QWEN35_END_NAMESPACE

#include <qwen35/weights/packed_impl.hpp>
