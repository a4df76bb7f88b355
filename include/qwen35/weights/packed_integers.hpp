// SPDX-License-Identifier: Apache-2.0
// Small unsigned integers as the folders of GPTQ, AWQ and compressed-tensors pack them: several in a word of 32 bits.
#pragma once

#include <qwen35/core/abi.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>

QWEN35_BEGIN_NAMESPACE

// Integers [rows, cols] of 4 or 8 bits. A word holds 8 or 4 neighbours of a row or of a column, the first in the lowest
// bits, or in AWQ's order. Words stand at any address.
struct PackedIntegers {
  const std::byte* data = nullptr;
  std::size_t row_step = 0;  // words from a row (or a group of neighbouring ones) to the next
  std::size_t col_step = 0;
  std::size_t bits = 4;
  bool along_rows = false;  // a word holds neighbours of a column: of several rows
  bool awq_order = false;   // 0 2 4 6 1 3 5 7, from the lowest bits up
  std::uint32_t flip = 0;   // exclusive or: 128 for signed bytes, which then begin at -128
  std::uint32_t added = 0;  // to each word as a whole, with what its integers carry to the next

  std::size_t in_word() const { return 32 / bits; }

  std::uint32_t word(std::size_t i, std::size_t k) const {
    std::uint32_t out;
    std::memcpy(&out, data + (i * row_step + k * col_step) * sizeof(out), sizeof(out));
    return out + added;
  }

  std::uint32_t at(std::size_t i, std::size_t k) const {
    constexpr std::uint8_t awq_places[] = {0, 4, 1, 5, 2, 6, 3, 7};
    const std::size_t shift = bits == 4 ? 3 : 2, along = along_rows ? i : k, own = along & (in_word() - 1);
    const std::uint32_t from = along_rows ? word(i >> shift, k) : word(i, k >> shift);
    return (from >> bits * (awq_order ? awq_places[own] : own) & ((1u << bits) - 1)) ^ flip;
  }

  // Integers [k, k + 32) of row i, a byte each; k is a multiple of 32.
  void read_32(std::size_t i, std::size_t k, std::uint8_t* to) const {
    if (along_rows) {
      for (std::size_t j = 0; j < 32; ++j) {
        to[j] = static_cast<std::uint8_t>(at(i, k + j));
      }
      return;
    }
    for (std::size_t j = 0; j < 32; j += in_word()) {
      std::uint32_t from = word(i, (k + j) / in_word());
      if (bits == 8) {
        from ^= flip * 0x01010101u;
        std::memcpy(to + j, &from, 4);
      } else {  // halves of bytes move apart
        std::uint64_t eight = from;
        eight = (eight | eight << 16) & 0x0000ffff0000ffffu;
        eight = (eight | eight << 8) & 0x00ff00ff00ff00ffu;
        eight = (eight | eight << 4) & 0x0f0f0f0f0f0f0f0fu;
        std::memcpy(to + j, &eight, 8);
      }
    }
  }
};

QWEN35_END_NAMESPACE
