// SPDX-License-Identifier: Apache-2.0
#include <qwen35/io/available_memory.hpp>
#include <qwen35/io/huge_pages.hpp>
#include <qwen35/io/mapped_file.hpp>

#include "weights/safetensors_writer.hpp"

#include <doctest/doctest.h>

#if QWEN35_HAS_MMAP
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>
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

#if QWEN35_HAS_MMAP && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("a file that there is no room for is an error with its bytes") {
  const TempFolder folder;
  folder.write("large", "GGUF");
  constexpr std::size_t size = std::size_t{1} << 42;
  std::filesystem::resize_file(folder.file("large"), size);  // it takes none on the disk
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_AS, &before) == 0);
  rlimit less = before;
  less.rlim_cur = std::size_t{1} << 41;
  REQUIRE(::setrlimit(RLIMIT_AS, &less) == 0);
  const std::string said = problem(folder.file("large"));
  REQUIRE(::setrlimit(RLIMIT_AS, &before) == 0);
  CHECK(said == folder.file("large") +
                    ": there is not enough memory for its 4398046511104 bytes, neither to map them nor to read them");
}
#endif

TEST_CASE("bytes from any place of a file, fewer at its end") {
#if QWEN35_HAS_POSIX
  const TempFolder folder;
  folder.write("a", "0123456789");
  const PlainFile<CheckpointError> file(folder.file("a"));
  std::byte out[4] = {};
  int error = 0;
  CHECK(file.read_at(3, out, error) == 4);
  CHECK(std::string_view(reinterpret_cast<const char*>(out), 4) == "3456");
  CHECK(file.read_at(8, out, error) == 2);
  CHECK(out[1] == std::byte{'9'});
  CHECK(file.read_at(10, out, error) == 0);
  CHECK(error == 0);
  CHECK(file.read_at(std::size_t{1} << 63, out, error) == 0);  // an offset that no file has
  CHECK(error == EINVAL);
#endif
}

TEST_CASE("memory asked for in huge pages is memory as any") {
  CHECK(large_buffer(0).empty());
  for (const std::size_t bytes : {std::size_t{1}, huge_page_size - 1, 3 * huge_page_size + 5}) {
    AlignedBuffer<std::byte> memory = large_buffer(bytes);
    REQUIRE(memory.size() == bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(memory.data()) % 64 == 0);
    std::memset(memory.data(), 7, bytes);
    const std::span<const std::byte> regions[] = {{memory.data(), bytes}};
    CHECK(huge_page_bytes(regions) <= bytes);
    CHECK(memory[bytes - 1] == std::byte{7});
  }
  CHECK(AlignedBuffer<std::byte>::if_there_is_memory(0)->empty());
  CHECK(AlignedBuffer<std::byte>::if_there_is_memory(100)->size() == 100);
  CHECK_FALSE(AlignedBuffer<double>::if_there_is_memory(std::numeric_limits<std::size_t>::max() / 8 + 1));
}

TEST_CASE("huge pages are counted by the mappings of the process") {
  const TempFolder folder;
  const auto region = [](std::uintptr_t begin, std::size_t bytes) {
    return std::span(reinterpret_cast<const std::byte*>(begin), bytes);
  };
  const std::span<const std::byte> regions[] = {region(0x400000, 0x400000), region(0xa00000, 0x100000)};
  CHECK(huge_page_bytes(regions, folder.path()) == 0);
  std::filesystem::create_directories(folder.file("proc/self"));
  folder.write("proc/self/smaps",
               "00200000-00400000 rw-p 00000000 00:00 0 \nAnonHugePages:      2048 kB\n"
               "00400000-00800000 rw-p 00000000 00:00 0 \nRss: 4096 kB\nAnonHugePages:      2048 kB\n"
               "00900000-00b00000 r--p 00000000 fd:00 7 /a b\nAnonHugePages: 0 kB\nFilePmdMapped:      2048 kB\n"
               "VmFlags: rd\n00c00000-00e00000 rw-p 00000000 00:00 0 \nAnonHugePages:");
  // Half of the first region, and of the second no more than the region has.
  CHECK(huge_page_bytes(regions, folder.path()) == 0x200000 + 0x100000);
  CHECK(huge_page_bytes({}, folder.path()) == 0);
}

TEST_CASE("the memory that is left is the least of the machine's and the control groups'") {
  const TempFolder folder;
  const auto write = [&](const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(folder.file(path)).parent_path());
    folder.write(path, text);
  };
  const auto left = [&] { return available_memory(folder.path()); };
  CHECK_FALSE(left());
  write("proc/meminfo", "MemTotal:       1000 kB\nMemAvailable:    800 kB\n");
  CHECK(left() == 800u << 10);
  write("proc/self/cgroup", "0::/a/b\n");
  CHECK(left() == 800u << 10);
  write("sys/fs/cgroup/a/b/memory.max", "max\n");
  write("sys/fs/cgroup/a/b/memory.current", "5000\n");
  CHECK(left() == 800u << 10);
  write("sys/fs/cgroup/a/memory.max", "10000\n");
  write("sys/fs/cgroup/a/memory.current", "7000\n");
  CHECK(left() == 3000);
  write("sys/fs/cgroup/a/memory.stat", "anon 4000\ninactive_anon 4000\ninactive_file 1000\nactive_file 500\n");
  CHECK(left() == 4500);
  write("sys/fs/cgroup/memory.max", "100\n");  // of the container's own root
  write("sys/fs/cgroup/memory.current", "200\n");
  CHECK(left() == 0);
  write("proc/self/cgroup", "12:cpu:/x\n3:memory:/x\n\nnonsense\n");
  write("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "600\n");
  write("sys/fs/cgroup/memory/x/memory.usage_in_bytes", "100\n");
  CHECK(left() == 500);
}
