// SPDX-License-Identifier: Apache-2.0
// Files of weights in a build without mapping (QWEN35_NO_MMAP): they are read, whatever is asked, with the same bytes.
//   unmapped FOLDER FILE.gguf
#include <qwen35/weights/checkpoint.hpp>

#include <algorithm>
#include <cstdio>

static_assert(QWEN35_HAS_POSIX && !QWEN35_HAS_MMAP);

namespace {

bool same(const qwen35::Checkpoint& a, const qwen35::Checkpoint& b) {
  return !a.tensors().empty() &&
         std::equal(a.tensors().begin(), a.tensors().end(), b.tensors().begin(), b.tensors().end(),
                    [](const qwen35::TensorInfo& x, const qwen35::TensorInfo& y) {
                      return x.name == y.name &&
                             std::equal(x.bytes.begin(), x.bytes.end(), y.bytes.begin(), y.bytes.end());
                    });
}

}  // namespace

int main(int, char** arguments) {
  bool all_checked = true;
  for (const char* const path : {arguments[1], arguments[2]}) {
    const auto open = [&](qwen35::LoadMode load) {
      int checks = 0;
      auto out = qwen35::Checkpoint::open(path, {.load = load, .check = [&](const qwen35::Checkpoint& checkpoint) {
                                                   checks += checkpoint.config().is_object() ? 1 : 0;
                                                 }});
      std::printf("%s of %zu bytes, %zu mapped, %d checked\n", path, out.loading().read_bytes,
                  out.loading().mapped_bytes, checks);
      all_checked = all_checked && checks == 1;
      return out;
    };
    const qwen35::Checkpoint read = open(qwen35::LoadMode::read), mapped = open(qwen35::LoadMode::map),
                             used = open(qwen35::LoadMode::as_used);
    if (!same(read, mapped) || !same(read, used) || mapped.loading().mapped_bytes != 0 ||
        used.loading().mapped_bytes != 0) {
      return 1;
    }
  }
  return all_checked ? 0 : 1;
}
