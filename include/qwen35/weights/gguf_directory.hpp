// SPDX-License-Identifier: Apache-2.0
// The directory of a GGUF file: the tensors' names, shapes and types, and where their bytes are.
#pragma once

#include <qwen35/weights/gguf_cursor.hpp>
#include <qwen35/weights/tensor_info.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/core/name_list.hpp>
#include <qwen35/weights/problem_list.hpp>

#include <map>
#endif

QWEN35_BEGIN_NAMESPACE

// The types of tensors by their number in the file. Numbers that are missing have never been in a file, or were removed
// from the format.
struct GgufTensorType {
  std::uint32_t number;
  std::string_view name;
};
inline constexpr GgufTensorType gguf_tensor_types[] = {
    {0, "F32"},      {1, "F16"},       {2, "Q4_0"},      {3, "Q4_1"},      {6, "Q5_0"},    {7, "Q5_1"},   {8, "Q8_0"},
    {9, "Q8_1"},     {10, "Q2_K"},     {11, "Q3_K"},     {12, "Q4_K"},     {13, "Q5_K"},   {14, "Q6_K"},  {15, "Q8_K"},
    {16, "IQ2_XXS"}, {17, "IQ2_XS"},   {18, "IQ3_XXS"},  {19, "IQ1_S"},    {20, "IQ4_NL"}, {21, "IQ3_S"}, {22, "IQ2_S"},
    {23, "IQ4_XS"},  {24, "I8"},       {25, "I16"},      {26, "I32"},      {27, "I64"},    {28, "F64"},   {29, "IQ1_M"},
    {30, "BF16"},    {31, "Q4_0_4_4"}, {32, "Q4_0_4_8"}, {33, "Q4_0_8_8"}, {34, "TQ1_0"},  {35, "TQ2_0"}, {39, "MXFP4"},
    {40, "NVFP4"},   {41, "Q1_0"},     {42, "Q2_0"}};

std::string gguf_tensor_type_name(std::uint32_t number);

// A format of this library by the file's name for it, whether this program holds it or not.
std::optional<Format> gguf_format(std::string_view name);

// An entry of the directory; its bytes are found when all entries are read.
struct GgufEntry {
  TensorInfo tensor;
  std::uint64_t offset = 0;
  std::optional<Format> format;
};

GgufEntry read_gguf_entry(GgufCursor& cursor);

// Bytes of a tensor; nothing when they are more than can be addressed.
std::optional<std::size_t> gguf_tensor_bytes(std::span<const std::size_t> shape, const FormatInfo& format);

// Gives each entry its bytes of the file, whose data begin at byte `data_begin`, or says in one error which cannot have
// them.
void place_gguf_tensors(std::vector<GgufEntry>& entries, std::span<const std::byte> file, std::size_t data_begin,
                        std::size_t alignment, const std::string& source);

#if QWEN35_BODIES

QWEN35_BODY std::string gguf_tensor_type_name(std::uint32_t number) {
  for (const GgufTensorType& type : gguf_tensor_types) {
    if (type.number == number) {
      return std::string(type.name);
    }
  }
  return concat("type ", number);
}

QWEN35_BODY std::optional<Format> gguf_format(std::string_view name) {
  for (std::size_t i = 0; i < format_count; ++i) {
    if (dtype_name(static_cast<Format>(i)) == name) {
      return static_cast<Format>(i);
    }
  }
  return std::nullopt;
}

QWEN35_BODY GgufEntry read_gguf_entry(GgufCursor& cursor) {
  constexpr std::size_t longest_name = 1023, most_axes = 4;
  GgufEntry out;
  out.tensor.name = cursor.text(longest_name, "the name of a tensor");
  if (!cursor.expect(!out.tensor.name.empty(), "a tensor without a name")) {
    return out;
  }
  const auto axes = cursor.number<std::uint32_t>("the number of axes of a tensor");
  if (!cursor.expect(axes >= 1 && axes <= most_axes, "tensor \"", shortened(out.tensor.name), "\": ", axes,
                     " axes, expected 1 to ", most_axes)) {
    return out;
  }
  for (std::uint32_t i = 0; i < axes; ++i) {
    const auto extent = cursor.number<std::uint64_t>("the shape of a tensor");
    if (!cursor.expect(extent > 0 && extent <= SIZE_MAX, "tensor \"", shortened(out.tensor.name),
                       "\": an axis of length ", extent)) {
      return out;
    }
    out.tensor.shape.insert(out.tensor.shape.begin(), static_cast<std::size_t>(extent));
  }
  out.tensor.dtype = gguf_tensor_type_name(cursor.number<std::uint32_t>("the type of a tensor"));
  out.format = gguf_format(out.tensor.dtype);
  out.offset = cursor.number<std::uint64_t>("the place of a tensor");
  return out;
}

