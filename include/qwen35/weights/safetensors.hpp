// SPDX-License-Identifier: Apache-2.0
// The safetensors format: 8 bytes of header length, a JSON header, the tensors' bytes. Every number of the file is
// checked before it is used.
#pragma once

#include <qwen35/weights/tensor_info.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/json/read.hpp>
#include <qwen35/weights/problem_list.hpp>

#include <charconv>
#include <system_error>
#endif

QWEN35_BEGIN_NAMESPACE

// Bits of one value, 0 for an unknown name.
std::size_t safetensors_bits(std::string_view dtype);

// Number of bytes of a tensor, or nothing when the product overflows or is no whole number of bytes.
std::optional<std::size_t> tensor_bytes(std::span<const std::size_t> shape, std::size_t bits);

namespace detail {

// Receives the header's events: {"name": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, "__metadata__":
// {..}}. Strict about the form, and linear in the header's size.
class SafetensorsHeader {
 public:
  struct Entry {
    std::string name;
    std::string dtype;
    std::vector<std::size_t> shape;
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  std::vector<Entry> entries;
  std::string problem;

  bool null() { return metadata_ || wrong("null"); }
  bool boolean(bool) { return metadata_ || wrong("a boolean"); }
  bool integer(std::int64_t value) {
    return value >= 0 ? whole(static_cast<std::uint64_t>(value)) : metadata_ || wrong("a negative number");
  }
  bool big_integer(std::string_view digits);
  bool number(double) { return metadata_ || wrong("a fraction or a number that is too large"); }
  bool string(std::string_view text);
  bool begin_object();
  bool key(std::string_view key);
  bool end_object();
  bool begin_array();
  bool end_array();

 private:
  enum class Field : unsigned { dtype, shape, offsets, none };

  bool fail(std::string why);
  bool wrong(std::string_view what);
  bool whole(std::uint64_t value);

