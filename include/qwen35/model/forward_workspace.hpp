// SPDX-License-Identifier: Apache-2.0
// Scratch memory of forwards, whatever the config; Workspace<Config> knows beforehand how much a model needs.
#pragma once

#include <qwen35/core/arena.hpp>

#include <algorithm>

QWEN35_BEGIN_NAMESPACE

// Belongs to one caller at a time; reuse it to forward without allocating. A pass handles at most `tokens` tokens of at
// most `sequences` sequences at once, what is more goes through in pieces with the same result.
class ForwardWorkspace {
 public:
  // On the heap; the memory is taken by the first forward.
  explicit ForwardWorkspace(std::size_t tokens, std::size_t sequences = 1)
      : tokens_(std::max<std::size_t>(tokens, 1)), sequences_(std::max<std::size_t>(sequences, 1)), on_heap_(true) {}

  std::size_t tokens() const { return tokens_; }
  std::size_t sequences() const { return sequences_; }
  Arena& arena() { return arena_; }
  std::size_t bytes() const { return arena_.bytes() + rows_.size_bytes(); }

  // --- for the model ---

  // An arena of so many bytes, and room for results of `row_floats` floats for each of `rows` rows, which stay until
  // the next forward. Raises InputError when the caller's memory is too small for the arena.
  float* prepare(std::size_t arena_bytes, std::size_t row_floats, std::size_t rows);

 protected:
  // In the caller's memory: the arena, then the rows of `row_floats` floats each.
  ForwardWorkspace(std::span<std::byte> memory, std::size_t tokens, std::size_t sequences, std::size_t arena_bytes,
                   std::size_t row_floats);

 private:
  std::size_t tokens_;
  std::size_t sequences_;
  bool on_heap_ = false;
  Arena arena_;
  AlignedBuffer<float> own_rows_;
  std::span<float> rows_;
};

#if QWEN35_BODIES

QWEN35_BODY float* ForwardWorkspace::prepare(std::size_t arena_bytes, std::size_t row_floats, std::size_t rows) {
  require<InputError>(on_heap_ || arena_bytes <= arena_.bytes(), "workspace memory of ", arena_.bytes(), " bytes, ",
                      arena_bytes, " needed for ", tokens_, " tokens");
  if (arena_bytes > arena_.bytes()) {
    arena_ = Arena(arena_bytes);
  }
  const std::size_t floats = std::max(rows, sequences_) * row_floats;
  if (floats > rows_.size() && rows > 0) {
    own_rows_ = AlignedBuffer<float>::uninitialised(floats, "rows of logits");
    rows_ = {own_rows_.data(), own_rows_.size()};
  }
  return rows_.data();
}

QWEN35_BODY ForwardWorkspace::ForwardWorkspace(std::span<std::byte> memory, std::size_t tokens, std::size_t sequences,
                                               std::size_t arena_bytes, std::size_t row_floats)
    : tokens_(tokens),
      sequences_(sequences),
      arena_(memory.first(arena_bytes)),
      rows_(reinterpret_cast<float*>(memory.data() + arena_bytes), sequences * row_floats) {}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
