// SPDX-License-Identifier: Apache-2.0
// The stored formats of matrices, keys and values: their list, and the facts that everything asks of it.
#pragma once

#include <qwen35/core/abi.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

// A format is a line here and a definition in formats/: name, then what FormatInfo says of it (values and bytes of a
// block, ...). Formats of single values, each with its vectors in kernels/formats/<name>-inl.hpp:
#define QWEN35_VALUE_FORMATS(X) \
  X(f32, 1, 4)                  \
  X(f16, 1, 2)                  \
  X(bf16, 1, 2)                 \
  X(f8_e4m3, 1, 1)

// Formats that store several consecutive values of a row together: those of GGUF, and those that the groups of other
// files become. They are read through one table of functions (formats/unpack.hpp), so that a program pays for each once
// and not in every kernel.
#define QWEN35_GGUF_FORMATS(X) \
  X(q8_0, 32, 34)              \
  X(q4_0, 32, 18)              \
  X(q4_1, 32, 20)              \
  X(q5_0, 32, 22)              \
  X(q5_1, 32, 24)              \
  X(q2_k, 256, 84)             \
  X(q3_k, 256, 110)            \
  X(q4_k, 256, 144)            \
  X(q5_k, 256, 176)            \
  X(q6_k, 256, 210)            \
  X(iq4_nl, 32, 18)            \
  X(iq4_xs, 256, 136)          \
  X(iq3_xxs, 256, 98)          \
  X(iq3_s, 256, 110)           \
  X(iq2_xxs, 256, 66)          \
  X(iq2_xs, 256, 74)           \
  X(iq2_s, 256, 82)            \
  X(iq1_s, 256, 50)            \
  X(iq1_m, 256, 56)            \
  X(mxfp4, 32, 17)

#define QWEN35_GROUP_FORMATS(X) \
  X(i4_32, 32, 20)              \
  X(i4_64, 64, 36)              \
  X(i4_128, 128, 68)            \
  X(i8_32, 32, 36)              \
  X(i8_128, 128, 132)           \
  X(i4_32_f32, 32, 21)          \
  X(i8_32_f32, 32, 36)          \
  X(i4_16, 16, 8)               \
  X(i8_16, 16, 16)

// Those of MLX's folders, and of NVFP4.
#define QWEN35_OTHER_FORMATS(X) \
  X(a4_32, 32, 21)              \
  X(a4_64, 64, 37)              \
  X(a8_32, 32, 37)              \
  X(a8_64, 64, 69)              \
  X(nvfp4_64, 64, 40)

#define QWEN35_BLOCK_FORMATS(X) \
  QWEN35_GGUF_FORMATS(X)        \
  QWEN35_GROUP_FORMATS(X)       \
  QWEN35_OTHER_FORMATS(X)

#define QWEN35_ALL_FORMATS(X) \
  QWEN35_VALUE_FORMATS(X)     \
  QWEN35_BLOCK_FORMATS(X)

// The formats whose code a program holds. It may list fewer: -D'QWEN35_FORMATS(X)=X(f32) X(bf16)'. Meeting one that was
// left out is an error. Give the same list to all files that share our types. f32 cannot be left out.
#if defined(QWEN35_FORMATS)
#define QWEN35_LISTED_FORMATS QWEN35_FORMATS
#else
#define QWEN35_LISTED_FORMATS QWEN35_ALL_FORMATS
#endif

QWEN35_BEGIN_NAMESPACE

// A run-time tag: files mix formats tensor by tensor.
enum class Format : std::uint8_t {
#define QWEN35_FORMAT_NAME(name, ...) name,
  QWEN35_ALL_FORMATS(QWEN35_FORMAT_NAME)
#undef QWEN35_FORMAT_NAME
};

struct FormatInfo {
  std::string_view name;
  std::size_t block_values = 1;   // consecutive values of a row that are stored together
  std::size_t block_bytes = 0;    // what they take
  std::size_t rows_together = 1;  // rows whose blocks alternate: a matrix is cut only at multiples of it
};

inline constexpr FormatInfo format_infos[] = {
#define QWEN35_FORMAT_INFO(name, ...) {#name, __VA_ARGS__},
    QWEN35_ALL_FORMATS(QWEN35_FORMAT_INFO)
#undef QWEN35_FORMAT_INFO
};

inline constexpr std::size_t format_count = sizeof(format_infos) / sizeof(format_infos[0]);

// Of a format that exists: a number from outside is checked against format_count before it becomes a Format.
constexpr const FormatInfo& format_info(Format format) {
  return format_infos[static_cast<std::size_t>(format)];
}

constexpr std::string_view name(Format format) {
  return static_cast<std::size_t>(format) < format_count ? format_info(format).name : std::string_view("?");
}

// Bytes of `count` consecutive values of a row, a multiple of block_values.
constexpr std::size_t row_bytes(Format format, std::size_t count) {
  return count / format_info(format).block_values * format_info(format).block_bytes;
}

// Where a row may begin: single values at multiples of their size; blocks of several anywhere, they are read as bytes.
constexpr std::size_t alignment(Format format) {
  return format_info(format).block_values == 1 ? format_info(format).block_bytes : 1;
}

// What formats/ defines of a format:
//   Block                                               block_values stored values
//   static void decode(const Block&, float* values)     exactly, or what the format's own definition computes
//   static void encode(const float* values, Block&)     if this library writes it
template <Format>
struct StoredAs;

QWEN35_END_NAMESPACE
