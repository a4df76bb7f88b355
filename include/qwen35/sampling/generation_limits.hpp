// SPDX-License-Identifier: Apache-2.0
// The largest counts that a generation takes from outside; each is held against them before any work is done for it.
#pragma once

#include <qwen35/core/dtype.hpp>
#include <qwen35/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

QWEN35_BEGIN_NAMESPACE

struct GenerationLimits {
  static constexpr std::int64_t tokens = std::numeric_limits<std::int32_t>::max();  // also of n-grams and top_k
  static constexpr std::int64_t num_beams = 1024;
  static constexpr std::int64_t num_return_sequences = 4096;
  static constexpr std::size_t max_sequences = 65536;  // of a batch
  static constexpr std::size_t prefill_chunk = std::size_t{1} << 24;
  // A score that is divided or multiplied by these is still a float.
  static constexpr double least_divisor = 1e-30;
  static constexpr double most_divisor = 1e30;
};

// Raises InputError, which names the setting, unless `value` is from `least` to `most`.
template <class T>
void require_within(const char* name, T value, T least, T most) {
  if (value < least || value > most) {
    decline<InputError>(concat(name, " is ", value, ", expected ", least, " to ", most));
  }
}

// Of a vocabulary of so many ids; 0: nobody knows how many.
inline bool is_token_id(TokenId id, std::size_t vocab_size) {
  return id >= 0 && (vocab_size == 0 || static_cast<std::size_t>(id) < vocab_size);
}
// For a message about one that is none.
inline std::string expected_token_ids(std::size_t vocab_size) {
  return vocab_size == 0 ? "expected at least 0" : concat("expected 0 to ", vocab_size - 1);
}

QWEN35_END_NAMESPACE