  std::unordered_set<std::string> names_;
  std::string name_;
  Field field_ = Field::none;
  unsigned seen_ = 0;
  unsigned offsets_ = 0;
  std::size_t depth_ = 0;
  bool in_array_ = false;
  bool metadata_ = false;
};

}  // namespace detail

// The tensors of a safetensors file, as views of `file`, in the header's order. Raises one CheckpointError with
// everything that is wrong: offsets past the end, overlapping or leaving holes, sizes that do not follow from shape and
// dtype, or the first thing in the header that is not what the format says, such as a name given twice. Of a file that
// was cut it says so. Source: the format's description, https://github.com/huggingface/safetensors.
QWEN35_LAZY
std::vector<TensorInfo> read_safetensors(std::span<const std::byte> file, const std::string& source);

#if QWEN35_BODIES

QWEN35_BODY std::size_t safetensors_bits(std::string_view dtype) {
  struct Entry {
    std::string_view name;
    std::size_t bits;
  };
  constexpr Entry entries[] = {{"BOOL", 8},    {"U8", 8},          {"I8", 8},          {"F8_E4M3", 8}, {"F8_E5M2", 8},
                               {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"F4", 4},      {"F6_E2M3", 6},
                               {"F6_E3M2", 6}, {"I16", 16},        {"U16", 16},        {"F16", 16},    {"BF16", 16},
                               {"I32", 32},    {"U32", 32},        {"F32", 32},        {"I64", 64},    {"U64", 64},
                               {"F64", 64},    {"C64", 64}};
  for (const Entry& entry : entries) {
    if (entry.name == dtype) {
      return entry.bits;
    }
  }
  return 0;
}

QWEN35_BODY std::optional<std::size_t> tensor_bytes(std::span<const std::size_t> shape, std::size_t bits) {
  std::size_t total = bits;
  for (const std::size_t extent : shape) {
    if (extent != 0 && total > SIZE_MAX / extent) {
      return std::nullopt;
    }
    total *= extent;
  }
  return total % 8 == 0 ? std::optional(total / 8) : std::nullopt;
}

namespace detail {

QWEN35_BODY bool SafetensorsHeader::big_integer(std::string_view digits) {
  std::uint64_t value = 0;
  return std::from_chars(digits.data(), digits.data() + digits.size(), value).ec == std::errc() ? whole(value)
                                                                                                : number(0.0);
}

QWEN35_BODY bool SafetensorsHeader::string(std::string_view text) {
  if (metadata_) {
    return true;
  }
  if (depth_ != 2 || field_ != Field::dtype) {
    return wrong("a string");
  }
  entries.back().dtype.assign(text);
  return true;
}

QWEN35_BODY bool SafetensorsHeader::begin_object() {
  ++depth_;
  if (metadata_ || depth_ == 1) {
    return true;
  }
  if (depth_ == 2 && !in_array_) {
    if (name_ == "__metadata__") {
      metadata_ = true;
      return true;
    }
    if (!names_.insert(name_).second) {
      return fail(concat("tensor \"", shortened(name_), "\" stands twice in the header"));
    }
    entries.push_back({name_, {}, {}, 0, 0});
    seen_ = 0;
    return true;
  }
  return wrong("an object");
}

QWEN35_BODY bool SafetensorsHeader::key(std::string_view key) {
  if (depth_ == 1) {
    name_.assign(key);
    return true;
  }
  if (metadata_) {
    return true;
  }
  field_ = key == "dtype"          ? Field::dtype
           : key == "shape"        ? Field::shape
           : key == "data_offsets" ? Field::offsets
                                   : Field::none;
  if (field_ == Field::none) {
    return fail(concat("tensor \"", shortened(name_), "\": unknown entry \"", shortened(key), "\""));
  }
  const unsigned bit = 1u << static_cast<unsigned>(field_);
  if ((seen_ & bit) != 0) {
    return fail(concat("tensor \"", shortened(name_), "\": entry \"", key, "\" stands twice"));
  }
  seen_ |= bit;
  return true;
}

QWEN35_BODY bool SafetensorsHeader::end_object() {
  --depth_;
  if (depth_ == 1) {
    if (!metadata_ && seen_ != 7) {
      return fail(concat("tensor \"", shortened(name_), "\": expected dtype, shape and data_offsets"));
    }
    metadata_ = false;
  }
  return true;
}

QWEN35_BODY bool SafetensorsHeader::begin_array() {
  if (metadata_) {
    return true;
  }
  if (depth_ != 2 || in_array_ || (field_ != Field::shape && field_ != Field::offsets)) {
    return wrong("an array");
  }
  in_array_ = true;
  offsets_ = 0;
  return true;
}

QWEN35_BODY bool SafetensorsHeader::end_array() {
  if (metadata_) {
    return true;
  }
  in_array_ = false;
  return field_ != Field::offsets || offsets_ == 2 ||
         fail(concat("tensor \"", shortened(name_), "\": data_offsets must be two numbers"));
}

QWEN35_BODY bool SafetensorsHeader::fail(std::string why) {
  problem = std::move(why);
  return false;
}

QWEN35_BODY bool SafetensorsHeader::wrong(std::string_view what) {
  return fail(depth_ == 0 ? concat("the header is ", what, ", expected an object")
                          : concat("entry \"", shortened(name_), "\": unexpected ", what));
}

QWEN35_BODY bool SafetensorsHeader::whole(std::uint64_t value) {
  if (metadata_) {
    return true;
  }
  if (depth_ != 2 || !in_array_) {
    return wrong("a number");
  }
  if (value > SIZE_MAX) {
    return fail(concat("tensor \"", shortened(name_), "\": ", value, " is more than this system can address"));
  }
  if (field_ == Field::shape) {
    if (entries.back().shape.size() == 8) {
      return fail(concat("tensor \"", shortened(name_), "\": more than 8 axes"));
    }
    entries.back().shape.push_back(static_cast<std::size_t>(value));
    return true;
  }
  if (offsets_ >= 2) {
    return fail(concat("tensor \"", shortened(name_), "\": data_offsets must be two numbers"));
  }
  (offsets_++ == 0 ? entries.back().begin : entries.back().end) = static_cast<std::size_t>(value);
  return true;
}

// What the tensors take where the header is sound: one behind the other without holes. Else 0.
QWEN35_BODY std::size_t described_bytes(std::span<const SafetensorsHeader::Entry> entries) {
  std::size_t sum = 0, last = 0;
  for (const SafetensorsHeader::Entry& entry : entries) {
    const std::size_t bits = safetensors_bits(entry.dtype);
    const std::optional<std::size_t> bytes = bits == 0 ? std::nullopt : tensor_bytes(entry.shape, bits);
    if (!bytes || entry.begin > entry.end || entry.end - entry.begin != *bytes) {
      return 0;
    }
    last = std::max(last, entry.end);
    sum += entry.end - entry.begin;
  }
  return sum == last ? sum : 0;
}

}  // namespace detail

QWEN35_LAZY_BODY
std::vector<TensorInfo> read_safetensors(std::span<const std::byte> file, const std::string& source) {
  constexpr std::size_t header_limit = 100'000'000;  // the format's own limit
  if (!holds<CheckpointError>(file.size() >= 8, source, ": ", file.size(),
                              " bytes, too short for a safetensors file: its download is incomplete")) {
    return {};
  }
  constexpr std::string_view pointer = "version https://git-lfs";
  if (!holds<CheckpointError>(
          file.size() < pointer.size() || std::memcmp(file.data(), pointer.data(), pointer.size()) != 0, source,
          ": a pointer of Git LFS in the place of the weights: \"git lfs pull\" gets them")) {
    return {};
  }
  std::uint64_t header_size = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    header_size |= static_cast<std::uint64_t>(file[i]) << (8 * i);
  }
  if (!holds<CheckpointError>(header_size <= header_limit, source, ": no safetensors file: its header would have ",
                              header_size, " bytes, the format allows ", header_limit) ||
      !holds<CheckpointError>(header_size <= file.size() - 8, source, ": ", file.size(),
                              " bytes, its header alone has ", header_size,
                              ": the file is cut, its download is incomplete")) {
    return {};
  }
  detail::SafetensorsHeader header;
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + 8, static_cast<std::size_t>(header_size));
  const json::ReadResult result = json::try_read(text, header);
  if (!holds<CheckpointError>(result.ok, source,
                              ": bad safetensors header: ", header.problem.empty() ? result.problem : header.problem)) {
    return {};
  }

  const std::span<const std::byte> data = file.subspan(8 + static_cast<std::size_t>(header_size));
  const std::size_t described = detail::described_bytes(header.entries);
  if (!holds<CheckpointError>(described <= data.size(), source, ": ", file.size(), " bytes, its header describes ",
                              described + (file.size() - data.size()),
                              ": the file is cut, its download is incomplete")) {
    return {};
  }
  ProblemList problems;
  const auto complain = [&](std::string_view name, std::string_view what) { problems.add(shortened(name), what); };
  std::vector<TensorInfo> tensors;
  tensors.reserve(header.entries.size());
  std::vector<std::array<std::size_t, 3>>
      order;  // begin, end, index: an empty tensor comes before the one that starts where it does
  for (detail::SafetensorsHeader::Entry& entry : header.entries) {
    const std::size_t bits = safetensors_bits(entry.dtype);
    const std::optional<std::size_t> expected = bits == 0 ? std::nullopt : tensor_bytes(entry.shape, bits);
    if (bits == 0) {
      complain(entry.name, concat("unknown dtype \"", shortened(entry.dtype), "\""));
    } else if (!expected) {
      complain(entry.name, "shape " + shape_text(entry.shape) + " of " + entry.dtype +
                               " is too large, or no whole number of bytes");
    } else if (entry.begin > entry.end || entry.end > data.size()) {
      complain(entry.name, concat("bytes ", entry.begin, " to ", entry.end, " of ", data.size(), " do not exist"));
    } else if (entry.end - entry.begin != *expected) {
      complain(entry.name, concat("shape ", shape_text(entry.shape), " of ", entry.dtype, " takes ", *expected,
                                  " bytes, the file gives it ", entry.end - entry.begin));
    } else {
      order.push_back({entry.begin, entry.end, tensors.size()});
      tensors.push_back({std::move(entry.name), std::move(entry.dtype), std::move(entry.shape),
                         data.subspan(entry.begin, *expected), source});
    }
  }
  // Overlaps are certain; holes only where every tensor could be placed.
  const bool complete = problems.count() == 0;
  std::sort(order.begin(), order.end());
  std::size_t covered = 0;
  for (const auto& [begin, end, index] : order) {
    if (begin < covered) {
      complain(tensors[index].name,
               concat("bytes ", begin, " to ", end, " overlap the tensor before, which ends at ", covered));
    } else if (begin > covered && complete) {
      complain(tensors[index].name, concat("starts at byte ", begin, ", after a hole that starts at ", covered));
    }
    covered = std::max(covered, end);
  }
  if (covered != data.size() && complete) {
    complain("the file", concat("has ", data.size() - covered, " bytes after the last tensor"));
  }
  if (!holds<CheckpointError>(problems.count() == 0, source, ": damaged safetensors file:", problems.text())) {
    return {};
  }
  return tensors;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
