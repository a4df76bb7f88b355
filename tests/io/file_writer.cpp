// SPDX-License-Identifier: Apache-2.0
#include <qwen35/io/file_writer.hpp>
#include <qwen35/io/plain_file.hpp>

#include "weights/safetensors_writer.hpp"

#if QWEN35_HAS_POSIX
#include "support/left_parts.hpp"
#endif

#include <doctest/doctest.h>

#if QWEN35_HAS_POSIX
#include <sys/resource.h>
#include <sys/wait.h>
#include <csignal>
#include <filesystem>
#endif

using namespace qwen35;
using namespace weights_test;

static_assert(!std::is_move_constructible_v<FileWriter<>> && !std::is_move_assignable_v<FileWriter<>>);
#if QWEN35_HAS_POSIX
static_assert(std::is_nothrow_move_constructible_v<FileHandle> && !std::is_copy_constructible_v<FileHandle>);
#endif

namespace {

std::vector<std::string> names_in(const TempFolder& folder) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    out.push_back(entry.path().filename().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

// A program that is ended while it writes leaves nothing then.
bool has_nameless_files([[maybe_unused]] const TempFolder& folder) {
#if defined(O_TMPFILE)
  return FileHandle(::open(folder.path().c_str(), O_WRONLY | O_TMPFILE, 0600)).is_open();
#else
  return false;
#endif
}

std::string problem(const std::string& path) {
  return message_of<CacheError>([&] { write_file<CacheError>(path, "new"); });
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("what was written is there after commit, in one step") {
  const TempFolder folder;
  const std::string path = folder.file("a");
  std::string expected;
  {
    FileWriter<> writer(path);
    for (int i = 0; i < 3000; ++i) {  // more than the buffer, in pieces that do not divide it
      const std::string piece = "piece " + std::to_string(i) + " ";
      writer.write(piece);
      expected += piece;
    }
    const std::string large(200000, 'x');
    writer.write(std::as_bytes(std::span(large)));
    writer.write("end");
    expected += large + "end";
    CHECK(names_in(folder).size() == (has_nameless_files(folder) ? 0 : 1));
    CHECK_FALSE(path_exists(path));
    writer.finish();
    CHECK(names_in(folder).size() == 1);
    CHECK_FALSE(path_exists(path));
    writer.commit();
    CHECK(read_text_file(path) == expected);
    CHECK_THROWS_WITH_AS(writer.write("more"), doctest::Contains("it is finished"), Error);
    CHECK_THROWS_WITH_AS(writer.commit(), doctest::Contains("it is finished"), Error);
  }
  CHECK(read_text_file(path) == expected);
  write_file(path, "");
  CHECK(read_text_file(path).empty());
  CHECK(names_in(folder) == Names{"a"});
}

TEST_CASE("without commit the old file stays and nothing is left behind") {
  const TempFolder folder;
  folder.write("a", "old");
  {
    FileWriter<> writer(folder.file("a"));
    writer.write("new");
  }
  CHECK(read_text_file(folder.file("a")) == "old");
  CHECK(names_in(folder) == Names{"a"});
}

TEST_CASE("two writers of one file do not meet") {
  const TempFolder folder;
  FileWriter<> first(folder.file("a")), second(folder.file("a"));
  first.write("first");
  second.write("second");
  first.commit();
  second.commit();
  CHECK(read_text_file(folder.file("a")) == "second");
  CHECK(names_in(folder) == Names{"a"});
}

TEST_CASE("a place that cannot be written is an error with path and reason") {
  const TempFolder folder;
  CHECK(problem(folder.file("absent/a")) == folder.file("absent/a") + ": cannot be written: No such file or directory");
  folder.write("a", "old");
  CHECK(problem(folder.file("a/b")) == folder.file("a/b") + ": cannot be written: Not a directory");
  CHECK(problem(folder.path()) == folder.path() + ": is a folder, expected a file or a new name");
  CHECK(problem(folder.path() + "/") == folder.path() + "/: not the name of a file");
  CHECK(problem("") == ": not the name of a file");
  CHECK(problem(folder.file("..")) == folder.file("..") + ": not the name of a file");
  CHECK(names_in(folder) == Names{"a"});
#if QWEN35_HAS_POSIX
  CHECK(problem("/dev/null") == "/dev/null: is not a regular file, expected a file or a new name");
  REQUIRE(::mkfifo(folder.file("pipe").c_str(), 0600) == 0);
  CHECK(problem(folder.file("pipe")) == folder.file("pipe") + ": is not a regular file, expected a file or a new name");
#endif
}

#if QWEN35_HAS_POSIX

namespace {

// The permission bits, as an octal number.
unsigned mode_of(const std::string& path) {
  struct stat info {};
  REQUIRE(::lstat(path.c_str(), &info) == 0);
  return info.st_mode & 07777u;
}

// While it lives no file may grow beyond `bytes`, as on a full disk, and no more than `files` may be open.
class Limit {
 public:
  Limit(int which, rlim_t value) : which_(static_cast<decltype(which_)>(which)) {
    std::signal(SIGXFSZ, SIG_IGN);
    REQUIRE(::getrlimit(which_, &old_) == 0);
    const rlimit now{value, old_.rlim_max};
    REQUIRE(::setrlimit(which_, &now) == 0);
  }
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;
  ~Limit() { ::setrlimit(which_, &old_); }

 private:
#if defined(__GLIBC__) && defined(__cplusplus)
  __rlimit_resource which_;
#else
  int which_;
#endif
  rlimit old_{};
};

}  // namespace

TEST_CASE("permissions are kept, a new file has those of any new file") {
  const TempFolder folder;
  folder.write("a", "old");
  const unsigned usual = mode_of(folder.file("a"));
  for (const unsigned mode : {0640u, 0600u, 0444u, 0777u}) {
    REQUIRE(::chmod(folder.file("a").c_str(), mode) == 0);
    write_file(folder.file("a"), "new");
    CHECK(mode_of(folder.file("a")) == mode);
  }
  write_file(folder.file("b"), "new");
  CHECK(mode_of(folder.file("b")) == usual);
}

TEST_CASE("a link is replaced, what it leads to stays") {
  const TempFolder folder;
  folder.write("target", "old");
  std::filesystem::create_symlink("target", folder.file("link"));
  std::filesystem::create_symlink("loop", folder.file("loop"));
  write_file(folder.file("link"), "new");
  write_file(folder.file("loop"), "new");
  CHECK(read_text_file(folder.file("target")) == "old");
  CHECK_FALSE(std::filesystem::is_symlink(folder.file("link")));
  CHECK(read_text_file(folder.file("link")) == "new");
  CHECK(read_text_file(folder.file("loop")) == "new");
}

TEST_CASE("a link to what is no file stays: /dev/stdout is not a place for a file") {
  const TempFolder folder;
  folder.write("open", "old");
  const FileHandle open(::open(folder.file("open").c_str(), O_RDONLY | O_CLOEXEC));
  for (const std::string& target : {std::string("/dev/null"), folder.path(), std::string("/proc/self/fd/0"),
                                    concat("/proc/self/fd/", open.number())}) {
    CAPTURE(target);
    std::filesystem::create_symlink(target, folder.file("link"));
    CHECK_THROWS_WITH_AS(write_file(folder.file("link"), "new"),
                         doctest::Contains("link: is a link to what is no regular file"), Error);
    CHECK(std::filesystem::read_symlink(folder.file("link")) == target);
    std::filesystem::remove(folder.file("link"));
  }
  CHECK(problem(folder.file(std::string("a\0b", 3))) ==
        folder.file("a") + ": behind this is a NUL byte, expected a name");
  CHECK(names_in(folder) == Names{"open"});
}

TEST_CASE("a full disk: the old file stays, nothing is left, the writer is over") {
  const TempFolder folder;
  folder.write("a", "old");
  for (const std::size_t room : {0u, 1u, 4096u, 65536u, 70000u, 150000u}) {
    CAPTURE(room);
    const Limit limit(RLIMIT_FSIZE, room);
    FileWriter<> writer(folder.file("a"));
    const std::string piece(50000, 'x');
    CHECK_THROWS_WITH_AS(
        [&] {
          for (int i = 0; i < 4; ++i) {
            writer.write(piece);
          }
          writer.commit();
        }(),
        doctest::Contains("a: cannot be written: File too large"), Error);
    CHECK(names_in(folder) == Names{"a"});
    CHECK_THROWS_WITH_AS(writer.commit(), doctest::Contains("an earlier write failed"), Error);
  }
  CHECK(read_text_file(folder.file("a")) == "old");
}

TEST_CASE(
    "what a program that was ended left is removed by the next writer of that file, what is being written is not") {
  const TempFolder folder;
  const auto left = [&](const char* name) {  // by a child that ends between finish() and commit()
    const pid_t child = ::fork();
    if (child == 0) {
      FileWriter<> writer(folder.file(name));
      writer.finish();
      ::raise(SIGKILL);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    REQUIRE(WIFSIGNALED(status));
  };
  left("a");
  left("a");  // the first may be another machine's, whose locks are not seen here
  CHECK(names_in(folder).size() == 2);
  test_support::age_parts(folder.path());
  left("a");  // which has removed both
  left("b");
  CHECK(names_in(folder).size() == 2);
  test_support::age_parts(folder.path());
  FileWriter<> running(folder.file("a"));
  CHECK(names_in(folder).size() == (has_nameless_files(folder) ? 1 : 2));  // that of b, and its own
  running.write("first");
  running.finish();
  write_file(folder.file("a"), "second");
  running.commit();
  CHECK(read_text_file(folder.file("a")) == "first");
  write_file(folder.file("b"), "");
  CHECK(names_in(folder) == Names{"a", "b"});

  // Other files of such names stay: what is no file, and what is another's.
  const std::string beginning = detail::part_name("a").substr(0, 25);
  for (const std::string& other : Names{beginning + "x", ".qwen35-0123456789abcdef-1.part", ".qwen35-1.part"}) {
    folder.write(other, "");
  }
  REQUIRE(::mkfifo(folder.file(beginning + "1.part").c_str(), 0600) == 0);
  REQUIRE(::symlink("b", folder.file(beginning + "2.part").c_str()) == 0);
  const Names before = names_in(folder);
  write_file(folder.file("a"), "third");
  CHECK(names_in(folder) == before);
}

TEST_CASE("no descriptors left: nothing has changed") {
  const TempFolder folder;
  folder.write("a", "old");
  const int next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  REQUIRE(next >= 0);
  ::close(next);
  for (int more = 0; more < 3; ++more) {
    std::string message;
    {
      const Limit limit(RLIMIT_NOFILE, static_cast<rlim_t>(next + more));
      message = problem(folder.file("a"));
    }
    CHECK((more < 2 ? contains(message, "a: cannot be written: Too many open files") : message.empty()));
    CHECK(names_in(folder) == Names{"a"});
    CHECK(read_text_file(folder.file("a")) == (more < 2 ? "old" : "new"));
  }
}

#endif
