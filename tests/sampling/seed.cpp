// SPDX-License-Identifier: Apache-2.0
#include <qwen35/sampling/seed.hpp>

#include <doctest/doctest.h>

#include <set>

using namespace qwen35;

TEST_CASE("seeds of the system differ, and use all their bits") {
  std::set<std::uint64_t> seen;
  std::uint64_t ones = 0, zeros = 0;
  for (int i = 0; i < 64; ++i) {
    const std::uint64_t seed = random_seed();
    seen.insert(seed);
    ones |= seed;
    zeros |= ~seed;
  }
  CHECK(seen.size() == 64);
  CHECK(ones == UINT64_MAX);
  CHECK(zeros == UINT64_MAX);
}

TEST_CASE("attempts have seeds of their own, the first the seed itself") {
  std::set<std::uint64_t> seen;
  for (std::uint32_t attempt = 0; attempt < 1000; ++attempt) {
    seen.insert(seed_of_attempt(5, attempt));
    seen.insert(seed_of_attempt(6, attempt));
  }
  CHECK(seen.size() == 2000);
  CHECK(seed_of_attempt(5, 0) == 5);
}
