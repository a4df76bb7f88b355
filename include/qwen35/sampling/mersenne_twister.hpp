// SPDX-License-Identifier: Apache-2.0
// The generator and the permutations of PyTorch on the CPU, which the watermark's lists of tokens come from.
#pragma once

#include <qwen35/core/abi.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#if QWEN35_BODIES
#include <numeric>
#endif

QWEN35_BEGIN_NAMESPACE

// MT19937. Source: Matsumoto, Nishimura, "Mersenne Twister", 1998. Not <random>'s: that header costs every file 0.3 s.
class MersenneTwister {
 public:
  explicit MersenneTwister(std::uint32_t seed);
  std::uint32_t operator()();

 private:
  static constexpr std::size_t size = 624;
  static constexpr std::size_t shift = 397;

  void refill();

  std::array<std::uint32_t, size> state_;
  std::size_t next_ = size;
};

// The first `count` entries of the reference's randperm(n), n < 2^27, at the front of `out` (reused memory).
void random_permutation(MersenneTwister random, std::size_t n, std::size_t count, std::vector<std::int32_t>& out);

#if QWEN35_BODIES

QWEN35_BODY MersenneTwister::MersenneTwister(std::uint32_t seed) {
  state_[0] = seed;
  for (std::uint32_t i = 1; i < size; ++i) {
    state_[i] = 1812433253u * (state_[i - 1] ^ (state_[i - 1] >> 30)) + i;
  }
}

QWEN35_BODY std::uint32_t MersenneTwister::operator()() {
  if (next_ == size) {
    refill();
  }
  std::uint32_t y = state_[next_++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9D2C5680u;
  y ^= (y << 15) & 0xEFC60000u;
  return y ^ (y >> 18);
}

QWEN35_BODY void MersenneTwister::refill() {
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint32_t y = (state_[i] & 0x80000000u) | (state_[(i + 1) % size] & 0x7FFFFFFFu);
    state_[i] = state_[(i + shift) % size] ^ (y >> 1) ^ ((y & 1) != 0 ? 0x9908B0DFu : 0u);
  }
  next_ = 0;
}

QWEN35_BODY void random_permutation(MersenneTwister random, std::size_t n, std::size_t count,
                                    std::vector<std::int32_t>& out) {
  out.resize(n);
  std::iota(out.begin(), out.end(), 0);
  for (std::size_t i = 0; i < count && i + 1 < n; ++i) {
    std::swap(out[i], out[i + random() % (n - i)]);
  }
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
