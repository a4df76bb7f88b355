// SPDX-License-Identifier: Apache-2.0
// A small program of a user's, in two files: kernels without -m flags, threads, an embedded file.
#include <qwen35/kernels/kernels.hpp>
#include <qwen35/parallel/parallel_for.hpp>
#include <qwen35_embed/notes.hpp>

#if __has_include(<Eigen/Core>)
#include <Eigen/Core>
#if !defined(OWN_EIGEN)  // which is a mark alone
#include <qwen35/dense/eigen_view.hpp>
#endif
#endif

#include <cstdio>
#include <cstring>

float dot(const float* a, const float* b, std::size_t n);

int main() {
  float a[100], b[100];
  qwen35::parallel_for(100, [&](std::size_t i) {
    a[i] = static_cast<float>(i);
    b[i] = 2.0f;
  });
  const float sum = dot(a, b, 100);
  const auto note = notes::note_txt();
  const bool right = sum == 9900.0f && note.size() == 14 && std::memcmp(note.data(), "carried along\n", 14) == 0 &&
                     notes::files().size() == 1 && notes::files()[0].first == "note.txt";
  std::printf("%s, %s: %g, %zu bytes embedded\n", std::string(qwen35::isa_name()).c_str(),
              std::string(qwen35::thread_backend()).c_str(), static_cast<double>(sum), note.size());
  return right ? 0 : 1;
}
