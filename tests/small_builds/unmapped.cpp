// SPDX-License-Identifier: Apache-2.0
// Files of weights in a build without mapping (QWEN35_NO_MMAP): they are read, whatever is asked, with the same bytes.
// The build holds few formats (QWEN35_FORMATS): an error about a file of another one says that.
//   unmapped FOLDER FILE.gguf
#include <qwen35/weights/binder.hpp>

#include <algorithm>
#include <cstdio>
#include <string_view>

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

// What is wrong with the embedding of a GGUF file in q8_0.
bool format_is_missed(const char* path) {
  const auto checkpoint = qwen35::Checkpoint::open(path);
  qwen35::BoundStorage storage;
  qwen35::Binder binder(checkpoint, storage);
  const qwen35::TensorInfo& tensor = *checkpoint.find("token_embd.weight");
  binder.check(tensor.name, {tensor.shape[0], tensor.shape[1]});
  try {
    binder.finish([](std::string_view) { return true; });
  } catch (const qwen35::CheckpointError& error) {
    std::puts(error.what());
    return std::string_view(error.what())
        .ends_with(
            "\n  token_embd.weight: dtype Q8_0: this program was compiled without the format q8_0, which "
            "QWEN35_FORMATS does "
            "not list");
  }
  return false;
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
  return all_checked && format_is_missed(arguments[2]) ? 0 : 1;
}
