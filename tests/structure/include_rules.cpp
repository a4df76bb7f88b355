// SPDX-License-Identifier: Apache-2.0
#include <structure/include_rules.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace {

const std::string head = "// SPDX-License-Identifier: Apache-2.0\n// A header.\n#pragma once\n";

// The errors of one header with these lines in it.
std::vector<std::string> errors_of(const std::string& file, const std::string& lines) {
  structure::Report report;
  structure::check_header(file, head + lines, report);
  return report.errors;
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace

TEST_CASE("the library keeps its layers, third-party headers stay in their folders") {
  const structure::Report report = structure::check_tree(std::string(QWEN35_SOURCE_DIR) + "/include/qwen35");
  for (const std::string& error : report.errors) {
    FAIL_CHECK(error);
  }
  for (const std::string& warning : report.warnings) {
    MESSAGE("long: " << warning);
  }
  CHECK(report.files > 10);
}

TEST_CASE("the file that is compiled once names each header that has bodies for it") {
  const std::filesystem::path root = QWEN35_SOURCE_DIR;
  const std::string source = text_of(root / "cmake/generate.cpp");
  std::size_t named = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root / "include/qwen35")) {
    const std::string header = std::filesystem::relative(entry.path(), root / "include").generic_string();
    if (entry.path().extension() == ".hpp" && text_of(entry.path()).find("\n#if QWEN35_BODIES") != std::string::npos) {
      CAPTURE(header);
      CHECK(source.find("#include <" + header + ">\n") != std::string::npos);
      ++named;
    }
  }
  CHECK(named > 100);
}

// What fwd.hpp declares: "class Tensor", "enum class Role".
std::vector<std::string> declared_names(const std::string& text) {
  std::vector<std::string> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    for (const std::string kind : {"class ", "struct ", "enum class "}) {
      if (line.starts_with(kind) && line.back() == ';') {
        found.push_back(line.substr(0, line.find_first_of(" ;", kind.size())));
      }
    }
  }
  return found;
}

TEST_CASE("each name in fwd.hpp is that of a type") {
  const std::filesystem::path root = std::filesystem::path(QWEN35_SOURCE_DIR) / "include/qwen35";
  std::string all;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (entry.path().extension() == ".hpp" && entry.path().filename() != "fwd.hpp") {
      std::istringstream lines(text_of(entry.path()));
      for (std::string line; std::getline(lines, line);) {
        all += line.find('{') != line.npos ? line + '\n' : std::string();
      }
    }
  }
  const std::vector<std::string> names = declared_names(text_of(root / "fwd.hpp"));
  CHECK(names.size() > 60);
  for (std::string name : names) {
    CAPTURE(name);
    const bool plain = all.find('\n' + name + ' ') != std::string::npos;
    CHECK((plain || all.find('\n' + name.insert(6, "[[nodiscard]] ") + ' ') != std::string::npos));
  }
}

// The declarations of virtual functions in a text that have their bodies elsewhere without QWEN35_BODY in front. Were
// they not inline where their class ends, GCC would take one for the key of the class and emit the class's table, with
// all that it reaches, in every file.
std::vector<std::string> unmarked_virtuals(const std::string& text) {
  std::vector<std::string> found;
  std::istringstream lines(text);
  std::string declaration;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find_first_not_of(' ');
    if (first == std::string::npos || line[first] == '/' || line[first] == '#') {
      continue;
    }
    declaration += line.substr(first) + ' ';
    if (std::string(";{}:").find(line.back()) == std::string::npos) {
      continue;
    }
    const bool is_virtual = declaration.starts_with("virtual ") || declaration.find(" virtual ") != std::string::npos ||
                            declaration.ends_with(" override; ") || declaration.ends_with(") const final; ");
    if (is_virtual && line.back() == ';' && declaration.find_first_of("={") == std::string::npos &&
        !declaration.starts_with("QWEN35_BODY ")) {
      found.push_back(declaration);
    }
    declaration.clear();
  }
  return found;
}

TEST_CASE("a virtual function that is declared without its body says so") {
  CHECK(unmarked_virtuals("  virtual int f(int a,\n  int b) const;\n").size() == 1);
  CHECK(unmarked_virtuals("  int f() const override;\n  void g() const final;\n").size() == 2);
  CHECK(unmarked_virtuals(
            "  QWEN35_BODY int f() const override;\n  virtual int g() = 0;\n  virtual int h() { return 1; }\n")
            .empty());
  for (const auto& entry : std::filesystem::recursive_directory_iterator(std::string(QWEN35_SOURCE_DIR) + "/include")) {
    if (entry.path().extension() == ".hpp") {
      CAPTURE(entry.path().string());
      CHECK(unmarked_virtuals(text_of(entry.path())) == std::vector<std::string>{});
    }
  }
}

