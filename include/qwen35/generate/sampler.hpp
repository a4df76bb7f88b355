// SPDX-License-Identifier: Apache-2.0
// Choosing a token from scores.
#pragma once

#include <qwen35/core/dtype.hpp>

#include <cmath>
#include <span>

QWEN35_BEGIN_NAMESPACE

// The first of the largest scores.
inline TokenId greedy_token(std::span<const float> scores) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < scores.size(); ++i) {
    best = scores[i] > scores[best] ? i : best;
  }
  return static_cast<TokenId>(best);
}

// A number in [0, 1) that depends on nothing but its arguments: SplitMix64 (Steele et al., 2014) over a mix of them.
inline double uniform_draw(std::uint64_t seed, std::uint64_t sequence, std::uint64_t position, std::uint64_t index = 0) {
  std::uint64_t z = seed;
  for (const std::uint64_t value : {sequence, position, index}) {
    z += 0x9E3779B97F4A7C15u + value * 0xD1B54A32D192ED03u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
  }
  return static_cast<double>(z >> 11) * 0x1p-53;
}

// The token at a point `u` of [0, 1) under softmax(scores). A row without any finite score gives the first token.
inline TokenId sampled_token(std::span<const float> scores, double u) {
  const float largest = scores[static_cast<std::size_t>(greedy_token(scores))];
  double total = 0.0;
  for (const float score : scores) {
    total += static_cast<double>(std::exp(score - largest));
  }
  double rest = u * total;
  std::size_t last = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const auto weight = static_cast<double>(std::exp(scores[i] - largest));
    if (weight > 0.0) {
      last = i;
      if (rest < weight) {
        break;
      }
      rest -= weight;
    }
  }
  return static_cast<TokenId>(last);
}

QWEN35_END_NAMESPACE
