// SPDX-License-Identifier: Apache-2.0
// Shared by the kernel tests: every instruction set of this machine in turn, random values, stored matrices at odd
// addresses.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/kernels/kernels.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
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
  qwen35::DType dtype = qwen35::DType::f32;

  Stored(qwen35::DType format, const std::vector<float>& source, std::size_t byte_offset)
      : bytes(byte_offset + qwen35::row_bytes(format, source.size())),
        values(source),
        offset(byte_offset),
        dtype(format) {
    for (std::size_t i = 0; i < source.size(); ++i) {
      std::byte* const to = bytes.data() + offset + qwen35::row_bytes(format, i);
      if (format == qwen35::DType::f32) {
        std::memcpy(to, &source[i], 4);
        continue;
      }
      const std::uint16_t bits =
          format == qwen35::DType::f16 ? qwen35::f32_to_f16(source[i]) : qwen35::f32_to_bf16(source[i]);
      values[i] = format == qwen35::DType::f16 ? qwen35::f16_to_f32(bits) : qwen35::bf16_to_f32(bits);
      std::memcpy(to, &bits, 2);
    }
  }
  const std::byte* data() const { return bytes.data() + offset; }
};

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

inline constexpr qwen35::DType formats[] = {qwen35::DType::f32, qwen35::DType::f16, qwen35::DType::bf16};

}  // namespace kernel_test
