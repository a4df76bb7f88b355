// SPDX-License-Identifier: Apache-2.0
// The bytes of a checkpoint's weight files in memory: mapped, or read into the largest pages that the system gives.
#pragma once

#include <qwen35/io/mapped_file.hpp>
#include <qwen35/json/value.hpp>

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/core/cancellation.hpp>
#include <qwen35/io/available_memory.hpp>
#include <qwen35/io/huge_pages.hpp>
#include <qwen35/parallel/parallel_for.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#endif

QWEN35_BEGIN_NAMESPACE

// Told the bytes of the weight files that are in memory (or left to be read as they are used), of all their bytes, on
// the thread that opens the checkpoint.
using LoadProgress = std::function<void(std::size_t done, std::size_t total)>;

// How weight files come into memory.
enum class LoadMode : std::uint8_t {
  automatic,  // read where memory allows, else map
  map,        // the system's file cache, shared with other processes; the files must stay as they are
  read,       // memory of the process; what happens to the files afterwards does not matter
  as_used     // mapped, and nothing is read before it is looked at: for those who look at little
};

std::string_view name_of(LoadMode mode);
// Raises InputError for a name that is none.
LoadMode load_mode(std::string_view name);

// What loading got.
struct LoadReport {
  std::size_t mapped_bytes = 0;
  std::size_t read_bytes = 0;
  std::size_t huge_page_bytes = 0;  // of both, now; 0 where the system does not tell
  double seconds = 0;

  std::string text() const;
};

// The counts under their names, in bytes and seconds.
json::Value to_json(const LoadReport& report);

template <class Traits>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const LoadReport& report) {
  return out << report.text();
}

class WeightFiles {
 public:
  explicit WeightFiles(LoadMode mode = LoadMode::automatic, LoadProgress progress = {})
      : mode_(mode), progress_(std::move(progress)) {}

  // What will be added: decides whether all of it is read. Raises CheckpointError for files that cannot be opened, and
  // in mode `read` when memory does not suffice.
  void expect(std::span<const std::string> paths);
  // A file's bytes, which live as long as this; where they are read, byte `data` begins a line of the caches. (Tensors
  // that begin in the middle of lines, as all of a GGUF file may, are decoded from bf16 30 % more slowly with AMX.)
  // Raises CheckpointError, and CancelledError within 64 MiB.
  std::span<const std::byte> add(const std::string& path, std::size_t data = 0);
  // Are files that were expected read?
  bool reads() const { return reads_; }

  LoadReport report() const;

 private:
  using Buffer = AlignedBuffer<std::byte>;

  // Beside the weights a program needs memory for its states, its scratch and itself.
  static constexpr std::size_t margin = std::size_t{1} << 30;
  // Smaller files are not worth huge pages, nor the question whether there is memory.
  static constexpr std::size_t small = std::size_t{1} << 23;

  void read(PlainFile<CheckpointError>& file, std::span<std::byte> out) const;
  void tell(std::size_t done) const;  // and ends where the call is cancelled

  LoadMode mode_;
  LoadProgress progress_;
  bool reads_ = true;
  bool drops_cache_ = false;
  std::size_t total_ = 0;
  std::size_t before_ = 0;  // bytes of the files that are complete
  std::vector<MappedFile> maps_;
  std::vector<Buffer> buffers_;
  std::vector<std::span<const std::byte>> in_buffers_;
  double seconds_ = 0;
};

#if QWEN35_BODIES

QWEN35_BODY std::string_view name_of(LoadMode mode) {
  return mode == LoadMode::automatic ? "automatic"
         : mode == LoadMode::map     ? "map"
         : mode == LoadMode::read    ? "read"
                                     : "as_used";
}

QWEN35_BODY LoadMode load_mode(std::string_view name) {
  for (const LoadMode mode : {LoadMode::automatic, LoadMode::map, LoadMode::read, LoadMode::as_used}) {
    if (name == name_of(mode)) {
      return mode;
    }
  }
  raise<InputError>(
      concat("\"", shortened(name), "\" is no way to load weights, expected automatic, map, read or as_used"));
}

QWEN35_BODY std::string LoadReport::text() const {
  const auto mebibytes = [](std::size_t bytes) { return (bytes + (std::size_t{1} << 19)) >> 20; };
  return concat(mebibytes(mapped_bytes), " MiB mapped, ", mebibytes(read_bytes), " MiB read, ",
                mebibytes(huge_page_bytes), " MiB of them in huge pages, ", static_cast<std::size_t>(seconds * 1000),
                " ms");
}

QWEN35_BODY json::Value to_json(const LoadReport& report) {
  json::Value out = json::Value::object();
  out["mapped_bytes"] = report.mapped_bytes;
  out["read_bytes"] = report.read_bytes;
  out["huge_page_bytes"] = report.huge_page_bytes;
  out["seconds"] = report.seconds;
  return out;
}