// What stands between a text's backquotes, line by line.
std::vector<std::string> quoted_in(const std::string& text) {
  std::vector<std::string> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    for (std::size_t begin = line.find('`'); begin != line.npos;) {
      const std::size_t end = line.find('`', begin + 1);
      if (end == line.npos) {
        break;
      }
      found.push_back(line.substr(begin + 1, end - begin - 1));
      begin = line.find('`', end + 1);
    }
  }
  return found;
}

TEST_CASE("ARCHITECTURE.md names files that are there; it and README have a place for every folder") {
  const std::filesystem::path root = QWEN35_SOURCE_DIR, headers = root / "include/qwen35";
  CHECK(quoted_in("`a/b.hpp` and\n`c` `d").size() == 2);
  const std::string page = text_of(headers / "ARCHITECTURE.md"), readme = text_of(root / "README.md");
  std::size_t files = 0;
  for (const std::string& name : quoted_in(page)) {
    if (name.ends_with(".hpp") && name.find("NAME") == name.npos) {
      CHECK_MESSAGE(std::filesystem::exists(headers / name), name);
      ++files;
    }
  }
  CHECK(files > 40);
  const std::size_t begin = readme.find("## Layout");
  const std::string layout = readme.substr(begin, readme.find("tests/ bench/", begin) - begin);
  for (const auto& entry : std::filesystem::directory_iterator(headers)) {
    if (entry.is_directory()) {
      const std::string folder = entry.path().filename().string();
      CAPTURE(folder);
      CHECK(page.find("`" + folder + "`") != page.npos);
      CHECK(layout.find(" " + folder + " ") != layout.npos);
    }
  }
}

TEST_CASE("arrows that point down are right, others are found") {
  CHECK(errors_of("layers/a.hpp", "#include <qwen35/kernels/kernels.hpp>\n#include <qwen35/core/error.hpp>\n").empty());
  CHECK(errors_of("layers/a.hpp", "#include <qwen35/layers/b.hpp>\n#include <vector>\n#include <qwen35/version.hpp>\n")
            .empty());
  CHECK(errors_of("weights/a.hpp", "#include <qwen35/cache/b.hpp>\n").empty());
  CHECK(errors_of("session/a.hpp",
                  "#include <qwen35/text/b.hpp>\n#include <qwen35/generate/b.hpp>\n#include <qwen35/processor/b.hpp>\n")
            .empty());
  CHECK(errors_of("generate/a.hpp", "#include <qwen35/sampling/b.hpp>\n#include <qwen35/model/b.hpp>\n").empty());
  CHECK(errors_of("generate/session.hpp", "#include <qwen35/session/session.hpp>\n").empty());
  CHECK(errors_of("model.hpp", "#include <qwen35/generate/b.hpp>\n").empty());
  CHECK(errors_of("json/a.hpp", "#include <qwen35/core/error.hpp>\n").empty());

  CHECK(errors_of("layers/a.hpp", "#include <qwen35/cache/b.hpp>\n") ==
        std::vector<std::string>{"layers/a.hpp:4: layers must not include cache (<qwen35/cache/b.hpp>)"});
  for (const char* wrong :
       {"core json",     "json unicode",     "json io",        "io json",         "core io",           "config kernels",
        "kernels math",  "math kernels",     "dense parallel", "parallel dense",  "cache weights",     "layers weights",
        "text model",    "media model",      "model text",     "model generate",  "unicode config",    "sampling model",
        "sampling text", "generate session", "generate text",  "processor model", "processor sampling"}) {
    const std::string pair = wrong;
    const std::string from = pair.substr(0, pair.find(' ')), to = pair.substr(pair.find(' ') + 1);
    CAPTURE(pair);
    CHECK(errors_of(from + "/a.hpp", "  #  include <qwen35/" + to + "/b.hpp>  // why\n").size() == 1);
  }
  CHECK(errors_of("text/a.hpp", "#include <qwen35/model.hpp>\n").size() == 1);
  CHECK(errors_of("fwd.hpp", "#include <qwen35/model/text_model.hpp>\n").size() == 1);
  CHECK(errors_of("elsewhere/a.hpp", "").size() == 1);
  CHECK(errors_of("core/a.hpp", "#include \"error.hpp\"\n").size() == 1);
}

