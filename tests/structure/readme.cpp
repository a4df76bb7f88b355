// SPDX-License-Identifier: Apache-2.0
// What the README says of the tree: its files, its switches, the picture at its top.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

const fs::path root = QWEN35_SOURCE_DIR;

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// The first group of each match.
std::vector<std::string> found_in(const std::string& text, const char* pattern) {
  const std::regex expression(pattern);
  std::vector<std::string> out;
  for (std::sregex_iterator match(text.begin(), text.end(), expression), end; match != end; ++match) {
    out.push_back((*match)[1]);
  }
  return out;
}

// The table of a section.
std::string section(const std::string& text, const std::string& title) {
  const std::size_t begin = text.find("\n" + title + "\n");
  REQUIRE(begin != std::string::npos);
  return text.substr(begin, text.find("\n## ", begin + 1) - begin);
}

}  // namespace

TEST_CASE("what the README names or links to is there") {
  const std::string readme = text_of(root / "README.md");
  std::vector<std::string> names = found_in(readme, R"(\]\(([^)#:]+)\))");
  CHECK(names.size() >= 3);
  for (const std::string& name : found_in(readme, R"(`((?:examples|cmake|tests|bench|include)/[A-Za-z0-9_./-]+)`)")) {
    names.push_back(name);
  }
  CHECK(names.size() > 10);
  for (const std::string& name : names) {
    CAPTURE(name);
    CHECK(fs::exists(root / name));
  }
  for (const std::string& header : found_in(readme, R"(`(?:qwen35/)?([a-z]+/[a-z_]+\.hpp)`)")) {
    CAPTURE(header);
    CHECK(fs::exists(root / "include/qwen35" / header));
  }
}

TEST_CASE("the README's table of switches has each option, each variable of the environment, each setting of threads") {
  const std::string table = section(text_of(root / "README.md"), "## Switches");
  std::set<std::string> switches;
  for (const fs::path& folder : {root, root / "cmake", root / "examples"}) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      if (name == "CMakeLists.txt" || name.ends_with(".cmake")) {
        const std::string text = text_of(entry.path());
        for (const char* const pattern : {R"(option\((QWEN35_[A-Z_]+))", R"(set\((QWEN35_[A-Z_]+) [^)]*CACHE [SBP])"}) {
          for (const std::string& option : found_in(text, pattern)) {
            if (!option.starts_with("QWEN35_DEV_")) {
              switches.insert(option);
            }
          }
        }
      }
    }
  }
  CHECK(switches.size() > 7);
  for (const auto& entry : fs::recursive_directory_iterator(root / "include/qwen35")) {
    if (entry.path().extension() == ".hpp") {
      for (const std::string& variable : found_in(text_of(entry.path()), R"(getenv\("([A-Z0-9_]+)\"\))")) {
        switches.insert(variable);
      }
    }
  }
  CHECK(switches.contains("QWEN35_ISA"));
  for (const char* const header : {"parallel/thread_count.hpp", "core/log.hpp"}) {
    for (const std::string& call :
         found_in(text_of(root / "include/qwen35" / header), R"(\n\w*[\w ]*void (set_\w+)\()")) {
      switches.insert(call);
    }
  }
  CHECK(switches.contains("set_thread_limit"));
  for (const std::string& name : switches) {
    CAPTURE(name);
    const bool ending =
        name.starts_with("QWEN35_BUILD") && table.find("`" + name.substr(12) + "`") != std::string::npos;
    CHECK((ending || table.find("`" + name) != std::string::npos));
  }
}

TEST_CASE("the picture at the top of the README shows what the demo asks and prints") {
  const std::string demo = text_of(root / "examples/02_demo.cpp");
  std::string answer;
  std::size_t questions = 0, answers = 0;
  const auto check_answer = [&] {
    if (!answer.empty()) {
      CAPTURE(answer);
      CHECK(demo.find("//   " + answer + "\n") != std::string::npos);
      ++answers;
    }
    answer.clear();
  };
  const std::string picture = text_of(root / "examples/demo.svg");
  for (const std::string& line : found_in(picture, R"(<text [^>]*fill=("?[^<]*)</text>)")) {
    const std::string text = line.substr(line.find('>') + 1);
    if (line.find("bold") != std::string::npos) {
      answer += (answer.empty() ? "" : " ") + text;
      continue;
    }
    check_answer();
    CAPTURE(text);
    CHECK(demo.find("\"" + text + "\"") != std::string::npos);
    ++questions;
  }
  check_answer();
  CHECK(questions >= 4);
  CHECK(answers == questions);
}
