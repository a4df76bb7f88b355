// SPDX-License-Identifier: Apache-2.0
// How products are cut: which way many tokens go, blocks of a row, rows of a thread, the layout of packed tokens. For
// the kernels and for what spreads products over the threads.
#pragma once

#include <qwen35/core/abi.hpp>

#include <cstddef>

QWEN35_BEGIN_NAMESPACE

namespace kernels {

// Up to this many tokens reading the rows once matters more than what it costs to decode them again for each tile of
// tokens. (At 64 tokens both ways are alike; at 128 tokens AVX2 on Zen 3 gains 40 % by packing, AVX-512 on Zen 4
// nothing yet.)
inline constexpr std::size_t few_tokens = 64;

// Tokens are packed in groups of 6, or of 16.
inline constexpr std::size_t packed_granule = 48;

// Floats of a packed block: as they are, or each as three bf16 values.
constexpr std::size_t packed_size(std::size_t tokens, std::size_t length) {
  const std::size_t plain = (tokens + 5) / 6 * 6 * ((length + 15) / 16 * 16);
  const std::size_t split = (tokens + 15) / 16 * 16 * ((length + 31) / 32 * 32) / 2 * 3;
  return plain > split ? plain : split;
}

// Four rows and six tokens of a block fill 25 of the 32 KiB of a first-level cache.
inline constexpr std::size_t matmul_block_limit = 640;

// Length of the blocks of a row: the fewest that keep to the limit, evenly long. A multiple of 32.
constexpr std::size_t matmul_block(std::size_t cols) {
  const std::size_t blocks = (cols + matmul_block_limit - 1) / matmul_block_limit;
  return blocks == 0 ? 32 : ((cols + blocks - 1) / blocks + 31) / 32 * 32;
}

// Rows to hand out to a thread: any multiple of it is efficient.
inline constexpr std::size_t matmul_row_granule = 16;

}  // namespace kernels

QWEN35_END_NAMESPACE
