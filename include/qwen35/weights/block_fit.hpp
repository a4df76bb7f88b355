// SPDX-License-Identifier: Apache-2.0
// Rows of values written in the block formats, so that the weighted error of each block is small.
#pragma once

#include <qwen35/formats/formats.hpp>
#include <qwen35/formats/unpack.hpp>

#include <cstddef>

#if QWEN35_BODIES
#include <qwen35/weights/group_fit.hpp>
#include <qwen35/weights/scale_fit.hpp>

#include <algorithm>
#include <cstring>
#endif

QWEN35_BEGIN_NAMESPACE

// Can fit_row() write the format?
constexpr bool is_fitted(Format format) {
  return is_available(format) &&
         (format == Format::q8_0 || format == Format::q4_0 || format == Format::q4_1 || format == Format::q5_0 ||
          format == Format::q5_1 || format == Format::q4_k || format == Format::q5_k || format == Format::q6_k);
}

// Writes `count` values, whole blocks, of a fitted format to `blocks`. The errors of values count by their weights,
// which are not negative; weights of one block that are all 0 count alike, as without any (null). Values and weights
// must be finite. The result depends on nothing but the block's own values and weights.
void fit_row(Format format, const float* values, const float* weights, std::size_t count, std::byte* blocks);

#if QWEN35_BODIES

