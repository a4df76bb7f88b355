// SPDX-License-Identifier: Apache-2.0
// The block formats at run time: one function for each, so that what works on blocks is compiled once for all of them.
#pragma once

#include <qwen35/formats/affine_blocks.hpp>
#include <qwen35/formats/fp4_blocks.hpp>
#include <qwen35/formats/grid_blocks.hpp>
#include <qwen35/formats/group_blocks.hpp>
#include <qwen35/formats/k_blocks.hpp>
#include <qwen35/formats/q_blocks.hpp>
#include <qwen35/formats/table_blocks.hpp>

QWEN35_BEGIN_NAMESPACE

#define QWEN35_BLOCK_CHECK(name, values, bytes)                                             \
  static_assert(sizeof(StoredAs<Format::name>::Block) == bytes && values % code_group == 0, \
                "a format's block does not have the size that core/format.hpp says");
QWEN35_BLOCK_FORMATS(QWEN35_BLOCK_CHECK)
#undef QWEN35_BLOCK_CHECK

// The largest block.
inline constexpr std::size_t most_block_values = 256;

// Unpacks `count` values, whole blocks and not more than most_block_values, from the start of a block.
using UnpackBlocks = void (*)(const std::byte* blocks, std::size_t count, const Codes& to);

namespace detail {

template <Format F>
inline void unpack_blocks(const std::byte* blocks, std::size_t count, const Codes& to) {
  using Block = typename StoredAs<F>::Block;
  constexpr std::size_t values = format_info(F).block_values;
  for (std::size_t i = 0; i < count; i += values, blocks += sizeof(Block)) {
    StoredAs<F>::unpack(*reinterpret_cast<const Block*>(blocks),
                        {to.codes + i, to.scales + i / code_group, to.offsets + i / code_group});
  }
}

}  // namespace detail

// Of a block format that the program holds; null for others.
constexpr UnpackBlocks unpack_function(Format format) {
  switch (format) {
#define QWEN35_FORMAT_CASE(name, ...)                         \
  case Format::name:                                          \
    if constexpr (format_info(Format::name).block_values > 1) \
      return detail::unpack_blocks<Format::name>;             \
    else                                                      \
      return nullptr;
    QWEN35_LISTED_FORMATS(QWEN35_FORMAT_CASE)
#undef QWEN35_FORMAT_CASE
    default:
      return nullptr;
  }
}

QWEN35_END_NAMESPACE
