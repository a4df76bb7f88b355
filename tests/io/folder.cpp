// SPDX-License-Identifier: Apache-2.0
#include <qwen35/io/folder.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>

using namespace qwen35;
using test_support::contains;
using test_support::message_of;

namespace {

namespace fs = std::filesystem;

// A new folder that goes away with the test.
struct Place {
  std::string path = (fs::temp_directory_path() / "qwen35_test_io_folder").string();
  Place() {
    fs::remove_all(path);
    fs::create_directory(path);
  }
  ~Place() { fs::remove_all(path); }
};

}  // namespace

TEST_CASE("a folder is made with those that lead to it, and may be there already") {
  const Place place;
  const std::string deep = place.path + "/a/b//c/";
  make_folders(deep);
  CHECK(fs::is_directory(deep));
  CHECK_NOTHROW(make_folders(deep));
  std::ofstream(place.path + "/file") << "x";
  CHECK(
      contains(message_of<Error>([&] { make_folders(place.path + "/file"); }), "/file: cannot be made as a folder: "));
  CHECK(contains(message_of<Error>([&] { make_folders(""); }), "the path of a folder to be made is empty"));
  CHECK(contains(message_of<Error>([&] { make_folders(place.path + std::string("/zero\0x", 7)); }), "NUL byte"));
  CHECK(!is_folder(place.path + "/zero"));
  CHECK(contains(message_of<Error>([&] { make_folders(place.path + "/file/more"); }),
                 "/file/more: cannot be made as a folder: "));
  CHECK_THROWS_AS(make_folders(""), Error);
}

TEST_CASE("names come without the two that every folder has, and not without end") {
  const Place place;
  for (const char* name : {"b", "a", ".hidden", "c d"}) {
    std::ofstream(place.path + "/" + name) << name;
  }
  fs::create_directory(place.path + "/folder");
  std::vector<std::string> names = names_in_folder(place.path, 5);
  std::sort(names.begin(), names.end());
  CHECK(names == std::vector<std::string>{".hidden", "a", "b", "c d", "folder"});
  CHECK(message_of<InputError>([&] { names_in_folder<InputError>(place.path, 4); }) ==
        place.path + ": more than 4 files");
  CHECK(
      contains(message_of<Error>([&] { names_in_folder(place.path + "/a", 9); }), "/a: cannot be read as a folder: "));
  CHECK(contains(message_of<Error>([&] { names_in_folder(place.path + "/none", 9); }),
                 "/none: cannot be read as a folder: "));
}

TEST_CASE("a file is removed, one that is not there is no error, a folder is") {
  const Place place;
  std::ofstream(place.path + "/a") << "x";
  remove_file(place.path + "/a");
  CHECK(!fs::exists(place.path + "/a"));
  CHECK_NOTHROW(remove_file(place.path + "/a"));
  CHECK(contains(message_of<Error>([&] { remove_file(place.path); }), ": cannot be removed: "));
}
