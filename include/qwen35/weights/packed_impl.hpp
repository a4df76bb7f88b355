// SPDX-License-Identifier: Apache-2.0
// Bodies of packed.hpp.
#pragma once

#include <qwen35/weights/packed.hpp>

#if QWEN35_BODIES
#include <qwen35/core/cancellation.hpp>
#include <qwen35/json/builder.hpp>
#include <qwen35/json/dump.hpp>
#include <qwen35/json/read.hpp>
#include <qwen35/parallel/parallel_for.hpp>
#include <qwen35/weights/problem_list.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

QWEN35_BEGIN_NAMESPACE

QWEN35_BODY std::uint64_t packed_sum(std::span<const std::byte> bytes,
                                     const std::function<void(std::size_t more)>& step) {
  constexpr std::size_t most = 64;  // pieces at once
  PackedSum sum;
  std::array<std::uint64_t, most> hashes{};
  while (!bytes.empty()) {
    const std::span<const std::byte> now = bytes.first(std::min(most * PackedSum::piece, bytes.size()));
    const std::size_t pieces = (now.size() + PackedSum::piece - 1) / PackedSum::piece;
    parallel_for(pieces, [&](std::size_t i) {
      const std::size_t begin = i * PackedSum::piece;
      hashes[i] = PackedSum::of_piece(now.subspan(begin, std::min(PackedSum::piece, now.size() - begin)));
    });
    for (std::size_t i = 0; i < pieces; ++i) {
      sum.add(hashes[i]);
    }
    if (step) {
      step(now.size());
    }
    bytes = bytes.subspan(now.size());
  }
  return sum.value();
}

QWEN35_BODY std::string packed_sum_text(std::uint64_t sum) {
  std::string out(16, '0');
  for (std::size_t i = 0; i < 16; ++i) {
    out[15 - i] = "0123456789abcdef"[sum >> 4 * i & 15];
  }
  return out;
}

QWEN35_BODY bool is_packed(std::span<const std::byte> file) {
  return file.size() >= packed_magic.size() &&
         std::equal(packed_magic.begin(), packed_magic.end(), reinterpret_cast<const char*>(file.data()));
}

QWEN35_BODY bool is_packed_name(std::string_view path) {
  return path.ends_with(".qwen35");
}

