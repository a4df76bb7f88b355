// SPDX-License-Identifier: Apache-2.0
// The rules of the source tree, as a checker: which folder may include which, which third-party header belongs to which
// folder, and the few lines that every header starts with.
#pragma once

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace structure {

using Names = std::set<std::string, std::less<>>;

// folder -> the folders that its headers may include, besides itself.
inline const std::map<std::string, Names, std::less<>>& allowed_folders() {
  static const auto table = [] {
    std::map<std::string, Names, std::less<>> rules;
    const Names nothing;
    rules["core"] = nothing;
    rules["json"] = {"core"};
    rules["unicode"] = {"core"};
    rules["io"] = {"core"};
    rules["formats"] = {"core"};
    const auto with = [](Names base, std::initializer_list<const char*> more) {
      base.insert(more.begin(), more.end());
      return base;
    };
    rules["config"] = {"core", "json", "unicode", "io"};
    for (const char* second : {"kernels", "math", "dense", "parallel"}) {
      rules[second] = with(rules["config"], {"config", "formats"});
    }
    rules["layers"] = with(rules["kernels"], {"kernels", "math", "dense", "parallel"});
    rules["cache"] = with(rules["layers"], {"layers"});
    rules["weights"] = with(rules["cache"], {"cache"});
    for (const char* fourth : {"text", "media", "model"}) {
      rules[fourth] = with(rules["weights"], {"weights"});
    }
    rules["sampling"] = {"core", "json", "unicode", "io", "config", "math"};  // knows no model
    rules["processor"] = with(rules["text"], {"text", "media"});              // nor does this
    rules["generate"] = with(rules["model"], {"model", "sampling"});
    rules["session"] = with(rules["generate"], {"generate", "text", "media", "processor"});
    return rules;
  }();
  return table;
}

struct Owner {
  std::string_view prefix;  // of the text between < and >
  std::string_view place;   // folder ("kernels/") or file ("core/error.hpp") that alone may include it
};

// Headers that have moved to a folder above: all they do is to include it.
inline const Names& forwarding_headers() {
  static const Names files{"generate/processor.hpp", "generate/session.hpp"};
  return files;
}

inline const std::vector<Owner>& owners() {
  static const std::vector<Owner> table{
      {"hwy/", "kernels/"},       {"cpuid.h", "kernels/"},    {"xsimd/", "math/"},
      {"Eigen/", "dense/"},       {"omp.h", "parallel/"},     {"rapidjson/", "json/"},
      {"utf8proc.h", "unicode/"}, {"jpeglib.h", "media/"},    {"jerror.h", "media/"},
      {"png.h", "media/"},        {"tiffio.h", "media/"},     {"avif/", "media/"},
      {"webp/", "media/"},        {"gif_lib.h", "media/"},    {"libav", "media/"},
      {"libsw", "media/"},        {"sys/auxv.h", "kernels/"}, {"sys/", "io/"},
      {"unistd.h", "io/"},        {"fcntl.h", "io/"},         {"dirent.h", "io/"},
      {"pthread.h", "parallel/"}, {"dlfcn.h", "parallel/"},
  };
  return table;
}

// Language headers that are spelt with a dot; everything else with a dot or a slash is a third party that needs an
// owner.
inline bool is_standard(std::string_view header) {
  return header.find_first_of("./") == std::string_view::npos;
}

inline std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) {
    return {};
  }
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

// The rest of a preprocessor line after `#name`, or nothing: "  #  include <x>" -> "<x>".
inline std::string_view directive(std::string_view line, std::string_view name) {
  line = trimmed(line);
  if (line.empty() || line.front() != '#') {
    return {};
  }
  line = trimmed(line.substr(1));
  if (!line.starts_with(name)) {
    return {};
  }
  return trimmed(line.substr(name.size()));
}

// The code of a line: without strings and // comments (block comments are not used in the tree).
inline std::string code_of(std::string_view line) {
  std::string code;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line.substr(i, 2) == "//") {
      break;
    }
    if (line[i] == '"') {
      for (++i; i < line.size() && line[i] != '"'; ++i) {
        i += line[i] == '\\' ? 1u : 0u;
      }
      continue;
    }
    code.push_back(line[i]);
  }
  return code;
}

