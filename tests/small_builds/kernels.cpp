// SPDX-License-Identifier: Apache-2.0
// The kernels for one instruction set, in a program of one file: prints its name and a sum.
#include <qwen35/kernels/kernels.hpp>
#include <qwen35/parallel/parallel_for.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

extern "C" void qwen35_error_handler(qwen35::ErrorKind, const char* message, const char*, int) {
  std::puts(message);
  std::abort();
}

int main() {
#if defined(__AVX512F__)
  if (!__builtin_cpu_supports("avx512bw")) {
    return 77;
  }
#endif
  std::vector<float> a(100), b(100, 2.0f);
  qwen35::parallel_for(a.size(), [&](std::size_t i) { a[i] = static_cast<float>(i); });
  float sum = 0.0f;
  qwen35::kernels::matmul({{reinterpret_cast<const std::byte*>(a.data()), qwen35::DType::f32, 1, a.size()},
                           0,
                           1,
                           b.data(),
                           b.size(),
                           1,
                           &sum,
                           1});
  std::printf("%s, %s: %g\n", std::string(qwen35::isa_name()).c_str(), std::string(qwen35::thread_backend()).c_str(),
              static_cast<double>(sum));
  return sum == 9900.0f ? 0 : 1;
}
