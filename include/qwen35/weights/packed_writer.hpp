// SPDX-License-Identifier: Apache-2.0
// Writes a packed file, one content after the other.
#pragma once

#include <qwen35/io/file_writer.hpp>
#include <qwen35/json/value.hpp>
#include <qwen35/weights/packed.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/json/dump.hpp>

#include <utility>
#endif

QWEN35_BEGIN_NAMESPACE

// What is at the path stays as it was until commit(), see FileWriter. All errors are CheckpointErrors.
class PackedWriter {
 public:
  explicit PackedWriter(const std::string& path) : file_(path) {
    pending_.reserve(PackedSum::piece);
    write_frame({{packed_version, 4}});
  }

  void add_file(const std::string& name, std::string_view text);
  // A tensor of so many bytes, which write() then brings in order, in pieces of any size.
  void begin_tensor(const std::string& name, std::string_view format, std::span<const std::size_t> shape,
                    std::size_t bytes);
  void write(std::span<const std::byte> bytes);
  void end_tensor();

  // Writes the index, and puts the file in its place.
  void commit(bool gguf, std::string_view recipe);
  // So far.
  std::size_t bytes() const { return at_; }

 private:
  // Numbers behind the magic, the rest zeros.
  void write_frame(const std::vector<std::pair<std::uint64_t, std::size_t>>& numbers);
  void put(std::span<const std::byte> bytes);
  void begin(json::Value entry, std::size_t bytes);
  json::Value end();
  void flush();

  FileWriter<CheckpointError> file_;
  std::size_t at_ = 0;
  json::Value files_ = json::Value::array();
  json::Value tensors_ = json::Value::array();
  json::Value entry_;
  std::size_t expected_ = 0;  // bytes of the content that is written, still to come
  std::vector<std::byte> pending_;
  PackedSum sum_;
};

#if QWEN35_BODIES

QWEN35_BODY void PackedWriter::add_file(const std::string& name, std::string_view text) {
  json::Value entry = json::Value::object();
  entry["name"] = name;
  begin(std::move(entry), text.size());
  write(std::as_bytes(std::span<const char>(text)));
  files_.push_back(end());
}

QWEN35_BODY void PackedWriter::begin_tensor(const std::string& name, std::string_view format,
                                            std::span<const std::size_t> shape, std::size_t bytes) {
  json::Value entry = json::Value::object();
  entry["name"] = name;
  entry["format"] = format;
  entry["shape"] = json::Value::array();
  for (const std::size_t extent : shape) {
    entry["shape"].push_back(extent);
  }
  begin(std::move(entry), bytes);
}

QWEN35_BODY void PackedWriter::end_tensor() {
  tensors_.push_back(end());
}

QWEN35_BODY void PackedWriter::write(std::span<const std::byte> bytes) {
  require<InputError>(bytes.size() <= expected_, "PackedWriter: more bytes than were said");
  expected_ -= bytes.size();
  while (!bytes.empty()) {
    const std::size_t count = std::min(bytes.size(), PackedSum::piece - pending_.size());
    pending_.insert(pending_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
    bytes = bytes.subspan(count);
    if (pending_.size() == PackedSum::piece) {
      flush();
    }
  }
}

QWEN35_BODY void PackedWriter::commit(bool gguf, std::string_view recipe) {
  json::Value index = json::Value::object();
  index["dialect"] = gguf ? "gguf" : "huggingface";
  index["recipe"] = recipe;
  index["files"] = std::move(files_);
  index["tensors"] = std::move(tensors_);
  const std::string text = json::dump(index);
  const std::span<const std::byte> bytes = std::as_bytes(std::span<const char>(text));
  const std::size_t offset = at_;
  put(bytes);
  write_frame({{offset, 8}, {bytes.size(), 8}, {packed_sum(bytes), 8}});
  file_.commit();
}

QWEN35_BODY void PackedWriter::write_frame(const std::vector<std::pair<std::uint64_t, std::size_t>>& numbers) {
  std::vector<std::byte> frame;
  for (const char c : packed_magic) {
    frame.push_back(static_cast<std::byte>(c));
  }
  for (const auto& [number, size] : numbers) {
    for (std::size_t i = 0; i < size; ++i) {
      frame.push_back(static_cast<std::byte>(number >> (8 * i)));
    }
  }
  frame.resize(packed_frame);
  put(frame);
}

QWEN35_BODY void PackedWriter::put(std::span<const std::byte> bytes) {
  file_.write(bytes);
  at_ += bytes.size();
}

QWEN35_BODY void PackedWriter::begin(json::Value entry, std::size_t bytes) {
  const std::size_t alignment = packed_alignment(bytes);
  const std::vector<std::byte> space((alignment - at_ % alignment) % alignment);
  put(space);
  entry["offset"] = at_;
  entry["bytes"] = bytes;
  entry_ = std::move(entry);
  expected_ = bytes;
  sum_ = PackedSum();
}

QWEN35_BODY json::Value PackedWriter::end() {
  require<InputError>(expected_ == 0, "PackedWriter: ", expected_, " bytes fewer than were said");
  flush();
  entry_["sum"] = packed_sum_text(sum_.value());
  return std::move(entry_);
}

QWEN35_BODY void PackedWriter::flush() {
  if (!pending_.empty()) {
    sum_.add(PackedSum::of_piece(pending_));
    put(pending_);
    pending_.clear();
  }
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