QWEN35_BODY std::optional<std::size_t> gguf_tensor_bytes(std::span<const std::size_t> shape, const FormatInfo& format) {
  std::size_t total = shape.back() / format.block_values;
  if (total > SIZE_MAX / format.block_bytes) {
    return std::nullopt;
  }
  total *= format.block_bytes;
  for (const std::size_t extent : shape.first(shape.size() - 1)) {
    if (total > SIZE_MAX / extent) {
      return std::nullopt;
    }
    total *= extent;
  }
  return total;
}

QWEN35_BODY void place_gguf_tensors(std::vector<GgufEntry>& entries, std::span<const std::byte> file,
                                    std::size_t data_begin, std::size_t alignment, const std::string& source) {
  const std::span<const std::byte> data = file.subspan(data_begin);
  std::map<std::string_view, NameList> unknown;  // by type
  std::uint64_t described = 0;                   // where the last of those that are cut off would end in the file
  std::size_t cut_off = 0;
  ProblemList problems;
  const auto complain = [&](const TensorInfo& tensor, std::string_view what) {
    problems.add(shortened(tensor.name), what);
  };
  std::vector<std::array<std::size_t, 3>> order;  // begin, end, index
  for (std::size_t i = 0; i < entries.size(); ++i) {
    TensorInfo& tensor = entries[i].tensor;
    const std::uint64_t offset = entries[i].offset;
    if (!entries[i].format) {
      unknown[tensor.dtype].add(tensor.name);
      continue;
    }
    const FormatInfo& format = format_info(*entries[i].format);
    const std::optional<std::size_t> bytes = gguf_tensor_bytes(tensor.shape, format);
    if (tensor.shape.back() % format.block_values != 0) {
      complain(tensor, concat("rows of ", tensor.shape.back(), " values are no whole blocks of ", tensor.dtype,
                              ", which has ", format.block_values));
    } else if (!bytes) {
      complain(tensor, "shape " + shape_text(tensor.shape) + " of " + tensor.dtype + " is too large");
    } else if (offset % alignment != 0) {
      complain(tensor, concat("begins at byte ", offset, ", no multiple of the alignment ", alignment));
    } else if (offset > data.size() || *bytes > data.size() - offset) {
      const std::uint64_t first = data_begin + offset;  // either sum may be too large for a number
      described = std::max(described, first < offset || first + *bytes < first ? UINT64_MAX : first + *bytes);
      ++cut_off;
    } else {
      const auto first = static_cast<std::size_t>(offset);
      tensor.bytes = data.subspan(first, *bytes);
      tensor.file = source;
      order.push_back({first, first + *bytes, i});
    }
  }
  std::sort(order.begin(), order.end());
  std::size_t covered = 0;
  for (const auto& [begin, end, index] : order) {
    if (begin < covered) {
      complain(entries[index].tensor,
               concat("bytes ", begin, " to ", end, " overlap the tensor before, which ends at ", covered));
    }
    covered = std::max(covered, end);
  }
  for (const auto& [type, names] : unknown) {
    problems.add(names.text(", ", 3), concat("the type ", type, " is none of this library: make the file anew, as ",
                                             "BF16, Q8_0, Q4_K_M or the like"));
  }
  if (cut_off > 0 && problems.count() == 0) {
    decline<CheckpointError>(concat(source, ": ", file.size(), " bytes, its directory describes ", described,
                                    ": the file is cut, its download is incomplete, or it is damaged"));
  } else if (cut_off > 0) {
    problems.add(concat(cut_off, " of ", entries.size(), " tensors"),
                 "would be behind the end of the file, which is cut or damaged");
  }
  if (problems.count() > 0) {
    decline<CheckpointError>(concat(source, ": the tensors of this GGUF file cannot be used:", problems.text()));
  }
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