inline bool has_word(std::string_view code, std::string_view word) {
  const auto part_of_word = [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  for (auto at = code.find(word); at != std::string_view::npos; at = code.find(word, at + 1)) {
    const bool starts = at == 0 || !part_of_word(code[at - 1]);
    const bool ends = at + word.size() >= code.size() || !part_of_word(code[at + word.size()]);
    if (starts && ends) {
      return true;
    }
  }
  return false;
}

// The text of the blocks `namespace detail { ... }  // namespace detail` of a file.
inline std::string detail_blocks(const std::string& text) {
  std::istringstream lines(text);
  std::string line, out;
  bool inside = false;
  while (std::getline(lines, line)) {
    const bool opens = line.starts_with("namespace ") && line.ends_with("detail {");
    inside = (inside || opens) && !line.starts_with("}  // namespace");
    if (inside) {
      out += code_of(line) + '\n';
    }
  }
  return out;
}

// The names after each `detail::` in a line of code.
inline std::vector<std::string> detail_names(std::string_view code) {
  constexpr std::string_view mark = "detail::";
  std::vector<std::string> out;
  for (auto at = code.find(mark); at != std::string_view::npos; at = code.find(mark, at + 1)) {
    auto end = at + mark.size();
    while (end < code.size() && (code[end] == '_' || std::isalnum(static_cast<unsigned char>(code[end])) != 0)) {
      ++end;
    }
    out.emplace_back(code.substr(at + mark.size(), end - at - mark.size()));
  }
  return out;
}

struct Report {
  std::vector<std::string> errors;    // "folder/file.hpp:12: what is wrong"
  std::vector<std::string> warnings;  // headers that grow too long
  std::size_t files = 0;
};

// `file` is relative to include/qwen35, e.g. "layers/mlp.hpp" or "model.hpp". `declaring`: of a header with the bodies
// of another's templates (x_impl.hpp), the text of that other one.
inline void check_header(const std::string& file, const std::string& text, Report& report,
                         const std::string& declaring = {}) {
  ++report.files;
  const auto slash = file.find('/');
  const std::string folder = slash == std::string::npos ? std::string() : file.substr(0, slash);
  const auto rule = allowed_folders().find(folder);
  const bool front_door = folder.empty();
  const auto complain = [&](std::size_t line, const std::string& what) {
    report.errors.push_back(file + ":" + std::to_string(line) + ": " + what);
  };
  if (!front_door && rule == allowed_folders().end()) {
    complain(1, "the folder " + folder + " is not in the layering");
    return;
  }

  const bool inner = file.ends_with("-inl.hpp");
  const std::string own_details = detail_blocks(text) + detail_blocks(declaring);
  bool once = false, license = false;
  std::istringstream lines(text);
  std::string line;
  std::size_t number = 0;
  while (std::getline(lines, line)) {
    ++number;
    if (number == 1) {
      license = line == "// SPDX-License-Identifier: Apache-2.0";
    }
    once = once || directive(line, "pragma") == "once";
    const std::string code = code_of(line);
    const bool openmp = directive(line, "pragma").starts_with("omp") ||
                        (code.find("_Pragma") != std::string::npos && line.find("omp") != std::string::npos);
    if (openmp && folder != "parallel") {
      complain(number, "OpenMP belongs to parallel/");
    }
    for (const std::string_view word :
         {"rapidjson", "StartObject", "StartArray", "EndObject", "EndArray", "RawNumber"}) {
      if (folder != "json" && has_word(code, word) && directive(line, "include").empty()) {
        complain(number, std::string(word) + " is the vocabulary of json/'s library: see json/events.hpp");
      }
    }
    if (file != "core/error.hpp" && has_word(code, "throw")) {
      complain(number, "only core/error.hpp throws: call raise<E>(message)");
    }
    for (const std::string& name : detail_names(code)) {
      if (!has_word(own_details, name)) {
        complain(number, "detail::" + name + " is another file's: what files share is not in detail");
      }
    }
    const std::string_view target = directive(line, "include");
    if (target.empty()) {
      continue;
    }
    if (target.front() == '"') {
      complain(number, "includes are written <qwen35/folder/noun.hpp>");
      continue;
    }
    if (target.front() != '<' || target.find('>') == std::string_view::npos) {
      continue;  // a macro
    }
    const std::string_view header = target.substr(1, target.find('>') - 1);
    if (header.starts_with("qwen35/")) {
      const std::string_view inside = header.substr(7);
      const auto cut = inside.find('/');
      if (front_door) {
        if (file == "fwd.hpp" && cut != std::string_view::npos && !inside.starts_with("core/")) {
          complain(number, "fwd.hpp names things and includes nothing of the library but core/");
        }
        continue;
      }
      if (cut == std::string_view::npos) {
        if (inside != "version.hpp" && inside != "fwd.hpp") {
          complain(number, "a folder does not include the front door <" + std::string(header) + ">");
        }
        continue;
      }
      const std::string other(inside.substr(0, cut));
      if (other != folder && !rule->second.contains(other) && !forwarding_headers().contains(file)) {
        complain(number, folder + " must not include " + other + " (<" + std::string(header) + ">)");
      }
      continue;
    }
    const auto owner =
        std::find_if(owners().begin(), owners().end(), [&](const Owner& o) { return header.starts_with(o.prefix); });
    if (owner != owners().end()) {
      if (!file.starts_with(owner->place)) {
        complain(number, "<" + std::string(header) + "> belongs to " + std::string(owner->place));
      }
    } else if (!is_standard(header)) {
      complain(number, "<" + std::string(header) + "> is neither standard nor a package with a folder of its own");
    }
  }
  if (!license) {
    complain(1, "the first line must be // SPDX-License-Identifier: Apache-2.0");
  }
  if (!once && !inner) {
    complain(1, "#pragma once is missing");
  }
  if (number > 350) {
    report.warnings.push_back(file + ": " + std::to_string(number) + " lines");
  }
}

// All headers below `root` (the folder include/qwen35).
inline Report check_tree(const std::filesystem::path& root) {
  Report report;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (entry.is_regular_file()) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  for (const auto& path : files) {
    const std::string file = path.lexically_relative(root).generic_string();
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    if (file == "ARCHITECTURE.md") {
      continue;
    }
    if (!file.ends_with(".hpp")) {
      report.errors.push_back(file + ":1: only .hpp files stand below include/qwen35");
      continue;
    }
    // The header whose bodies these are: a/x_impl.hpp and a/x_part_impl.hpp of a/x.hpp.
    std::string declaring;
    if (file.ends_with("_impl.hpp")) {
      for (std::string stem = path.stem().string(); stem.find('_') != std::string::npos && declaring.empty();) {
        stem.resize(stem.rfind('_'));
        std::ifstream other(path.parent_path() / (stem + ".hpp"), std::ios::binary);
        declaring.assign(std::istreambuf_iterator<char>(other), {});
      }
    }
    check_header(file, text.str(), report, declaring);
  }
  return report;
}

}  // namespace structure