TEST_CASE("a third-party header outside of its folder is found") {
  struct Case {
    const char* header;
    const char* right;
    const char* wrong;
  };
  for (const Case c :
       {Case{"hwy/highway.h", "kernels/a.hpp", "layers/a.hpp"}, Case{"xsimd/xsimd.hpp", "math/a.hpp", "kernels/a.hpp"},
        Case{"Eigen/Core", "dense/a.hpp", "math/a.hpp"}, Case{"omp.h", "parallel/a.hpp", "kernels/a.hpp"},
        Case{"rapidjson/reader.h", "json/a.hpp", "text/a.hpp"}, Case{"utf8proc.h", "unicode/a.hpp", "text/a.hpp"},
        Case{"jpeglib.h", "media/a.hpp", "model/a.hpp"}, Case{"libavcodec/avcodec.h", "media/a.hpp", "core/a.hpp"},
        Case{"webp/decode.h", "media/a.hpp", "text/a.hpp"}, Case{"sys/auxv.h", "kernels/a.hpp", "io/a.hpp"},
        Case{"sys/mman.h", "io/mapped_file.hpp", "weights/gguf.hpp"}, Case{"unistd.h", "io/a.hpp", "core/a.hpp"}}) {
    CAPTURE(c.header);
    const std::string line = std::string("#include <") + c.header + ">\n";
    CHECK(errors_of(c.right, line).empty());
    CHECK(errors_of(c.wrong, line).size() == 1);
  }
  CHECK(errors_of("core/a.hpp", "#include <boost/any.hpp>\n").size() == 1);
  CHECK(errors_of("model.hpp", "#include <Eigen/Core>\n").size() == 1);
}

TEST_CASE("the vocabulary of the JSON library stays in its folder") {
  for (const char* line : {"rapidjson::SizeType size;\n", "bool StartObject() { return true; }\n"}) {
    CHECK(errors_of("json/a.hpp", line).empty());
    CHECK(errors_of("weights/a.hpp", line).size() == 1);
  }
}

TEST_CASE("OpenMP, throw, and the first lines of a header") {
  CHECK(errors_of("parallel/a.hpp", "#pragma omp parallel for\n").empty());
  CHECK(errors_of("layers/a.hpp", "#pragma omp parallel for\n").size() == 1);
  CHECK(errors_of("layers/a.hpp", "  _Pragma(\"omp simd\")\n").size() == 1);
  CHECK(errors_of("layers/a.hpp", "#pragma GCC diagnostic push\n").empty());
  CHECK(errors_of("layers/a.hpp", "  throw 1;\n").size() == 1);
  CHECK(errors_of("core/error.hpp", "  throw 1;\n").empty());
  CHECK(errors_of("layers/a.hpp", "// never throw here\nconst char* s = \"throw\"; int throws_;\n").empty());

  structure::Report report;
  structure::check_header("core/a.hpp", "#pragma once\n", report);
  CHECK(report.errors.size() == 1);
  structure::check_header("core/a.hpp", "// SPDX-License-Identifier: Apache-2.0\n", report);
  CHECK(report.errors.size() == 2);
  structure::check_header("core/a-inl.hpp", "// SPDX-License-Identifier: Apache-2.0\n", report);
  CHECK(report.errors.size() == 2);
  structure::check_header("core/a.hpp", head + std::string(400, '\n'), report);
  CHECK(report.errors.size() == 2);
  CHECK(report.warnings.size() == 1);
}

TEST_CASE("a name in detail is used in its own file, or where the bodies of that file's templates are") {
  const std::string own = "namespace detail {\n\ninline int helper() {\n  return 1;\n}\n\n}  // namespace detail\n";
  const std::string use = "inline int twice() { return 2 * detail::helper(); }  // not detail::other\n";
  CHECK(errors_of("core/a.hpp", own + use).empty());
  CHECK(errors_of("core/a.hpp", use) ==
        std::vector<std::string>{"core/a.hpp:4: detail::helper is another file's: what files share is not in detail"});
  CHECK(errors_of("math/a.hpp", "namespace math::detail {\nint n;\n}  // namespace math::detail\nint m = detail::n;\n")
            .empty());
  structure::Report report;
  structure::check_header("core/a_impl.hpp", head + use, report, head + own);
  CHECK(report.errors.empty());
}

TEST_CASE("a whole tree is read, folder by folder") {
  const auto root = std::filesystem::temp_directory_path() / "qwen35_structure_test";
  std::filesystem::remove_all(root);
  std::filesystem::create_directories(root / "core");
  std::filesystem::create_directories(root / "math");
  std::ofstream(root / "core" / "a.hpp") << head << "#include <qwen35/math/b.hpp>\n";
  std::ofstream(root / "math" / "b.hpp") << head << "#include <qwen35/core/a.hpp>\n";
  std::ofstream(root / "math" / "b.txt") << "notes\n";
  const structure::Report report = structure::check_tree(root);
  std::filesystem::remove_all(root);
  CHECK(report.files == 2);
  CHECK(report.errors == std::vector<std::string>{"core/a.hpp:4: core must not include math (<qwen35/math/b.hpp>)",
                                                  "math/b.txt:1: only .hpp files stand below include/qwen35"});
}
