// SPDX-License-Identifier: Apache-2.0
#include "kernel_test.hpp"

#include <qwen35/kernels/quantized_rows.hpp>

#include <cstdlib>

using namespace qwen35;
using namespace kernel_test;

TEST_CASE("the best instruction set runs unless another is asked for") {
  const auto found = kernels::detail::candidates();
  REQUIRE(found.count >= 1);
  set_isa("");
  CHECK(isa_name() == found.tables[0]->isa);
  REQUIRE(isa_names().count == found.count);
  for (std::size_t i = 0; i < found.count; ++i) {
    CHECK(isa_names().names[i] == found.tables[i]->isa);
    set_isa(found.tables[i]->isa);
    CHECK(isa_name() == found.tables[i]->isa);
  }
  set_isa("");
  CHECK_THROWS_AS(set_isa("avx9000"), InputError);
  try {
    set_isa("avx9000");
  } catch (const InputError& error) {
    CHECK(std::string(error.what()).find("avx9000") != std::string::npos);
    CHECK(std::string(error.what()).find(found.tables[0]->isa) != std::string::npos);
  }
  CHECK(isa_name() == found.tables[0]->isa);
}

TEST_CASE("a set that the environment names has to be here") {
  ::setenv("QWEN35_ISA", "avx9000", 1);
  CHECK_THROWS_WITH_AS(require_isa_of_environment(),
                       doctest::Contains("QWEN35_ISA: no kernels for \"avx9000\" here, expected one of: "), InputError);
  for (const std::string_view name : isa_names()) {
    ::setenv("QWEN35_ISA", std::string(name).c_str(), 1);
    CHECK_NOTHROW(require_isa_of_environment());
  }
  ::setenv("QWEN35_ISA", "", 1);
  CHECK_NOTHROW(require_isa_of_environment());
  ::unsetenv("QWEN35_ISA");
  CHECK_NOTHROW(require_isa_of_environment());
}

TEST_CASE("every kernel is in every table") {
  const auto found = kernels::detail::candidates();
  for (std::size_t i = 0; i < found.count; ++i) {
    const kernels::KernelTable& table = *found.tables[i];
#define QWEN35_CHECK_KERNEL(name, Task) CHECK((table.name != nullptr));
    QWEN35_KERNELS(QWEN35_CHECK_KERNEL)
#undef QWEN35_CHECK_KERNEL
    for (std::size_t j = 0; j < i; ++j) {  // each its own code, not one shared body
      CHECK((table.isa != found.tables[j]->isa));
      if (found.tables[j]->isa.starts_with(table.isa)) {
        continue;  // "neon-dotprod" has what "neon" has, but for products of bytes
      }
      const bool shares_products = kernel_test::without_vnni(found.tables[j]->isa) && table.isa == "avx2";
      const auto shared = [shares_products](std::string_view kernel) {
        return shares_products && (kernel == "quantize_rows" || kernel == "integer_matmul");
      };
#define QWEN35_CHECK_KERNEL(name, Task) CHECK((table.name != found.tables[j]->name) != shared(#name));
      QWEN35_KERNELS(QWEN35_CHECK_KERNEL)
#undef QWEN35_CHECK_KERNEL
    }
  }
}

#if defined(__x86_64__) && !defined(QWEN35_STATIC_DISPATCH)
TEST_CASE("a build without flags has AVX2 and AVX-512 kernels on x86-64") {
  const bool avx2 = kernels::detail::cpu_has_avx2();
  const bool avx512 = kernels::detail::cpu_has_avx512();
#if !defined(__AVX512F__)
  CHECK(kernels::N_AVX3::table.isa == "avx512");
#endif
#if !defined(__AVX2__)
  CHECK(kernels::N_AVX2::table.isa == "avx2");
#endif
  set_isa("");
  if (avx512) {
    CHECK(isa_name() == "avx512");
  } else if (avx2) {
    CHECK(isa_name() == "avx2");
  }
}
#endif

// Which formats have readers of their own differs from the kernels that are compiled once, which
// tests/kernels/matmul.cpp compares with the definition.
TEST_CASE("inline kernels multiply integers of every format to the same bits on every instruction set") {
  for (const Format format : block_formats) {
    if (!kernels::has_integer_products(format)) {
      continue;
    }
    const std::size_t rows = 43, cols = 2560, most = 8;
    const Stored stored = random_blocks(format, rows * cols, 1, 1);
    const Matrix matrix{stored.data(), format, rows, cols};
    const std::vector<float> x = random_values(most * cols, 2);
    for (const std::size_t tokens : {std::size_t{1}, std::size_t{2}, std::size_t{3}, most}) {
      std::vector<float> expected;
      for_each_isa([&] {
        std::vector<kernels::QuantizedBlock> blocks(tokens * kernels::quantized_blocks(cols));
        kernels::quantize_rows({x.data(), cols, 0, blocks.size(), blocks.data()});
        std::vector<float> y(tokens * rows, NAN);
        kernels::integer_matmul({matrix, 0, rows, blocks.data(), nullptr, tokens, y.data(), rows});
        expected = expected.empty() ? y : expected;
        CAPTURE(name(format));
        CAPTURE(tokens);
        CHECK(same_bits(y, expected));
      });
    }
  }
}
