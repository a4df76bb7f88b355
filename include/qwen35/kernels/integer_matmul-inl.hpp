// SPDX-License-Identifier: Apache-2.0
// Products of rows of blocks with activations in 8 bits, and those activations. The order of each sum is given in
// tasks.hpp; every path keeps it, so that all instruction sets give the same bits.
#include <qwen35/formats/unpack.hpp>
#include <qwen35/kernels/formats/integer_k_blocks-inl.hpp>
#include <qwen35/kernels/formats/integer_q_blocks-inl.hpp>
#include <qwen35/kernels/integer_panels-inl.hpp>
#include <qwen35/kernels/integer_streams-inl.hpp>

// Formats with a reader of their own, each of which takes a second or two to compile, and those of grids, which are
// unpacked with vectors. In programs that have the kernels inline only the most used ones have a reader; the others are
// unpacked by their definitions, to the same bits.
#undef QWEN35_INTEGER_READERS
#undef QWEN35_INTEGER_GRIDS
#define QWEN35_COMMON_READERS(X) X(q8_0) X(q4_0) X(q4_k) X(q6_k)
#if defined(QWEN35_KERNELS_SOURCE)
#include <qwen35/kernels/formats/integer_groups-inl.hpp>
#include <qwen35/kernels/formats/integer_tables-inl.hpp>
#if HWY_ARCH_X86
#define QWEN35_INTEGER_GRIDS(X) X(iq3_xxs) X(iq3_s) X(iq2_xxs) X(iq2_xs) X(iq2_s) X(iq1_s) X(iq1_m)
#else
#define QWEN35_INTEGER_GRIDS(X)
#endif
#define QWEN35_FILE_READERS(X) X(q4_1) X(q5_0) X(q5_1) X(q2_k) X(q3_k) X(q5_k) X(iq4_nl) X(iq4_xs) X(mxfp4)
#define QWEN35_GROUP_READERS(X) X(i4_32) X(i4_64) X(i4_128) X(i8_32) X(i8_128) X(a4_32) X(a4_64) X(a8_32) X(a8_64)
#define QWEN35_INTEGER_READERS(X) QWEN35_COMMON_READERS(X) QWEN35_FILE_READERS(X) QWEN35_GROUP_READERS(X)
#else
#define QWEN35_INTEGER_READERS(X) QWEN35_COMMON_READERS(X)
#define QWEN35_INTEGER_GRIDS(X)
#endif

#if defined(QWEN35_KERNELS_INTEGER_MATMUL_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_INTEGER_MATMUL_INL_HPP
#undef QWEN35_KERNELS_INTEGER_MATMUL_INL_HPP
#else
#define QWEN35_KERNELS_INTEGER_MATMUL_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

#ifdef QWEN35_INTEGER_VECTORS

constexpr bool has_reader(Format format) {
#define QWEN35_FORMAT_IS(name) || format == Format::name
  return false QWEN35_INTEGER_READERS(QWEN35_FORMAT_IS) QWEN35_INTEGER_GRIDS(QWEN35_FORMAT_IS);
#undef QWEN35_FORMAT_IS
}

// Has this program a format without a reader whose groups are that long?
constexpr bool has_unpacked(std::size_t group) {
#define QWEN35_FORMAT_IS(name, ...) \
  || (has_integer_products(Format::name) && !has_reader(Format::name) && integer_group(Format::name) == group)
  return false QWEN35_LISTED_FORMATS(QWEN35_FORMAT_IS);
#undef QWEN35_FORMAT_IS
}

template <class Reader>
inline void integer_matmul_of(const IntegerMatmulTask& task, bool allow_amx) {
#if defined(QWEN35_KERNELS_SOURCE)
  if (task.tokens > 1 && task.tokens <= most_stream_tokens<Reader>(task.w.cols)) {
    integer_streams<Reader, false>(task);
    return;
  }
  constexpr bool has_stream = true;
#else
  constexpr bool has_stream = Reader::bytes != 0;  // unpacking takes longer than the rest in any case
#endif
  if constexpr (has_stream) {
    if (task.tokens == 1) {
      integer_streams<Reader, true>(task);
      return;
    }
  }
  integer_panels<Reader>(task, allow_amx);
}

inline void integer_matmul_rows(const IntegerMatmulTask& task, bool allow_amx) {
  switch (task.w.format) {
#define QWEN35_INTEGER_CASE(name)                                                                              \
  case Format::name:                                                                                           \
    if constexpr (is_available(Format::name)) integer_matmul_of<IntegerReader<Format::name>>(task, allow_amx); \
    return;
    QWEN35_INTEGER_READERS(QWEN35_INTEGER_CASE)
#undef QWEN35_INTEGER_CASE
#define QWEN35_INTEGER_CASE(name)                                                             \
  case Format::name:                                                                          \
    if constexpr (is_available(Format::name)) {                                               \
      integer_matmul_of<UnpackedReader<integer_group(Format::name), false>>(task, allow_amx); \
    }                                                                                         \
    return;
    QWEN35_INTEGER_GRIDS(QWEN35_INTEGER_CASE)
#undef QWEN35_INTEGER_CASE
    default:
      break;
  }
  const std::size_t group = integer_group(task.w.format);
  if constexpr (has_unpacked(32)) {
    if (group == 32) {
      integer_matmul_of<UnpackedReader<32, true>>(task, allow_amx);
    }
  }
  if constexpr (has_unpacked(16)) {
    if (group == 16) {
      integer_matmul_of<UnpackedReader<16, true>>(task, allow_amx);
    }
  }
}

