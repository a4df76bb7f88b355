// SPDX-License-Identifier: Apache-2.0
// Where a GGUF file is read.
#pragma once

#include <qwen35/weights/gguf_value.hpp>

#include <string>

QWEN35_BEGIN_NAMESPACE

// Reads a file's parts one after the other; every read says what it was for when the file ends before.
class GgufCursor {
 public:
  GgufCursor(std::span<const std::byte> file, const std::string& source) : file_(file), source_(source) {}

  std::size_t at() const { return at_; }
  std::size_t left() const { return file_.size() - at_; }
  // Where a read is declined it gives nothing, or 0.
  std::span<const std::byte> take(std::uint64_t size, std::string_view what);
  template <class T>
  T number(std::string_view what) {
    const std::span<const std::byte> bytes = take(sizeof(T), what);
    return bytes.empty() ? T{0} : read_little_endian<T>(bytes.data());
  }
  // A length and so many bytes.
  std::string_view text(std::size_t most, std::string_view what);
  // So many things of at least `bytes` bytes must fit into the rest of the file.
  std::size_t count(std::uint64_t stated, std::size_t bytes, std::string_view what) const;
  template <class... Parts>
  [[nodiscard]] bool expect(bool condition, const Parts&... parts) const {
    return holds<CheckpointError>(condition, source_, ": damaged GGUF file: ", parts...);
  }

 private:
  std::span<const std::byte> file_;
  const std::string& source_;
  std::size_t at_ = 0;
};

#if QWEN35_BODIES

QWEN35_BODY std::span<const std::byte> GgufCursor::take(std::uint64_t size, std::string_view what) {
  if (!expect(size <= left(), "byte ", at_, ": ", what, " takes ", size, " bytes, the file has ", left(),
              " more: it is cut or damaged")) {
    return {};
  }
  at_ += static_cast<std::size_t>(size);
  return file_.subspan(at_ - static_cast<std::size_t>(size), static_cast<std::size_t>(size));
}

QWEN35_BODY std::string_view GgufCursor::text(std::size_t most, std::string_view what) {
  const auto length = number<std::uint64_t>(what);
  if (!expect(length <= most, "byte ", at_, ": ", what, " of ", length, " bytes, the longest has ", most)) {
    return {};
  }
  const std::span<const std::byte> bytes = take(length, what);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

QWEN35_BODY std::size_t GgufCursor::count(std::uint64_t stated, std::size_t bytes, std::string_view what) const {
  return expect(stated <= left() / bytes, stated, " ", what, ", but only ", left(),
                " bytes follow: it is cut or damaged")
             ? static_cast<std::size_t>(stated)
             : 0;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
