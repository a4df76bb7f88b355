// SPDX-License-Identifier: Apache-2.0
// How much memory the process can still have.
#pragma once

#include <qwen35/core/error.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#if QWEN35_BODIES
#include <qwen35/core/result.hpp>
#include <qwen35/io/plain_file.hpp>

#include <algorithm>
#include <charconv>
#endif

QWEN35_BEGIN_NAMESPACE

// Bytes, of the machine and of the control groups that the process is in, whose file cache counts as free. None where
// the system does not tell. `root`: what stands before /proc and /sys.
std::optional<std::size_t> available_memory(const std::string& root = "");

// Declines E, which begins with `what`, when `bytes` are more than that: the heap promises them all the same, and the
// system ends the program that writes to them. (Little is not worth the 0.1 ms that asking takes.)
template <class E>
[[nodiscard]] bool memory_holds(std::size_t bytes, std::string_view what) {
  constexpr std::size_t little = std::size_t{1} << 30;
  const std::optional<std::size_t> left = bytes > little ? available_memory() : std::nullopt;
  return !left || holds<E>(bytes <= *left, what, " takes ", bytes, " bytes, and ", *left, " bytes of memory are left");
}

namespace detail {

// A small file that the system makes up; empty when there is none.
std::string system_text(const std::string& path);

// The number behind a word that begins a line; behind nothing: the text's own.
std::optional<std::size_t> number_after(std::string_view text, std::string_view word);

// What a control group leaves, by its files of the first or second version.
std::optional<std::size_t> group_memory(const std::string& folder, const char* limit, const char* usage);

}  // namespace detail

#if QWEN35_BODIES

namespace detail {

QWEN35_BODY std::string system_text(const std::string& path) {
  if (!path_exists(path)) {
    return {};
  }
  const Result<std::string> text = attempt([&] { return read_text_file(path, std::size_t{1} << 20); });
  return text ? text.value() : std::string();
}

QWEN35_BODY std::optional<std::size_t> number_after(std::string_view text, std::string_view word) {
  for (std::size_t at = 0; at < text.size(); at = std::min(text.find('\n', at), text.size() - 1) + 1) {
    std::string_view rest = text.substr(at);
    if (!rest.starts_with(word)) {
      continue;
    }
    rest.remove_prefix(word.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    std::size_t value = 0;
    if (std::from_chars(rest.data(), rest.data() + rest.size(), value).ec == std::errc()) {
      return value;
    }
  }
  return std::nullopt;
}

QWEN35_BODY std::optional<std::size_t> group_memory(const std::string& folder, const char* limit, const char* usage) {
  const std::optional<std::size_t> most = number_after(system_text(folder + limit), "");
  const std::optional<std::size_t> used = number_after(system_text(folder + usage), "");
  if (!most || !used) {
    return std::nullopt;  // "max": no limit
  }
  const std::string stat = system_text(folder + "/memory.stat");
  const std::size_t cached =
      number_after(stat, "inactive_file ").value_or(0) + number_after(stat, "active_file ").value_or(0);
  const std::size_t kept = *used - std::min(*used, cached);
  return *most - std::min(*most, kept);
}

}  // namespace detail

QWEN35_BODY std::optional<std::size_t> available_memory(const std::string& root) {
  using namespace detail;
  std::optional<std::size_t> out;
  const auto at_most = [&](std::optional<std::size_t> bytes) {
    out = out && bytes ? std::min(*out, *bytes) : (bytes ? bytes : out);
  };
  if (const auto kilobytes = number_after(system_text(root + "/proc/meminfo"), "MemAvailable:")) {
    out = *kilobytes << 10;
  }
  // Lines "number:controllers:path"; the path may be one that a container does not see, its root then is its group.
  const std::string groups = system_text(root + "/proc/self/cgroup");
  for (std::string_view rest = groups; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const std::size_t first = line.find(':'), second = line.find(':', std::min(first, line.size() - 1) + 1);
    if (second == std::string_view::npos) {
      continue;
    }
    const bool unified = second == first + 1;
    if (!unified && line.substr(first, second - first).find("memory") == std::string_view::npos) {
      continue;
    }
    const std::string base = root + (unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory");
    for (std::string path(line.substr(second + 1));;) {
      const std::string folder = base + (path == "/" ? "" : path);
      at_most(unified ? group_memory(folder, "/memory.max", "/memory.current")
                      : group_memory(folder, "/memory.limit_in_bytes", "/memory.usage_in_bytes"));
      if (path.size() <= 1) {
        break;
      }
      const std::size_t slash = path.rfind('/');
      path = slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
    }
  }
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
