// SPDX-License-Identifier: Apache-2.0
#include <isa_mix/mixed.hpp>

#include <doctest/doctest.h>

namespace {

void check(const Sight& sight) {
  CHECK(sight.error_caught);
  const float expected[6] = {15, -1, 10, 8, -4, 4};
  for (int i = 0; i < 6; ++i) {
    CHECK(sight.product[i] == expected[i]);
  }
  CHECK(sight.silu == doctest::Approx(0.7310585786).epsilon(1e-6));
  CHECK(sight.sum == 90);
}

}  // namespace

TEST_CASE("a plain and a -mavx2 file of one program each run their own code") {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    MESSAGE("this CPU has no AVX2: nothing to see");
    return;
  }
  const Sight plain = seen_by_plain();
  const Sight avx2 = seen_by_avx2();
  INFO("plain: " << plain.abi << " " << plain.isa << ", avx2: " << avx2.abi << " " << avx2.isa);
  CHECK(plain.abi != avx2.abi);
  CHECK(plain.abi.find("base") != std::string::npos);
  CHECK(avx2.abi.find("avx2") != std::string::npos);
  // Both have the CPU's best kernels: run-time dispatch in the one, at least its own flags in the other.
  CHECK(plain.isa != "scalar");
  CHECK((plain.isa == "avx2" || plain.isa == "avx512"));
  CHECK((avx2.isa == "avx2" || avx2.isa == "avx512"));
  check(plain);
  check(avx2);
}
