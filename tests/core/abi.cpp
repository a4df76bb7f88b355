// SPDX-License-Identifier: Apache-2.0
#include <qwen35/core/abi.hpp>

#include <doctest/doctest.h>

#include <string>
#include <typeinfo>

QWEN35_BEGIN_NAMESPACE
struct AbiProbe {};
QWEN35_END_NAMESPACE

#define TEXT_OF(...) #__VA_ARGS__
#define TEXT(...) TEXT_OF(__VA_ARGS__)

TEST_CASE("names carry the version and what changes code") {
  const std::string abi = TEXT(QWEN35_ABI);
  std::string expected = "v" TEXT(QWEN35_VERSION_MAJOR) "_" TEXT(QWEN35_VERSION_MINOR) "_";
#if defined(__AVX512F__) && defined(__AVX512BW__)
  expected += "avx512";
#elif defined(__AVX2__) && defined(__FMA__)
  expected += "avx2";
#elif !defined(__SSE4_1__) && !defined(__ARM_FEATURE_SVE)
  expected += "base";
#else
  expected = abi.substr(0, abi.find("_dynamic"));
#endif
  expected += "_dynamic";
#if defined(_OPENMP)
  expected += "_openmp";
#else
  expected += "_serial";
#endif
  expected += "_throws";
  expected += "_all";  // the formats compiled in
  CHECK(abi == expected);
  // The part is in the symbols, and not in what a program writes.
  CHECK(std::string(typeid(qwen35::AbiProbe).name()).find(abi) != std::string::npos);
}
