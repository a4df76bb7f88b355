// SPDX-License-Identifier: Apache-2.0
// A file's bytes, mapped read-only.
#pragma once

#include <qwen35/core/aligned_buffer.hpp>
#include <qwen35/core/lifetime.hpp>
#include <qwen35/io/plain_file.hpp>

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>

#if QWEN35_HAS_POSIX && !defined(QWEN35_NO_MMAP)
#define QWEN35_HAS_MMAP 1
#include <sys/mman.h>
#else
#define QWEN35_HAS_MMAP 0
#endif

QWEN35_BEGIN_NAMESPACE

// Where the system has no mmap (or QWEN35_NO_MMAP is defined), or the file system cannot map, the file is read into
// memory. The bytes are aligned to 64. A file that another process makes shorter while it is mapped ends the program
// when the lost part is read: a checkpoint is replaced by writing a new file and renaming it.
class MappedFile {
 public:
  MappedFile() = default;
  // `progress`: told the bytes of this file that are in memory, before each 64 MiB and at the end; what it raises
  // leaves nothing behind. Raises CheckpointError with the path and the system's reason, or
  // the bytes for which there is no memory.
  explicit MappedFile(const std::string& path, const std::function<void(std::size_t done)>& progress = {})
      : MappedFile(path, progress, true) {}
  // A file of which little is looked at: its pages are read when they are used.
  static MappedFile as_used(const std::string& path) { return MappedFile(path, {}, false); }
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const QWEN35_LIFETIMEBOUND { return bytes_; }
  bool is_mapped() const { return mapping_ != nullptr; }

 private:
  MappedFile(const std::string& path, const std::function<void(std::size_t done)>& progress,
             [[maybe_unused]] bool all_pages);

#if QWEN35_HAS_MMAP
  // Enters all pages at once. Page by page, the first tokens of a model with many experts run at half speed (a fault
  // for each 64 KiB); a file that would not stay in memory is left to be read as it is used. Where the system cannot do
  // it, nothing is lost.
  void populate(const std::function<void(std::size_t done)>& progress) const;

#endif

  std::span<const std::byte> bytes_;
  const std::byte* mapping_ = nullptr;
  AlignedBuffer<std::byte> copy_;
};

#if QWEN35_BODIES

QWEN35_BODY MappedFile::MappedFile(MappedFile&& other) noexcept
    : bytes_(std::exchange(other.bytes_, {})),
      mapping_(std::exchange(other.mapping_, nullptr)),
      copy_(std::move(other.copy_)) {}

QWEN35_BODY MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  std::swap(mapping_, other.mapping_);
  std::swap(copy_, other.copy_);
  return *this;
}

QWEN35_BODY MappedFile::~MappedFile() {
#if QWEN35_HAS_MMAP
  if (mapping_ != nullptr) {
    ::munmap(const_cast<std::byte*>(mapping_), bytes_.size());
  }
#endif
}

QWEN35_BODY MappedFile::MappedFile(const std::string& path, const std::function<void(std::size_t done)>& progress,
                                   [[maybe_unused]] bool all_pages)
    : MappedFile() {  // from here on the destructor takes back what stands, whatever is raised
  PlainFile<CheckpointError> file(path);
  const std::size_t size = file.size();
  if (size == 0) {  // or declined
    return;
  }
#if QWEN35_HAS_MMAP
  void* const start = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.number(), 0);
  if (start != MAP_FAILED) {
    mapping_ = static_cast<const std::byte*>(start);
    bytes_ = {mapping_, size};
    if (all_pages) {
      populate(progress);
    }
    return;
  }
#endif
  std::optional<AlignedBuffer<std::byte>> memory = AlignedBuffer<std::byte>::if_there_is_memory(size);
  if (!holds<CheckpointError>(memory.has_value(), file.path(), ": there is not enough memory for its ", size,
                              " bytes, neither to map them nor to read them")) {
    return;
  }
  copy_ = std::move(*memory);
  file.read({copy_.data(), size});
  bytes_ = {copy_.data(), copy_.size()};
  if (progress) {
    progress(bytes_.size());
  }
}

#if QWEN35_HAS_MMAP
QWEN35_BODY void MappedFile::populate(const std::function<void(std::size_t done)>& progress) const {
#if defined(MADV_POPULATE_READ)
  constexpr std::size_t step = std::size_t{64} << 20;  // a few times a second from a disk
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page = ::sysconf(_SC_PAGESIZE);
  if (pages > 0 && page > 0 &&
      bytes_.size() / 3 * 4 / static_cast<std::size_t>(page) < static_cast<std::size_t>(pages)) {
    for (std::size_t done = 0; done < bytes_.size(); done += step) {
      if (progress) {
        progress(done);
      }
      ::madvise(const_cast<std::byte*>(mapping_) + done, bytes_.size() - done < step ? bytes_.size() - done : step,
                MADV_POPULATE_READ);
    }
  }
#endif
  if (progress) {
    progress(bytes_.size());
  }
}
#endif

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
