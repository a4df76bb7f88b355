// SPDX-License-Identifier: Apache-2.0
// Formats without a reader of their own: a block is unpacked to codes, scales and offsets, which are read then.
#include <qwen35/formats/unpack.hpp>
#include <qwen35/kernels/formats/integer_blocks-inl.hpp>
#if defined(QWEN35_KERNELS_SOURCE)
#include <qwen35/kernels/formats/unpack_grids-inl.hpp>
#endif

#if defined(QWEN35_KERNELS_FORMATS_UNPACKED_BLOCKS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_FORMATS_UNPACKED_BLOCKS_INL_HPP
#undef QWEN35_KERNELS_FORMATS_UNPACKED_BLOCKS_INL_HPP
#else
#define QWEN35_KERNELS_FORMATS_UNPACKED_BLOCKS_INL_HPP
#endif

#ifdef QWEN35_INTEGER_VECTORS

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

// `Offsets`: formats that may have some.
template <std::size_t Group, bool Offsets>
struct UnpackedReader {
  using Kind = CodeKind<Group, Offsets, 0>;
  static constexpr std::size_t bytes = 0;
  template <class Load, class Put>
  static HWY_INLINE void codes(const Load& load, const Put& put) {
    QWEN35_UNROLL
    for (std::size_t g = 0; g < 8; ++g) {
      put(g, from_signed(load(g * 32)), from_signed(load(g * 32 + 16)));
    }
  }
  static HWY_INLINE GroupScales<Kind> scales(const std::uint8_t* const* rows) {
    const float* scales_of[vector_rows];
    const float* offsets_of[vector_rows];
    QWEN35_UNROLL
    for (std::size_t r = 0; r < vector_rows; ++r) {
      const UnpackedBlock& from = *reinterpret_cast<const UnpackedBlock*>(rows[r]);
      scales_of[r] = from.scales;
      offsets_of[r] = from.offsets;
    }
    GroupScales<Kind> out = {};
    QWEN35_UNROLL
    for (std::size_t m = 0; m < Kind::sums / 4; ++m) {
      out.scales[m] = load_pieces(scales_of, 4 * m);
      if constexpr (Offsets) {
        out.offsets[m] = load_pieces(offsets_of, 4 * m);
      }
    }
    return out;
  }
};

// 256 values of a row for a reader that cannot take them from where they are: there are fewer, or they have to be
// unpacked. What lies beyond the row is multiplied with zeros.
inline HWY_NOINLINE const std::uint8_t* copy_block(const Matrix& w, std::size_t row, std::size_t block, bool unpack,
                                                   UnpackedBlock& room) {
  const std::byte* const from = w.row(row) + block * row_bytes(w.format, quantized_values);
  const std::size_t left = w.cols - block * quantized_values;
  const std::size_t values = left < quantized_values ? left : quantized_values;
  if (values < quantized_values) {
    std::memset(&room, 0, sizeof(room));
  }
  if (unpack) {
#if defined(QWEN35_KERNELS_SOURCE) && HWY_ARCH_X86
    if (unpack_grids(w.format, from, room)) {
      return reinterpret_cast<const std::uint8_t*>(&room);
    }
#endif
    unpack_function(w.format)(from, values, {room.codes, room.scales, room.offsets});
    for (std::size_t i = 1; i < 8 && integer_group(w.format) == 32; ++i) {
      room.scales[i] = room.scales[2 * i];
      room.offsets[i] = room.offsets[2 * i];
    }
  } else {
    std::memcpy(&room, from, row_bytes(w.format, values));
  }
  return reinterpret_cast<const std::uint8_t*>(&room);
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QWEN35_INTEGER_VECTORS

#endif
