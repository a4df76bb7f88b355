// SPDX-License-Identifier: Apache-2.0
// A file written and read.
#include <qwen35/io/file_writer.hpp>
#include <qwen35/io/model_folder.hpp>

#include <cstdio>

int main() {
  qwen35::write_file("written.txt", "words");
  const qwen35::ModelFolder folder(".");
  const bool same = folder.text("written.txt") == "words";
  std::puts(same && !QWEN35_HAS_POSIX ? "the standard library's files" : "other files");
  return same ? 0 : 1;
}
