// SPDX-License-Identifier: Apache-2.0
// Bits that nobody can know before, from the operating system. (std::random_device would bring in all of <random>.)
#pragma once

#include <qwen35/io/file_handle.hpp>

#include <cstdint>

#if !QWEN35_HAS_POSIX
#include <random>
#endif

QWEN35_BEGIN_NAMESPACE

// Raises Error when the system has none.
std::uint64_t random_bits();

#if QWEN35_BODIES

QWEN35_BODY std::uint64_t random_bits() {
#if QWEN35_HAS_POSIX
  std::uint64_t bits = 0;
  require(::getentropy(&bits, sizeof(bits)) == 0, "the system gives no random numbers");
  return bits;
#else
  std::random_device entropy;
  const std::uint64_t high = entropy();
  return high << 32 | entropy();
#endif
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