namespace detail {

QWEN35_BODY const json::Value& PackedIndex::member(const json::Value& object, std::string_view key, json::Kind kind,
                                                   std::string_view where) const {
  const json::Value* const value = object.find(key);
  const bool is_one =
      expect(value != nullptr && value->kind() == kind, where, ": expected \"", key, "\", ", name(kind));
  return is_one ? *value : json::Value::none();
}

QWEN35_BODY std::size_t PackedIndex::number(const json::Value& value, std::string_view where) const {
  const bool is_one = expect(
      value.is_integer() && value.as_integer() >= 0 && static_cast<std::uint64_t>(value.as_integer()) <= SIZE_MAX,
      where, ": expected a whole number not below 0");
  return is_one ? static_cast<std::size_t>(value.as_integer()) : 0;
}

QWEN35_BODY PackedFile::Entry PackedIndex::entry(const json::Value& value, std::string_view what) {
  PackedFile::Entry out;
  out.name = member(value, "name", json::Kind::string, what).as_string();
  const std::string where = concat(what, " \"", shortened(out.name), "\"");
  if (!expect(!out.name.empty(), what, " without a name") ||
      !expect(names_.insert(concat(what, out.name)).second, where, " stands twice")) {
    return out;
  }
  const std::size_t offset = number(member(value, "offset", json::Kind::integer, where), where);
  const std::size_t bytes = number(member(value, "bytes", json::Kind::integer, where), where);
  if (!expect(offset % packed_frame == 0, where, ": begins at byte ", offset, ", no multiple of ", packed_frame) ||
      !expect(offset <= end_ && bytes <= end_ - offset, where, ": takes bytes ", offset, " to ", offset, " + ", bytes,
              ", the contents end at ", end_) ||
      !expect(offset >= covered_, where, ": begins at byte ", offset, ", in what stands before it, which ends at ",
              covered_)) {
    return out;
  }
  covered_ = offset + bytes;
  out.bytes = file_.subspan(offset, bytes);
  const std::string& sum = member(value, "sum", json::Kind::string, where).as_string();
  const std::from_chars_result read = std::from_chars(sum.data(), sum.data() + sum.size(), out.sum, 16);
  if (!expect(read.ec == std::errc() && packed_sum_text(out.sum) == sum, where, ": the sum \"", shortened(sum),
              "\", expected 16 hexadecimal digits")) {
    return {};
  }
  return out;
}

QWEN35_BODY TensorInfo PackedIndex::tensor(const json::Value& value, const PackedFile::Entry& place) const {
  constexpr std::size_t most_axes = 8;
  const std::string where = concat("tensor \"", shortened(place.name), "\"");
  TensorInfo out{place.name, member(value, "format", json::Kind::string, where).as_string(), {}, place.bytes, source_};
  for (const json::Value& extent : member(value, "shape", json::Kind::array, where).items()) {
    out.shape.push_back(number(extent, where));
    if (declined() || !expect(out.shape.size() <= most_axes, where, ": more than ", most_axes, " axes")) {
      return out;
    }
  }
  const std::optional<Format> format = stored_format(out.dtype);
  std::size_t bits = safetensors_bits(out.dtype);
  std::vector<std::size_t> blocks = out.shape;
  if (format) {
    const FormatInfo& info = format_info(*format);
    bits = 8 * info.block_bytes;
    if (info.block_values > 1) {
      if (!expect(!blocks.empty() && blocks.back() % info.block_values == 0, where, ": rows of ",
                  blocks.empty() ? 0 : blocks.back(), " values are no whole blocks of ", out.dtype, ", which has ",
                  info.block_values)) {
        return out;
      }
      blocks.back() /= info.block_values;
    }
  }
  if (expect(bits != 0, where, ": unknown format \"", shortened(out.dtype), "\"") &&
      tensor_bytes(blocks, bits) != place.bytes.size()) {
    decline<CheckpointError>(concat(source_, ": damaged index: ", where, ": ", place.bytes.size(),
                                    " bytes are not those of shape ", shape_text(out.shape), " of ", out.dtype));
  }
  return out;
}

QWEN35_BODY PackedFile PackedIndex::read() {
  json::Builder builder;
  const json::ReadResult result = json::try_read({reinterpret_cast<const char*>(text_.data()), text_.size()}, builder);
  PackedFile out;
  out.source = source_;
  if (!expect(result.ok, result.problem)) {
    return out;
  }
  const json::Value root = builder.take();
  if (!expect(root.is_object(), "expected an object")) {
    return out;
  }
  const std::string& dialect = member(root, "dialect", json::Kind::string, "the index").as_string();
  if (!expect(dialect == "huggingface" || dialect == "gguf", "the dialect \"", shortened(dialect),
              "\", expected \"huggingface\" or \"gguf\"")) {
    return out;
  }
  out.gguf = dialect == "gguf";
  out.recipe = member(root, "recipe", json::Kind::string, "the index").as_string();
  const std::vector<json::Value>& files = member(root, "files", json::Kind::array, "the index").items();
  constexpr std::size_t most_files = 1000;  // those of a model's folder are twelve
  if (declined() || !expect(files.size() <= most_files, files.size(), " files, at most ", most_files)) {
    return out;
  }
  for (const json::Value& value : files) {
    out.files.push_back(entry(value, "file"));
    if (declined()) {
      return out;
    }
  }
  const std::vector<json::Value>& tensors = member(root, "tensors", json::Kind::array, "the index").items();
  out.tensors.reserve(tensors.size());
  for (const json::Value& value : tensors) {
    const PackedFile::Entry place = entry(value, "tensor");
    if (declined()) {
      return out;
    }
    out.tensors.push_back(tensor(value, place));
    out.sums.push_back(place.sum);
  }
  return out;
}

}  // namespace detail