QWEN35_BODY void WeightFiles::expect(std::span<const std::string> paths) {
  for (const std::string& path : paths) {
    total_ += PlainFile<CheckpointError>(path).size();
  }
  reads_ = mode_ == LoadMode::automatic || mode_ == LoadMode::read;
  if (!reads_ || total_ < small || declined()) {
    return;
  }
  if (const std::optional<std::size_t> available = available_memory()) {
    const std::size_t room = *available - std::min(*available, margin);
    if (!holds<CheckpointError>(mode_ != LoadMode::read || total_ <= *available, paths[0], ": ", total_,
                                " bytes of weights are to be read, ", *available,
                                " bytes of memory are there; mapped, the files take none of their own")) {
      return;
    }
    reads_ = mode_ == LoadMode::read || total_ <= room;
    // The file cache may keep what was read for the next program, unless that would crowd out this one.
    drops_cache_ = total_ > room / 2;
  }
}

QWEN35_BODY std::span<const std::byte> WeightFiles::add(const std::string& path, std::size_t data) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  std::span<const std::byte> out;
  PlainFile<CheckpointError> file(path);
  if (declined()) {
    return {};
  }
  constexpr std::size_t line = 64;
  const std::size_t size = file.size(), first = (line - data % line) % line;
  std::optional<Buffer> memory = reads_ ? Buffer::if_there_is_memory(size == 0 ? 0 : first + size) : std::nullopt;
  if (!holds<CheckpointError>(memory || mode_ != LoadMode::read, path, ": no memory for ", file.size(), " bytes")) {
    return {};
  }
  if (memory) {
    prefer_huge_pages({memory->data(), memory->size()});
    const std::span<std::byte> own = size == 0 ? std::span<std::byte>() : std::span(memory->data() + first, size);
    read(file, own);
    out = own;
    buffers_.push_back(std::move(*memory));
    in_buffers_.push_back(out);
  } else {
    maps_.push_back(mode_ == LoadMode::as_used ? MappedFile::as_used(path)
                                               : MappedFile(path, [&](std::size_t done) { tell(before_ + done); }));
    out = maps_.back().bytes();
  }
  before_ += out.size();
  tell(before_);
  seconds_ += std::chrono::duration<double>(Clock::now() - start).count();
  return out;
}

// In rounds, between which progress is told; in a round each thread reads large pieces, which also zeroes and enters
// the pages in parallel.
QWEN35_BODY void WeightFiles::read(PlainFile<CheckpointError>& file, std::span<std::byte> out) const {
#if QWEN35_HAS_POSIX
  constexpr std::size_t piece = std::size_t{1} << 22, round = 16 * piece;  // a few rounds a second from a disk
  std::atomic<int> error{0};
  std::atomic<std::size_t> missing{0};
  for (std::size_t begin = 0; begin < out.size(); begin += round) {
    tell(before_ + begin);
    const std::size_t bytes = std::min(round, out.size() - begin);
    const auto read_piece = [&](std::size_t i) {
      const std::size_t at = begin + i * piece;
      const std::span<std::byte> to = out.subspan(at, std::min(piece, begin + bytes - at));
      int reason = 0;
      const std::size_t got = file.read_at(at, to, reason);
      missing += to.size() - got;
      if (reason != 0) {
        error = reason;
      }
    };
    if (bytes > small) {
      file.advise(begin, 2 * round, PlainFile<CheckpointError>::Need::soon);
      parallel_for((bytes + piece - 1) / piece, read_piece);
    } else {
      for (std::size_t i = 0; i * piece < bytes; ++i) {
        read_piece(i);
      }
    }
    errno = error;
    if (!system_holds<CheckpointError>(error == 0, file.path(), "cannot be read") ||
        !holds<CheckpointError>(missing == 0, file.path(), ": ended ", missing.load(),
                                " bytes too early: the file was cut while it was read")) {
      return;
    }
    if (drops_cache_) {
      file.advise(begin, bytes, PlainFile<CheckpointError>::Need::over);
    }
  }
#else
  file.read(out);
#endif
}

QWEN35_BODY void WeightFiles::tell(std::size_t done) const {
  if (progress_) {
    progress_(done, total_);
  }
  CallScope::step("read", done, total_);
}

QWEN35_BODY LoadReport WeightFiles::report() const {
  LoadReport out;
  out.seconds = seconds_;
  std::vector<std::span<const std::byte>> regions;
  for (const MappedFile& map : maps_) {
    (map.is_mapped() ? out.mapped_bytes : out.read_bytes) += map.bytes().size();
    regions.push_back(map.bytes());
  }
  for (const std::span<const std::byte> bytes : in_buffers_) {
    out.read_bytes += bytes.size();
    regions.push_back(bytes);
  }
  if (out.mapped_bytes + out.read_bytes >= small) {
    out.huge_page_bytes = huge_page_bytes(regions);
  }
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
