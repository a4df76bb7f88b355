// SPDX-License-Identifier: Apache-2.0
// One program, two files of the library's user: one compiled without -m flags, one with -mavx2 -mfma. Each must run its
// own code, whichever order the linker meets them in.
#pragma once

#include <string>

struct Sight {
  std::string abi;    // the inline namespace that the file's calls go to
  std::string isa;    // of the kernels
  bool error_caught;  // an exception of this file's kind was raised and caught here
  float product[6];   // [2, 3]: rows of the kernels' matrix product
  float silu;         // of xsimd's maths
  int sum;            // of two parallel loops, by a class and by a lambda
};

Sight seen_by_plain();
Sight seen_by_avx2();