#endif

#if !defined(QWEN35_INTEGER_VECTORS) || defined(QWEN35_ASKS_FOR_DOT)

// One row times up to `most` tokens, in plain code.
inline constexpr std::size_t plain_tokens = 16;
inline void integer_matmul_row(const IntegerMatmulTask& task, std::size_t row, std::size_t token, std::size_t tokens) {
  std::int8_t codes[quantized_values];
  float scales[16], offsets[16], sums[plain_tokens][16], totals[plain_tokens] = {};
  const std::size_t group = integer_group(task.w.format), count = quantized_values / group;
  const std::size_t blocks = quantized_blocks(task.w.cols), block_bytes = row_bytes(task.w.format, quantized_values);
  const UnpackBlocks unpack = unpack_function(task.w.format);
  for (std::size_t b = 0; b < blocks; ++b) {
    const std::size_t left = task.w.cols - b * quantized_values;
    const std::size_t values = left < quantized_values ? left : quantized_values;
    unpack(task.w.row(row) + b * block_bytes, values, {codes, scales, offsets});
    for (std::size_t t = 0; t < tokens; ++t) {
      const std::size_t own = token + t;
      const QuantizedBlock& x = task.x[(task.index == nullptr ? own : task.index[own]) * blocks + b];
      if (b % span_blocks == 0) {
        std::memset(sums[t], 0, sizeof(sums[t]));
      }
      for (std::size_t k = 0; k < values / group; ++k) {
        std::int32_t dot = 0;
        for (std::size_t i = k * group; i < (k + 1) * group; ++i) {
          dot += std::int32_t{codes[i]} * x.codes[i];
        }
        const std::size_t at = k * group / code_group;
        const float scale = scales[at] * (group == 32 ? x.scales[k] : x.scales16[k]);
        sums[t][k] = std::fma(static_cast<float>(dot), scale, sums[t][k]);
        if (offsets[at] != 0.0f) {  // (The sum of values beyond 1e37 may be infinite.)
          sums[t][k] = std::fma(offsets[at], group == 32 ? x.sums[k] : x.sums16[k], sums[t][k]);
        }
      }
      if (b % span_blocks == span_blocks - 1 || b + 1 == blocks) {
        float sum = sums[t][0];
        for (std::size_t k = 1; k < count; ++k) {
          sum += sums[t][k];
        }
        totals[t] += sum;
      }
    }
  }
  for (std::size_t t = 0; t < tokens; ++t) {
    task.y[(token + t) * task.y_stride + row] = task.bias == nullptr ? totals[t] : totals[t] + task.bias[row];
  }
}

inline void integer_matmul_plainly(const IntegerMatmulTask& task) {
  for (std::size_t row = task.row_begin; row < task.row_end; ++row) {
    for (std::size_t token = 0; token < task.tokens; token += plain_tokens) {
      const std::size_t left = task.tokens - token;
      integer_matmul_row(task, row, token, left < plain_tokens ? left : plain_tokens);
    }
  }
}

#endif

// By `multiply(task)`, unless there is nothing to multiply.
template <class Multiply>
inline void integer_matmul_by(const IntegerMatmulTask& task, const Multiply& multiply) {
  if (task.tokens == 0 || task.row_begin >= task.row_end) {
    return;
  }
  if (task.w.cols > 0) {
    multiply(task);
    return;
  }
  for (std::size_t token = 0; token < task.tokens; ++token) {
    for (std::size_t row = task.row_begin; row < task.row_end; ++row) {
      task.y[token * task.y_stride + row] = task.bias == nullptr ? 0.0f : task.bias[row];
    }
  }
}

#ifdef QWEN35_INTEGER_VECTORS
inline void integer_matmul_vectors(const IntegerMatmulTask& task) {
  integer_matmul_by(task, [](const IntegerMatmulTask& own) { integer_matmul_rows(own, false); });
}
#endif
#ifdef QWEN35_AMX_TILES
inline void integer_matmul_amx(const IntegerMatmulTask& task) {
  integer_matmul_by(task, [](const IntegerMatmulTask& own) { integer_matmul_rows(own, true); });
}
#endif
inline void integer_matmul(const IntegerMatmulTask& task) {
#if !defined(QWEN35_INTEGER_VECTORS) || defined(QWEN35_ASKS_FOR_DOT)
  integer_matmul_by(task, integer_matmul_plainly);
#else
  integer_matmul_vectors(task);
#endif
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
