// SPDX-License-Identifier: Apache-2.0
// Conversion of rows between stored formats and f32.
#include <qwen35/kernels/formats-inl.hpp>

#if defined(QWEN35_KERNELS_ROW_CONVERSION_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_ROW_CONVERSION_INL_HPP
#undef QWEN35_KERNELS_ROW_CONVERSION_INL_HPP
#else
#define QWEN35_KERNELS_ROW_CONVERSION_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

inline void decode_row(const DecodeRowTask& task) {
  const auto decode = [&task](std::size_t begin, std::size_t count, float* to) {
    decode_vectors(task.format, task.row, task.scales, task.index, begin, count, 1, to);
  };
  const std::size_t whole = task.n / lanes * lanes;
  decode(0, whole, task.out);
  if (whole < task.n) {
    HWY_ALIGN float rest[lanes];
    decode(whole, task.n - whole, rest);
    std::memcpy(task.out + whole, rest, (task.n - whole) * sizeof(float));
  }
}

template <Format F>
inline void encode_values(const float* in, std::size_t n, std::byte* out) {
  using Block = typename StoredAs<F>::Block;
  constexpr std::size_t block_values = format_info(F).block_values;
  if constexpr (is_f32<F>) {
    std::memcpy(out, in, n * sizeof(float));
    return;
  }
  std::size_t i = 0;
  if constexpr (requires { VectorsOf<F>::store(zero(), out, i); }) {
    for (; i + lanes <= n; i += lanes) {
      VectorsOf<F>::store(load(in + i), out, i);
    }
  }
  for (; i < n; i += block_values) {
    Block block;
    StoredAs<F>::encode(in + i, block);
    std::memcpy(out + i / block_values * sizeof(block), &block, sizeof(block));
  }
}

inline void encode_row(const EncodeRowTask& task) {
  if (task.n == 0) {  // pointers may be null
    return;
  }
  visit_keys(task.format, [&task]<Format F>(StoredAs<F>) { encode_values<F>(task.in, task.n, task.out); });
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
