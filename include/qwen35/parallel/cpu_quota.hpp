// SPDX-License-Identifier: Apache-2.0
// The time of how many processors the control groups of a container grant (Linux).
#pragma once

#include <qwen35/core/abi.hpp>

#include <algorithm>
#include <cstdio>
#include <string>

QWEN35_BEGIN_NAMESPACE

// The smallest quota of the process's control groups (versions 1 and 2) in processors, rounded up; 0: there is none.
// `root`: the folder in which proc/ and sys/ are, with its slash.
int cpu_quota(const std::string& root = "/");

#if QWEN35_BODIES

namespace detail {

// The beginning of a file of the kernel's, empty when there is none.
QWEN35_BODY std::string head_of(const std::string& path) {
  std::string text;
  if (std::FILE* const file = std::fopen(path.c_str(), "r")) {
    char bytes[4096];
    text.assign(bytes, std::fread(bytes, 1, sizeof(bytes), file));
    std::fclose(file);
  }
  return text;
}

// "max", "-1" and whatever is no positive number: 0.
QWEN35_BODY double positive_number(const std::string& text) {
  double value = 0.0;
  return std::sscanf(text.c_str(), "%lf", &value) == 1 && value > 0.0 && value < 1e18 ? value : 0.0;
}

// The smaller of `least` and what the group of this folder grants.
QWEN35_BODY double smaller_quota(double least, const std::string& folder) {
  const std::string both = head_of(folder + "/cpu.max");  // "quota period"
  double quota = positive_number(both);
  double period = positive_number(both.substr(both.find(' ') + 1));
  if (both.empty()) {
    quota = positive_number(head_of(folder + "/cpu.cfs_quota_us"));
    period = positive_number(head_of(folder + "/cpu.cfs_period_us"));
  }
  const double processors = quota > 0.0 && period > 0.0 ? quota / period : 0.0;
  return processors > 0.0 && (least == 0.0 || processors < least) ? processors : least;
}

}  // namespace detail

QWEN35_BODY int cpu_quota(const std::string& root) {
  const std::string groups = detail::head_of(root + "proc/self/cgroup");  // lines "number:controllers:/path"
  double least = 0.0;
  for (std::size_t begin = 0; begin < groups.size();) {
    const std::size_t end = std::min(groups.find('\n', begin), groups.size());
    const std::string line = groups.substr(begin, end - begin);
    begin = end + 1;
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) {
      continue;
    }
    // (Put together by append: GCC 12 warns of `"," + string` at -O3.)
    std::string controllers = ",";
    controllers.append(line, first + 1, second - first - 1).append(",");
    const bool version_2 = controllers == ",,";
    if (!version_2 && controllers.find(",cpu,") == std::string::npos) {
      continue;
    }
    const std::string top = root + (version_2 ? "sys/fs/cgroup" : "sys/fs/cgroup/cpu");
    std::string path = line.substr(second + 1);  // of the group, then of those that it is in
    while (!path.empty()) {
      least = detail::smaller_quota(least, top + (path == "/" ? "" : path));
      path.erase(path == "/" ? 0 : std::max<std::size_t>(path.rfind('/'), 1));
    }
  }
  const int whole = static_cast<int>(std::min(least, 1e6));
  return static_cast<double>(whole) < least ? whole + 1 : whole;
}

#endif

QWEN35_END_NAMESPACE
