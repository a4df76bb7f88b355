// SPDX-License-Identifier: Apache-2.0
#include <qwen35/io/model_folder.hpp>

#include "weights/safetensors_writer.hpp"

#include <doctest/doctest.h>

#include <filesystem>

using namespace qwen35;
using namespace weights_test;

TEST_CASE("a folder on disk: files are read when they are asked for, once") {
  const TempFolder folder;
  folder.write("a.json", "first");
  const ModelFolder files(folder.path() + "//"), copy = files;
  CHECK(files.folder() == folder.path());
  CHECK(files.place("a.json") == folder.file("a.json"));
  CHECK(files.has_file("a.json"));
  CHECK_FALSE(files.has_file("b.json"));
  const std::string_view text = files.text("a.json");
  CHECK(text == "first");
  folder.write("a.json", "second");
  CHECK(copy.text("a.json").data() == text.data());
  CHECK(ModelFolder(folder.path()).text("a.json") == "second");
  folder.write("b.json", "");
  CHECK(files.text("b.json").empty());
  CHECK(message_of<TextError>([&] { files.text<TextError>("c"); }) == folder.path() + ": no file c");
}

TEST_CASE("a folder that is not there is called that, and not the file in it") {
  const auto problem = [](const char* path) {
    CHECK_FALSE(ModelFolder(path).has_file("c"));
    return message_of<CheckpointError>([&] { ModelFolder(path).text("c"); });
  };
  CHECK(problem("/no/such") == "/no/such: no such file or folder");
  CHECK(problem("") == ": no such file or folder: the path is empty");
  CHECK(problem("model.ggufx") == "model.ggufx: no such file or folder");
  CHECK(ModelFolder("").afresh().missing("c") == ModelFolder("").missing("c"));
  CHECK(problem("~/a") == "~/a: no such file or folder (a shell would replace the ~)");
  CHECK(contains(problem("Qwen/Qwen3.5-35B-A3B"), "no such file or folder (nothing is downloaded: "));
}

TEST_CASE("files in memory") {
  const Bytes a = bytes_of("A"), b = bytes_of("B");
  const NamedBytes given[] = {{"a", a}, {"more/z", b}, {"more/b", b}, {"moreover", a}};
  const ModelFolder files = ModelFolder::from_bytes(given);
  CHECK(files.folder().empty());
  CHECK(files.place("a") == "a");
  CHECK(files.has_file("a"));
  CHECK(files.text("a").data() == reinterpret_cast<const char*>(a.data()));  // not copied
  CHECK(files.names_in("more") == std::vector<std::string>{"b", "z"});
  CHECK(files.names_in("less").empty());
  CHECK(message_of<TextError>([&] { files.text<TextError>("c"); }) == "checkpoint: no file c");
  const NamedBytes twice[] = {{"a", a}, {"a", b}};
  CHECK(message_of<CheckpointError>([&] { ModelFolder::from_bytes(twice); }) == "checkpoint: two files are called a");
}

TEST_CASE("what is said last of a file that is made, or that is not there, holds") {
  ModelFolder files = ModelFolder::made("m.gguf");
  files.add("a", [] { return std::string("first"); });
  files.add("a", [] { return std::string("second"); });
  CHECK(files.text("a") == "second");
  files.lack("b", "has no b");
  files.lack("b", "has no b at all");
  CHECK(files.missing("b") == "m.gguf: has no b at all");
  CHECK(files.afresh().missing("b") == files.missing("b"));
  CHECK(files.afresh().text("a") == "second");
  CHECK(files.missing("c") == "m.gguf: no file c");
}

TEST_CASE("the names in a folder of it") {
  const TempFolder folder;
  const ModelFolder files(folder.path());
  CHECK(files.names_in("more").empty());
  std::filesystem::create_directory(folder.file("more"));
  folder.write("more/b", "");
  folder.write("more/a", "");
  CHECK(files.names_in("more") == std::vector<std::string>{"a", "b"});
  CHECK(
      contains(message_of<CheckpointError>([&] { files.names_in("more/a"); }), "more/a: cannot be read as a folder: "));
}

#if QWEN35_HAS_POSIX
TEST_CASE("what is there and cannot be read is an error, not an absent file") {
  const TempFolder folder;
  const ModelFolder files(folder.path());
  REQUIRE(::mkfifo(folder.file("pipe").c_str(), 0600) == 0);
  std::filesystem::create_symlink("nowhere", folder.file("dangling"));
  std::filesystem::create_symlink("loop", folder.file("loop"));
  for (const auto& [given, reason] :
       {std::pair{"pipe", "is not a regular file"}, {"dangling", "No such file"}, {"loop", "Too many levels"}}) {
    const std::string name = given;
    CAPTURE(name);
    CHECK(files.has_file(name));
    CHECK(contains(message_of<CheckpointError>([&] { files.text(name); }), folder.file(name) + ": "));
    CHECK(contains(message_of<CheckpointError>([&] { files.text(name); }), reason));
  }
  for (const auto& [path, kind] : {std::pair{folder.file("pipe"), "a pipe"}, {std::string("/dev/null"), "a device"}}) {
    CHECK(message_of<CheckpointError>([&, path = path] { ModelFolder(path).text("config.json"); }) ==
          concat(path, ": is ", kind, ", expected a folder"));
  }
}
#endif
