// SPDX-License-Identifier: Apache-2.0
#include <qwen35/io/entropy.hpp>

#include <doctest/doctest.h>

#include <set>

TEST_CASE("bits differ from call to call, and each of them is set now and then") {
  std::set<std::uint64_t> seen;
  std::uint64_t any = 0, all = ~std::uint64_t{0};
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t bits = qwen35::random_bits();
    seen.insert(bits);
    any |= bits;
    all &= bits;
  }
  CHECK(seen.size() == 200);
  CHECK(any == ~std::uint64_t{0});
  CHECK(all == 0);
}
