// SPDX-License-Identifier: Apache-2.0
#include <qwen35/io/plain_file.hpp>

#include "weights/safetensors_writer.hpp"

#include <array>
#include <filesystem>

#include <doctest/doctest.h>

using namespace qwen35;
using namespace weights_test;

namespace {

std::string problem(const std::string& path, std::size_t most = 100) {
  return message_of<TextError>([&] { read_text_file<TextError>(path, most); });
}

}  // namespace

TEST_CASE("a whole file, a part of it, and no more than there is") {
  const TempFolder folder;
  std::string text;
  for (int i = 0; i < 20000; ++i) {
    text += std::to_string(i) + ' ';
  }
  folder.write("a", text);
  CHECK(read_text_file(folder.file("a")) == text);
  const std::vector<std::byte> bytes = read_file(folder.file("a"), text.size());
  CHECK(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()) == text);
  PlainFile<> file(folder.file("a"));
  CHECK(file.size() == text.size());
  std::array<std::byte, 6> start{};
  file.read(start);
  CHECK(std::string_view(reinterpret_cast<const char*>(start.data()), 6) == "0 1 2 ");
  Bytes rest(text.size() - 5);
  CHECK_THROWS_WITH_AS(file.read(rest), doctest::Contains("a: ended 1 bytes too early: the file is cut"), Error);
  CHECK(file.read_some(rest) == 0);
  folder.write("empty", "");
  CHECK(read_text_file(folder.file("empty")).empty());
}

TEST_CASE("a file longer than the limit is refused by its size") {
  const TempFolder folder;
  folder.write("a", "0123456789");
  CHECK(problem(folder.file("a"), 10).empty());
  CHECK(problem(folder.file("a"), 9) == folder.file("a") + ": 10 bytes, longer than the limit of 9 bytes");
  // A terabyte that takes no room on the disk.
  folder.write("holes", "x");
  std::filesystem::resize_file(folder.file("holes"), std::uintmax_t{1} << 40);
  CHECK(contains(problem(folder.file("holes")), "longer than the limit of 100 bytes"));
}

TEST_CASE("what is no plain file is an error at once") {
  const TempFolder folder;
  CHECK(problem(folder.file("absent")) == folder.file("absent") + ": cannot be opened: No such file or directory");
#if QWEN35_HAS_POSIX
  CHECK(problem(folder.path()) == folder.path() + ": is a folder, expected a file");
  REQUIRE(::mkfifo(folder.file("pipe").c_str(), 0600) == 0);
  CHECK(problem(folder.file("pipe")) == folder.file("pipe") + ": is not a regular file, expected a file");
  CHECK(problem(folder.file(std::string("a\0b", 3))) ==
        folder.file("a") + ": behind this is a NUL byte, expected a name");
  CHECK(problem("/dev/zero") == "/dev/zero: is not a regular file, expected a file");
  CHECK(what_it_is("/dev/zero") == "is a device");
  CHECK(what_it_is(folder.file("pipe")) == "is a pipe");
  CHECK(what_it_is(folder.path()) == "is a folder");
  CHECK(what_it_is(folder.file("none")) == "cannot be examined: No such file or directory");
  std::filesystem::create_symlink("loop", folder.file("loop"));
  CHECK(problem(folder.file("loop")) == folder.file("loop") + ": cannot be opened: Too many levels of symbolic links");
#endif
}

#if defined(__linux__)
TEST_CASE("a file that the system makes up while it is read") {
  CHECK(contains(read_text_file("/proc/self/status"), "VmRSS"));
  CHECK(problem("/proc/self/status") == "/proc/self/status: longer than the limit of 100 bytes");
}
#endif

TEST_CASE("existence") {
  const TempFolder folder;
  folder.write("a", "");
  CHECK(path_exists(folder.file("a")));
  CHECK(path_exists(folder.path()));
  CHECK_FALSE(path_exists(folder.file("b")));
  CHECK_FALSE(path_exists(folder.file("a/b")));
#if QWEN35_HAS_POSIX
  std::filesystem::create_symlink("nowhere", folder.file("dangling"));
  CHECK(path_exists(folder.file("dangling")));
#endif
}
