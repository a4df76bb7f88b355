// SPDX-License-Identifier: Apache-2.0
// Shared by the kernel tests: every instruction set of this machine in turn, random values, stored matrices at odd
// addresses.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/formats/formats.hpp>
#include <qwen35/formats/unpack.hpp>
#include <qwen35/kernels/kernels.hpp>
#include <qwen35/kernels/matmul_blocks.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace kernel_test {

// Runs `body` under each instruction set that was compiled and that the CPU has.
template <class F>
void for_each_isa(const F& body) {
  for (const std::string_view name : qwen35::isa_names()) {
    qwen35::set_isa(name);
    const std::string isa(name);
    CAPTURE(isa);
    body();
  }
  qwen35::set_isa("");
}

// Whether an instruction set is AVX-512 of a processor that has no VNNI: its products of bytes are AVX2's.
inline bool without_vnni([[maybe_unused]] std::string_view isa) {
#if defined(__x86_64__)
  return isa == "avx512" && !__builtin_cpu_supports("avx512vnni");
#else
  return false;
#endif
}

inline std::vector<float> random_values(std::size_t count, unsigned seed, float scale = 1.0f) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> distribution(-scale, scale);
  std::vector<float> values(count);
  for (float& value : values) {
    value = distribution(engine);
  }
  return values;
}

// Values in a stored format, at an address that is `offset` bytes past an aligned one; and what they decode to.
struct Stored {
  std::vector<std::byte> bytes;
  std::vector<float> values;
  std::size_t offset = 0;
  qwen35::Format format = qwen35::Format::f32;

  Stored(qwen35::Format stored, const std::vector<float>& source, std::size_t byte_offset)
      : bytes(byte_offset + qwen35::row_bytes(stored, source.size())),
        values(source),
        offset(byte_offset),
        format(stored) {
    const auto fill = [this]<qwen35::Format F>(qwen35::StoredAs<F>) {
      for (std::size_t i = 0; i < values.size(); i += qwen35::format_info(F).block_values) {
        typename qwen35::StoredAs<F>::Block block;
        qwen35::StoredAs<F>::encode(&values[i], block);
        qwen35::StoredAs<F>::decode(block, &values[i]);
        std::memcpy(bytes.data() + offset + qwen35::row_bytes(F, i), &block, sizeof(block));
      }
    };
    if (format == qwen35::Format::q8_0) {
      fill(qwen35::StoredAs<qwen35::Format::q8_0>{});
    } else {
      qwen35::visit(format, fill);
    }
  }
  const std::byte* data() const { return bytes.data() + offset; }
};

// Random blocks of a block format whose values are finite and not huge, and what they decode to.
inline Stored random_blocks(qwen35::Format format, std::size_t count, unsigned seed, std::size_t byte_offset) {
  const qwen35::FormatInfo& info = qwen35::format_info(format);
  Stored out(qwen35::Format::f32, std::vector<float>(count), 0);
  out.format = format;
  out.offset = byte_offset;
  out.bytes.assign(byte_offset + qwen35::row_bytes(format, count), std::byte{0});
  std::mt19937 engine(seed);
  std::int8_t codes[qwen35::most_block_values];
  float scales[qwen35::most_block_values / qwen35::code_group], offsets[std::size(scales)];
  for (std::size_t i = 0; i < count; i += info.block_values) {
    std::byte* const block = out.bytes.data() + byte_offset + qwen35::row_bytes(format, i);
    for (bool good = false; !good;) {
      for (std::size_t b = 0; b < info.block_bytes; ++b) {
        block[b] = static_cast<std::byte>(engine() >> 24);
      }
      qwen35::unpack_function(format)(block, info.block_values, {codes, scales, offsets});
      good = true;
      for (std::size_t j = 0; j < info.block_values; ++j) {
        float& value = out.values[i + j];
        value = scales[j / qwen35::code_group] * static_cast<float>(codes[j]) + offsets[j / qwen35::code_group];
        good = good && std::abs(value) < 1000.0f;  // not so for a NaN
      }
    }
  }
  return out;
}

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

// Relative L2 distance of `a` from the double-precision truth.
inline double distance(const std::vector<float>& a, const std::vector<double>& truth) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    difference += (static_cast<double>(a[i]) - truth[i]) * (static_cast<double>(a[i]) - truth[i]);
    size += truth[i] * truth[i];
  }
  return std::sqrt(difference / (size > 0 ? size : 1));
}

// Formats of single values.
inline constexpr qwen35::Format formats[] = {
#define QWEN35_TEST_FORMAT(name, ...) qwen35::Format::name,
    QWEN35_VALUE_FORMATS(QWEN35_TEST_FORMAT)
#undef QWEN35_TEST_FORMAT
};

inline constexpr qwen35::Format block_formats[] = {
#define QWEN35_TEST_FORMAT(name, ...) qwen35::Format::name,
    QWEN35_BLOCK_FORMATS(QWEN35_TEST_FORMAT)
#undef QWEN35_TEST_FORMAT
};

}  // namespace kernel_test
