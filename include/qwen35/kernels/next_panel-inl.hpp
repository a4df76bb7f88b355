// SPDX-License-Identifier: Apache-2.0
// The stored bytes that a panel of integer products is made of next, asked for while this one is multiplied.
#include <qwen35/kernels/integer_dot-inl.hpp>

#include <algorithm>

#if defined(QWEN35_KERNELS_NEXT_PANEL_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_NEXT_PANEL_INL_HPP
#undef QWEN35_KERNELS_NEXT_PANEL_INL_HPP
#else
#define QWEN35_KERNELS_NEXT_PANEL_INL_HPP
#endif

#ifdef QWEN35_INTEGER_VECTORS

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

// Asked for a few lines at a time while tiles are multiplied. All lines at once, as the panel before is expanded, are
// more than a core waits for together: experts of 16 tokens are 1.08 times as fast from memory when each tile asks for
// its share (Zen 3; q8_0, q4_0 and q4_k). AVX-512, whose tiles take as long as a line, asks before each block of a
// tile, and into the second-level cache: 1.1 to 1.2 times as fast (Emerald Rapids; by tile and into the first
// level 1.0 to 1.15). Elsewhere it was not measured, and each block asks for its line of the panel after it as it is
// expanded.
inline constexpr bool fetches_by_tile = HWY_TARGET == HWY_AVX2, fetches_by_block = HWY_TARGET <= HWY_AVX3;

class NextPanel {
 public:
  // After `span` blocks and those before it of the panel from `row` on; it is asked for in so many calls.
  HWY_INLINE NextPanel(const IntegerMatmulTask& task, std::size_t row, std::size_t span, std::size_t panel_rows,
                       std::size_t calls)
      : stride_(task.w.row_bytes) {
    const std::size_t all_blocks = quantized_blocks(task.w.cols);
    const std::size_t block_bytes = row_bytes(task.w.format, quantized_values);
    const bool same_rows = span + span_blocks < all_blocks;
    const std::size_t begin = same_rows ? row : row + panel_rows, block = same_rows ? span + span_blocks : 0;
    bytes_ = std::min(span_blocks, all_blocks - block) * block_bytes;
    if (begin < task.row_end) {
      at_ = address(task.w.row(begin)) + block * block_bytes;
      rows_ = std::min(panel_rows, task.row_end - begin);
    } else if (task.next != nullptr) {
      at_ = address(task.next);
      rows_ = panel_rows;
    }
    if (bytes_ >= stride_) {  // one piece of memory
      bytes_ = stride_ * rows_;
      rows_ = rows_ > 0 ? 1 : 0;
    }
    lines_ = (rows_ * ((bytes_ + 63) / 64) + calls - 1) / calls;
  }

  HWY_INLINE void fetch_some() {
    for (std::size_t i = 0; i < lines_ && rows_ > 0; ++i) {
      const std::byte* const row = reinterpret_cast<const std::byte*>(at_);
      fetches_by_block ? fetch_near(row, line_) : fetch(row, line_);
      line_ += 64;
      if (line_ >= bytes_) {
        line_ = 0;
        at_ += stride_;
        --rows_;
      }
    }
  }

 private:
  static HWY_INLINE std::uintptr_t address(const std::byte* p) { return reinterpret_cast<std::uintptr_t>(p); }

  std::uintptr_t at_ = 0;
  std::size_t rows_ = 0, bytes_, stride_, line_ = 0, lines_;
};

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QWEN35_INTEGER_VECTORS

#endif
