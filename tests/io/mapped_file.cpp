// SPDX-License-Identifier: Apache-2.0
#include <qwen35/io/mapped_file.hpp>

#include "weights/safetensors_writer.hpp"

#include <doctest/doctest.h>

#if QWEN35_HAS_MMAP
#include <sys/stat.h>
#endif

using namespace qwen35;
using namespace weights_test;

namespace {

std::string problem(const std::string& path) {
  return message_of<CheckpointError>([&] { MappedFile file(path); });
}

}  // namespace

TEST_CASE("a file's bytes") {
  const TempFolder folder;
  std::string text = "first\n";
  text.append(100000, 'x');
  folder.write("a", text);
  const MappedFile file(folder.file("a"));
  CHECK(std::string_view(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()) == text);
  CHECK(reinterpret_cast<std::uintptr_t>(file.bytes().data()) % 64 == 0);
}

TEST_CASE("an empty file has no bytes") {
  const TempFolder folder;
  folder.write("empty", "");
  CHECK(MappedFile(folder.file("empty")).bytes().empty());
  CHECK(MappedFile().bytes().empty());
}

TEST_CASE("a mapping moves and outlives its file's name") {
  const TempFolder folder;
  folder.write("a", "abc");
  MappedFile first(folder.file("a"));
  std::filesystem::remove(folder.file("a"));
  const std::byte* const data = first.bytes().data();
  MappedFile second(std::move(first));
  MappedFile third;
  third = std::move(second);
  CHECK(third.bytes().data() == data);
  CHECK(third.bytes().size() == 3);
  CHECK(third.bytes()[2] == std::byte{'c'});
}

TEST_CASE("what is no readable file is an error with path and reason") {
  const TempFolder folder;
  CHECK(problem(folder.file("absent")) == folder.file("absent") + ": cannot be opened: No such file or directory");
  CHECK(problem("") == ": cannot be opened: No such file or directory");
  folder.write("a", "x");
  CHECK(problem(folder.file("a/b")) == folder.file("a/b") + ": cannot be opened: Not a directory");
#if QWEN35_HAS_MMAP
  CHECK(problem(folder.path()) == folder.path() + ": is a folder, expected a file");
  REQUIRE(::mkfifo(folder.file("pipe").c_str(), 0600) == 0);
  CHECK(problem(folder.file("pipe")) == folder.file("pipe") + ": is not a regular file, expected a file");
  CHECK(problem("/dev/null") == "/dev/null: is not a regular file, expected a file");
#else
  CHECK(contains(problem(folder.path()), folder.path() + ": cannot be read"));
#endif
}