namespace detail {

// 32 codes from 0 to 31: the low four bits in halves, the fifth one beside them if there is a place for it.
inline void put_nibbles(const float* codes, float zero, std::uint8_t* low, std::uint8_t* fifth) {
  std::uint32_t bits = 0;
  std::memset(low, 0, 16);
  for (std::size_t i = 0; i < 32; ++i) {
    const auto code = static_cast<std::uint32_t>(static_cast<int>(codes[i] + zero));
    low[i % 16] = static_cast<std::uint8_t>(low[i % 16] | (code & 15u) << 4 * (i / 16));
    bits |= (code >> 4) << i;
  }
  for (std::size_t i = 0; fifth != nullptr && i < 4; ++i) {
    fifth[i] = static_cast<std::uint8_t>(bits >> 8 * i & 255u);
  }
}

// Into a block's nibbles.
template <class Block>
void put_nibbles(const float* codes, float zero, Block& block) {
  if constexpr (requires { block.fifth; }) {
    put_nibbles(codes, zero, block.codes, block.fifth);
  } else {
    put_nibbles(codes, zero, block.codes, nullptr);
  }
}

template <Format F>
struct BlockFit;

// One byte a code.
template <>
struct BlockFit<Format::q8_0> {
  static void write(const float* values, const float* weights, StoredAs<Format::q8_0>::Block& block) {
    const ScaleFitter fitter(values, weights, 32, -127.0f, 127.0f);
    float codes[32];
    fitter.codes({coded::stored_f16(fitter.best_as_f16(fitter.symmetric()).scale, block.scale), 0.0f}, codes);
    for (std::size_t i = 0; i < 32; ++i) {
      block.codes[i] = static_cast<std::int8_t>(codes[i]);
    }
  }
};

// Four or five bits around zero.
template <Format F>
struct NibbleFit {
  static constexpr float zero = F == Format::q4_0 ? 8.0f : 16.0f;
  static void write(const float* values, const float* weights, typename StoredAs<F>::Block& block) {
    const ScaleFitter fitter(values, weights, 32, -zero, zero - 1.0f);
    float codes[32];
    fitter.codes({coded::stored_f16(fitter.best_as_f16(fitter.symmetric()).scale, block.scale), 0.0f}, codes);
    put_nibbles(codes, zero, block);
  }
};
template <>
struct BlockFit<Format::q4_0> : NibbleFit<Format::q4_0> {};
template <>
struct BlockFit<Format::q5_0> : NibbleFit<Format::q5_0> {};

// Four or five bits from an offset on.
template <Format F>
struct OffsetFit {
  static void write(const float* values, const float* weights, typename StoredAs<F>::Block& block) {
    const ScaleFitter fitter(values, weights, 32, 0.0f, F == Format::q4_1 ? 15.0f : 31.0f);
    const ScaleFit fit = fitter.best_as_f16(fitter.affine(false));
    float codes[32];
    const float scale = coded::stored_f16(fit.scale, block.scale);
    fitter.codes({scale, coded::stored_f16(fit.offset, block.offset)}, codes);
    put_nibbles(codes, 0.0f, block);
  }
};
template <>
struct BlockFit<Format::q4_1> : OffsetFit<Format::q4_1> {};
template <>
struct BlockFit<Format::q5_1> : OffsetFit<Format::q5_1> {};

// Eight groups of 32, codes of four or five bits.
template <Format F>
struct PairBlockFit {
  static void write(const float* values, const float* weights, typename StoredAs<F>::Block& block) {
    const EightGroupsFit fit(values, weights, F == Format::q4_k ? 15.0f : 31.0f);
    fit.write(block.scale, block.offset, block.groups);
    std::memset(block.codes, 0, sizeof(block.codes));
    if constexpr (F == Format::q5_k) {
      std::memset(block.fifth, 0, sizeof(block.fifth));
    }
    for (std::size_t part = 0; part < 8; ++part) {
      float codes[32];
      fit.codes(part, codes);
      for (std::size_t i = 0; i < 32; ++i) {
        const auto code = static_cast<std::uint32_t>(codes[i]);
        std::uint8_t& low = block.codes[part / 2 * 32 + i];
        low = static_cast<std::uint8_t>(low | (code & 15u) << 4 * (part % 2));
        if constexpr (F == Format::q5_k) {
          block.fifth[i] = static_cast<std::uint8_t>(block.fifth[i] | (code >> 4) << part);
        }
      }
    }
  }
};
template <>
struct BlockFit<Format::q4_k> : PairBlockFit<Format::q4_k> {};
template <>
struct BlockFit<Format::q5_k> : PairBlockFit<Format::q5_k> {};

// Sixteen groups of 16, codes of six bits.
template <>
struct BlockFit<Format::q6_k> {
  static void write(const float* values, const float* weights, StoredAs<Format::q6_k>::Block& block) {
    const SixteenGroupsFit fit(values, weights);
    fit.write(block.scale, block.groups);
    std::memset(block.low, 0, sizeof(block.low));
    std::memset(block.high, 0, sizeof(block.high));
    for (std::size_t g = 0; g < 16; ++g) {
      float codes[16];
      fit.codes(g, codes);
      const std::size_t part = g / 2, half = part / 4;
      for (std::size_t i = 0; i < 16; ++i) {
        const std::size_t at = g % 2 * 16 + i;
        const auto code = static_cast<std::uint32_t>(static_cast<int>(codes[i] - SixteenGroupsFit::lowest));
        std::uint8_t& low = block.low[half * 64 + part % 2 * 32 + at];
        std::uint8_t& high = block.high[half * 32 + at];
        low = static_cast<std::uint8_t>(low | (code & 15u) << 4 * (part % 4 / 2));
        high = static_cast<std::uint8_t>(high | (code >> 4) << 2 * (part % 4));
      }
    }
  }
};

template <Format F>
void fit_blocks(const float* values, const float* weights, std::size_t count, std::byte* blocks) {
  using Block = typename StoredAs<F>::Block;
  constexpr std::size_t size = format_info(F).block_values;
  float alike[size];
  std::fill_n(alike, size, 1.0f);
  for (std::size_t at = 0; at < count; at += size, blocks += sizeof(Block)) {
    const float* const given = weights == nullptr ? alike : weights + at;
    const bool none = std::all_of(given, given + size, [](float weight) { return weight == 0.0f; });
    BlockFit<F>::write(values + at, none ? alike : given, *reinterpret_cast<Block*>(blocks));
  }
}

}  // namespace detail

QWEN35_BODY void fit_row(Format format, const float* values, const float* weights, std::size_t count,
                         std::byte* blocks) {
  require<InputError>(is_fitted(format), "fit_row: this program cannot write the format ", name(format));
  require_whole_blocks(format, count, "fit_row");
  switch (format) {
#define QWEN35_FIT(name) \
  case Format::name:     \
    return detail::fit_blocks<Format::name>(values, weights, count, blocks);
    QWEN35_FIT(q8_0)
    QWEN35_FIT(q4_0)
    QWEN35_FIT(q4_1)
    QWEN35_FIT(q5_0)
    QWEN35_FIT(q5_1)
    QWEN35_FIT(q4_k)
    QWEN35_FIT(q5_k)
    QWEN35_FIT(q6_k)
#undef QWEN35_FIT
    default:
      return;
  }
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
