// SPDX-License-Identifier: Apache-2.0
// Random numbers that are a function of where they are used, not of how many were drawn before.
#pragma once

#include <qwen35/core/abi.hpp>

#include <array>
#include <cstdint>

QWEN35_BEGIN_NAMESPACE

// Philox4x32 with 10 rounds. Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC
// 2011.
constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(product0)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

// Names one draw.
struct DrawKey {
  std::uint64_t seed = 0;
  std::uint32_t sequence = 0;  // which prompt
  std::uint32_t sibling = 0;   // which of the sequences that continue it
  std::uint32_t position = 0;  // tokens before the one that is drawn, padding not counted
};

// In [0, 1), a multiple of 2^-53. `lane` numbers draws of one key.
constexpr double uniform(const DrawKey& key, std::uint32_t lane = 0) {
  const auto words = philox4x32({key.position, lane, key.sequence, key.sibling},
                                {static_cast<std::uint32_t>(key.seed), static_cast<std::uint32_t>(key.seed >> 32)});
  return static_cast<double>((std::uint64_t{words[0]} << 21) ^ (words[1] >> 11)) * 0x1p-53;
}

QWEN35_END_NAMESPACE
