// SPDX-License-Identifier: Apache-2.0
// Seeds of draws that nobody gave one for.
#pragma once

#include <qwen35/sampling/counter_rng.hpp>

#if QWEN35_BODIES
#include <qwen35/io/entropy.hpp>
#endif

QWEN35_BEGIN_NAMESPACE

// From the system's entropy: another one with each call.
std::uint64_t random_seed();

// The seed of a further attempt at an answer that `seed` began; of attempt 0 it is `seed`.
constexpr std::uint64_t seed_of_attempt(std::uint64_t seed, std::uint32_t attempt) {
  if (attempt == 0) {
    return seed;
  }
  const auto words =
      philox4x32({attempt, 0x5EEDu, 0, 0}, {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  return std::uint64_t{words[0]} << 32 | words[1];
}

#if QWEN35_BODIES

QWEN35_BODY std::uint64_t random_seed() {
  return random_bits();
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
