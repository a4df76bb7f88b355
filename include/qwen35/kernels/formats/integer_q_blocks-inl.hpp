// SPDX-License-Identifier: Apache-2.0
// q8_0, q4_0, q4_1, q5_0, q5_1, see q_blocks.hpp, as integers in vectors.
#include <qwen35/kernels/formats/integer_blocks-inl.hpp>

#if defined(QWEN35_KERNELS_FORMATS_INTEGER_Q_BLOCKS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_FORMATS_INTEGER_Q_BLOCKS_INL_HPP
#undef QWEN35_KERNELS_FORMATS_INTEGER_Q_BLOCKS_INL_HPP
#else
#define QWEN35_KERNELS_FORMATS_INTEGER_Q_BLOCKS_INL_HPP
#endif

#ifdef QWEN35_INTEGER_VECTORS

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

template <>
struct IntegerReader<Format::q8_0> {
  using Kind = CodeKind<32, false, 0>;
  static constexpr std::size_t bytes = row_bytes(Format::q8_0, quantized_values);
  template <class Load, class Put>
  static HWY_INLINE void codes(const Load& load, const Put& put) {
    QWEN35_UNROLL
    for (std::size_t g = 0; g < 8; ++g) {
      put(g, from_signed(load(g * 34 + 2)), from_signed(load(g * 34 + 18)));
    }
  }
  static HWY_INLINE GroupScales<Kind> scales(const std::uint8_t* const* rows) {
    return {{halves_pieces<34>(rows, 0), halves_pieces<34>(rows, 136)}, {}};
  }
};

// Blocks of 32 codes of `Stride` bytes that end in 16 bytes of low halves; `Fifth`: before those are a fifth bit of
// each.
template <std::size_t Stride, bool Fifth>
struct HalfBytes {
  template <class Load, class Put>
  static HWY_INLINE void read(const Load& load, const Put& put) {
    QWEN35_UNROLL
    for (std::size_t g = 0; g < 8; ++g) {
      const auto halves = load((g + 1) * Stride - 16);
      if constexpr (Fifth) {
        const auto bits = load((g + 1) * Stride - 20);
        put(g, either(masked(halves, 15), spread_fifth<0>(bits)),
            either(shift_right<4>(halves, 15), spread_fifth<2>(bits)));
      } else {
        put(g, masked(halves, 15), shift_right<4>(halves, 15));
      }
    }
  }
};

template <>
struct IntegerReader<Format::q4_0> {
  using Kind = CodeKind<32, false, 15, 8>;
  static constexpr std::size_t bytes = row_bytes(Format::q4_0, quantized_values);
  template <class Load, class Put>
  static HWY_INLINE void codes(const Load& load, const Put& put) {
    HalfBytes<18, false>::read(load, put);
  }
  static HWY_INLINE GroupScales<Kind> scales(const std::uint8_t* const* rows) {
    return {{halves_pieces<18>(rows, 0), halves_pieces<18>(rows, 72)}, {}};
  }
};

template <>
struct IntegerReader<Format::q4_1> {
  using Kind = CodeKind<32, true, 15>;
  static constexpr std::size_t bytes = row_bytes(Format::q4_1, quantized_values);
  template <class Load, class Put>
  static HWY_INLINE void codes(const Load& load, const Put& put) {
    HalfBytes<20, false>::read(load, put);
  }
  static HWY_INLINE GroupScales<Kind> scales(const std::uint8_t* const* rows) {
    return {{halves_pieces<20>(rows, 0), halves_pieces<20>(rows, 80)},
            {halves_pieces<20, 2>(rows, 0), halves_pieces<20, 2>(rows, 80)}};
  }
};

template <>
struct IntegerReader<Format::q5_0> {
  using Kind = CodeKind<32, false, 31, 16>;
  static constexpr std::size_t bytes = row_bytes(Format::q5_0, quantized_values);
  template <class Load, class Put>
  static HWY_INLINE void codes(const Load& load, const Put& put) {
    HalfBytes<22, true>::read(load, put);
  }
  static HWY_INLINE GroupScales<Kind> scales(const std::uint8_t* const* rows) {
    return {{halves_pieces<22>(rows, 0), halves_pieces<22>(rows, 88)}, {}};
  }
};

template <>
struct IntegerReader<Format::q5_1> {
  using Kind = CodeKind<32, true, 31>;
  static constexpr std::size_t bytes = row_bytes(Format::q5_1, quantized_values);
  template <class Load, class Put>
  static HWY_INLINE void codes(const Load& load, const Put& put) {
    HalfBytes<24, true>::read(load, put);
  }
  static HWY_INLINE GroupScales<Kind> scales(const std::uint8_t* const* rows) {
    return {{halves_pieces<24>(rows, 0), halves_pieces<24>(rows, 96)},
            {halves_pieces<24, 2>(rows, 0), halves_pieces<24, 2>(rows, 96)}};
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QWEN35_INTEGER_VECTORS

#endif