QWEN35_BODY PackedFile read_packed(std::span<const std::byte> file, const std::string& source) {
  const auto number = [&](std::size_t at, std::size_t bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) {
      value |= static_cast<std::uint64_t>(file[at + i]) << (8 * i);
    }
    return value;
  };
  const auto zeros = [&](std::size_t begin, std::size_t end) {
    return std::all_of(file.begin() + static_cast<std::ptrdiff_t>(begin),
                       file.begin() + static_cast<std::ptrdiff_t>(end),
                       [](std::byte value) { return value == std::byte{0}; });
  };
  PackedFile none;
  none.source = source;
  if (!holds<CheckpointError>(is_packed(file), source, ": not a packed file: it does not begin with \"", packed_magic,
                              "\"") ||
      !holds<CheckpointError>(file.size() >= 2 * packed_frame, source, ": ", file.size(),
                              " bytes, too short for a packed file: it is cut")) {
    return none;
  }
  const std::uint64_t version = number(8, 4);
  const std::size_t foot = file.size() - packed_frame;
  if (!holds<CheckpointError>(version <= packed_version, source, ": a packed file of version ", version,
                              ", newer than this program, which knows ", packed_version) ||
      !holds<CheckpointError>(version == packed_version && zeros(12, packed_frame), source,
                              ": damaged packed file: its first 64 bytes are not those of version ", packed_version) ||
      !holds<CheckpointError>(is_packed(file.subspan(foot)) && zeros(foot + 32, file.size()), source,
                              ": the packed file is cut or damaged: its last 64 bytes do not say where its index is")) {
    return none;
  }
  const std::uint64_t offset = number(foot + 8, 8), bytes = number(foot + 16, 8);
  if (!holds<CheckpointError>(offset >= packed_frame && offset <= foot && bytes == foot - offset, source,
                              ": the packed file is cut or damaged: an index of ", bytes, " bytes at byte ", offset,
                              ", the file has ", file.size(), " bytes")) {
    return none;
  }
  const auto begin = static_cast<std::size_t>(offset), size = static_cast<std::size_t>(bytes);
  if (!holds<CheckpointError>(packed_sum(file.subspan(begin, size)) == number(foot + 24, 8), source,
                              ": the index of the packed file is damaged: its sum is another")) {
    return none;
  }
  return detail::PackedIndex(file, begin, size, source).read();
}

QWEN35_BODY void verify_packed(const PackedFile& file,
                               const std::function<void(std::size_t done, std::size_t total)>& progress) {
  ProblemList damaged;
  std::size_t done = 0, total = 0;
  for (const PackedFile::Entry& entry : file.files) {
    total += entry.bytes.size();
  }
  for (const TensorInfo& tensor : file.tensors) {
    total += tensor.bytes.size();
  }
  const auto verify = [&](std::string_view what, const std::string& name, std::span<const std::byte> bytes,
                          std::uint64_t sum) {
    const auto step = [&](std::size_t more) {
      done += more;
      CallScope::step("verify", done, total);
      if (progress) {
        progress(done, total);
      }
    };
    if (packed_sum(bytes, step) != sum) {
      damaged.add(concat(what, " ", shortened(name)), "damaged, its sum is another");
    }
  };
  for (const PackedFile::Entry& entry : file.files) {
    verify("file", entry.name, entry.bytes, entry.sum);
  }
  for (std::size_t i = 0; i < file.tensors.size(); ++i) {
    verify("tensor", file.tensors[i].name, file.tensors[i].bytes, file.sums[i]);
  }
  if (damaged.count() > 0) {
    decline<CheckpointError>(concat(file.source, ": is not as it was written:", damaged.text()));
  }
}

QWEN35_BODY ModelFolder packed_model_folder(const std::shared_ptr<const PackedFile>& file,
                                            std::shared_ptr<const void> owner) {
  ModelFolder out = ModelFolder::made(file->source);
  for (const PackedFile::Entry& entry : file->files) {
    out.add(entry.name, [source = file->source, entry, owner] {
      return holds<CheckpointError>(packed_sum(entry.bytes) == entry.sum, source, ": ", entry.name,
                                    ": damaged, its sum is another")
                 ? std::string(reinterpret_cast<const char*>(entry.bytes.data()), entry.bytes.size())
                 : std::string();
    });
  }
  return out;
}

QWEN35_END_NAMESPACE
#endif  // QWEN35_BODIES
