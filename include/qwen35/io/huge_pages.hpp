// SPDX-License-Identifier: Apache-2.0
// Large memory in the largest pages that the system gives, and how much of it is in such pages.
#pragma once

#include <qwen35/core/aligned_buffer.hpp>
#include <qwen35/io/plain_file.hpp>

#include <cstddef>
#include <span>
#include <string>

#if QWEN35_BODIES
#include <qwen35/core/result.hpp>

#include <algorithm>
#include <charconv>
#include <string_view>
#if QWEN35_HAS_POSIX
#include <sys/mman.h>
#endif
#endif

QWEN35_BEGIN_NAMESPACE

// Of x86-64, and of AArch64 with pages of 4 KiB.
inline constexpr std::size_t huge_page_size = std::size_t{1} << 21;

// Asks for huge pages for memory that is not touched yet. Where the system has none, nothing changes.
void prefer_huge_pages(std::span<std::byte> memory) noexcept;

// Memory for what is large and read often, not touched.
AlignedBuffer<std::byte> large_buffer(std::size_t bytes);

// How many bytes of these regions are in huge pages, of the process' own or of the file cache. 0 where the system does
// not tell. `root`: what stands before /proc.
std::size_t huge_page_bytes(std::span<const std::span<const std::byte>> regions, const std::string& root = "");

#if QWEN35_BODIES

QWEN35_BODY void prefer_huge_pages([[maybe_unused]] std::span<std::byte> memory) noexcept {
#if QWEN35_HAS_POSIX && defined(MADV_HUGEPAGE)
  const auto start = reinterpret_cast<std::uintptr_t>(memory.data());
  const std::size_t first = (huge_page_size - start % huge_page_size) % huge_page_size;
  if (memory.size() > first && memory.size() - first >= huge_page_size) {
    const std::size_t whole = (memory.size() - first) / huge_page_size * huge_page_size;
    const int before = errno;
    ::madvise(memory.data() + first, whole, MADV_HUGEPAGE);
    errno = before;
  }
#endif
}

QWEN35_BODY AlignedBuffer<std::byte> large_buffer(std::size_t bytes) {
  AlignedBuffer<std::byte> out = AlignedBuffer<std::byte>::uninitialised(bytes, "a tensor");
  prefer_huge_pages({out.data(), out.size()});
  return out;
}

// A mapping's lines in smaps: "begin-end flags ...", then "Name:  value kB".
QWEN35_BODY std::size_t huge_page_bytes(std::span<const std::span<const std::byte>> regions, const std::string& root) {
  constexpr std::size_t longest = std::size_t{1} << 26;
  const std::string path = root + "/proc/self/smaps";
  if (!path_exists(path)) {
    return 0;
  }
  const Result<std::string> smaps = attempt([&] { return read_text_file(path, longest); });
  if (!smaps) {
    return 0;
  }
  std::size_t sum = 0, shared = 0, huge = 0;  // of the mapping whose lines these are
  for (std::string_view rest = smaps.value(); !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    std::uintptr_t begin = 0, end = 0;
    const char* const last = line.data() + line.size();
    const auto first = std::from_chars(line.data(), last, begin, 16);
    if (first.ec == std::errc() && first.ptr != last && *first.ptr == '-' &&
        std::from_chars(first.ptr + 1, last, end, 16).ec == std::errc()) {
      sum += std::min(huge, shared);
      shared = huge = 0;
      for (const std::span<const std::byte> region : regions) {
        const auto at = reinterpret_cast<std::uintptr_t>(region.data());
        const std::uintptr_t from = std::max(begin, at), to = std::min(end, at + region.size());
        shared += to > from ? to - from : 0;
      }
    } else if (shared > 0 && (line.starts_with("AnonHugePages:") || line.starts_with("FilePmdMapped:"))) {
      std::size_t kilobytes = 0;
      const std::size_t digits = line.find_first_of("0123456789");
      if (digits != std::string_view::npos) {
        std::from_chars(line.data() + digits, last, kilobytes);
      }
      huge += kilobytes << 10;
    }
  }
  return sum + std::min(huge, shared);
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
