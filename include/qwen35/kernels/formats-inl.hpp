// SPDX-License-Identifier: Apache-2.0
// The stored formats in vectors.
#include <qwen35/core/matrix.hpp>
#include <qwen35/formats/formats.hpp>
#include <qwen35/kernels/formats/bf16-inl.hpp>
#include <qwen35/kernels/formats/blocks-inl.hpp>
#include <qwen35/kernels/formats/f16-inl.hpp>
#include <qwen35/kernels/formats/f32-inl.hpp>
#include <qwen35/kernels/formats/f8_e4m3-inl.hpp>

#if defined(QWEN35_KERNELS_FORMATS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_FORMATS_INL_HPP
#undef QWEN35_KERNELS_FORMATS_INL_HPP
#else
#define QWEN35_KERNELS_FORMATS_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

// Whether rows of the format are rows of f32 as they are.
template <Format F>
inline constexpr bool is_f32 = std::is_same_v<typename StoredAs<F>::Block, float>;

// visit() for the formats that holds_keys() names: of those of blocks one is written and read row by row too.
template <class Fn>
HWY_INLINE decltype(auto) visit_keys(Format format, const Fn& fn) {
  if constexpr (is_available(Format::q8_0)) {
    if (format == Format::q8_0) {
      return fn(StoredAs<Format::q8_0>{});
    }
  }
  return visit(format, fn);
}

// Values i, i + 1, ... i + count - 1 of a row, `count` < lanes; the other lanes 0. Reads nothing beyond them.
template <Format F>
HWY_NOINLINE Vec load_first(const std::byte* row, std::size_t i, std::size_t count) {
  if constexpr (is_f32<F>) {
    return load_first(reinterpret_cast<const float*>(row) + i, count);
  } else {
    constexpr std::size_t bytes = format_info(F).block_bytes;
    HWY_ALIGN std::byte padded[lanes * bytes] = {};
    std::memcpy(padded, row + i * bytes, count * bytes);
    return VectorsOf<F>::load(padded, 0);
  }
}

// Stored values into every `interleave`-th vector of `to`, zeros after the last.
template <Format F>
inline void decode_vectors(const std::byte* row, std::size_t begin, std::size_t count, std::size_t interleave,
                           float* to) {
  const std::size_t end = begin + count, step = interleave * lanes;
  std::size_t i = begin;
  for (; i + 4 * lanes <= end; i += 4 * lanes, to += 4 * step) {
    store(VectorsOf<F>::load(row, i), to);
    store(VectorsOf<F>::load(row, i + lanes), to + step);
    store(VectorsOf<F>::load(row, i + 2 * lanes), to + 2 * step);
    store(VectorsOf<F>::load(row, i + 3 * lanes), to + 3 * step);
  }
  for (; i + lanes <= end; i += lanes, to += step) {
    store(VectorsOf<F>::load(row, i), to);
  }
  if (i < end) {
    store(load_first<F>(row, i, end - i), to);
  }
}

inline void decode_vectors(Format format, const std::byte* row, std::size_t begin, std::size_t count,
                           std::size_t interleave, float* to) {
  if (has_blocks(format)) {
    decode_blocks(format, row, begin, count, interleave, to);
    return;
  }
  visit(format, [=]<Format F>(StoredAs<F>) { decode_vectors<F>(row, begin, count, interleave, to); });
}

// Vectors of decoded values [begin, begin + count) of a row, with the factors beside them; each vector `step` floats
// after the one before.
inline void scale_vectors(const BlockScales& by, std::size_t row, std::size_t begin, std::size_t count,
                          std::size_t step, float* to) {
  const float* const scales = by.data + by.place(row);
  const float* const zeros = by.zeros == nullptr ? nullptr : by.zeros + by.place(row);
  const std::size_t end = begin + count;
  for (std::size_t i = begin; i < end;) {
    const std::size_t block = by.column(i), next = by.columns == nullptr ? (block + 1) * by.cols : i;
    const std::size_t stop = next < end ? next : end;
    const Vec scale = broadcast(scales[block]), zero = broadcast(zeros == nullptr ? 0.0f : zeros[block]);
    for (; i + lanes <= stop; i += lanes, to += step) {
      store(hn::Mul(zeros == nullptr ? load(to) : hn::Sub(load(to), zero), scale), to);
    }
    if (i < stop || by.columns != nullptr) {  // a vector with values of several blocks
      for (std::size_t lane = 0; lane < lanes && i + lane < end; ++lane) {
        const std::size_t own = by.column(i + lane);
        to[lane] = (zeros == nullptr ? to[lane] : to[lane] - zeros[own]) * scales[own];
      }
      i += lanes;
      to += step;
    }
  }
}

#if HWY_TARGET <= HWY_AVX2

// Elements of a vector, each `index` modulo `lanes`. (Highway's own function brings an assertion that needs its
// library.)
HWY_INLINE Vec permuted(Vec table, hn::Vec<hn::RebindToSigned<Tag>> index) {
#if HWY_TARGET <= HWY_AVX3
  return Vec{_mm512_permutexvar_ps(index.raw, table.raw)};
#else
  return Vec{_mm256_permutevar8x32_ps(table.raw, index.raw)};
#endif
}

// Up to so many scales of a row are looked up in registers.
inline constexpr std::size_t most_lookups = 4 * lanes;

// Elements of a table of `Vectors` vectors.
template <std::size_t Vectors>
struct LookUp {
  Vec part[Vectors];

  explicit HWY_INLINE LookUp(const float* table) {
    for (std::size_t i = 0; i < Vectors; ++i) {
      part[i] = load(table + i * lanes);
    }
  }
  HWY_INLINE Vec operator()(hn::Vec<hn::RebindToSigned<Tag>> index) const {
    const hn::RebindToSigned<Tag> integer;
    constexpr auto width = static_cast<std::int32_t>(lanes);
    Vec out = permuted(part[0], index);
    for (std::size_t i = 1; i < Vectors; ++i) {
      const auto beyond = hn::Gt(index, hn::Set(integer, static_cast<std::int32_t>(i) * width - 1));
      out = hn::IfThenElse(hn::RebindMask(Tag(), beyond), permuted(part[i], index), out);
    }
    return out;
  }
};

// The codes of i4_16 and i8_16, whose columns have scales and zero points of their own.
template <Format F, std::size_t Vectors>
inline void decode_looked_up(const std::byte* row, const std::uint32_t* columns, const float* scales,
                             const float* zeros, std::size_t begin, std::size_t end, std::size_t step, float* to) {
  const hn::RebindToSigned<Tag> integer;
  const LookUp<Vectors> scale(scales), zero(zeros);
  for (std::size_t i = begin; i < end; i += lanes, to += step) {
    const auto index = hn::LoadU(integer, reinterpret_cast<const std::int32_t*>(columns + i));
    store(hn::Mul(hn::Sub(VectorsOf<F>::load(row, i), zero(index)), scale(index)), to);
  }
}

// False: the rows have too many groups for that.
template <Format F>
inline bool decode_by_column(const std::byte* row, const BlockScales& by, std::size_t index, std::size_t begin,
                             std::size_t end, std::size_t step, float* to) {
  if (by.stride > most_lookups) {
    return false;
  }
  HWY_ALIGN float scales[most_lookups] = {}, zeros[most_lookups] = {};
  std::memcpy(scales, by.data + by.place(index), by.stride * sizeof(float));
  std::memcpy(zeros, by.zeros + by.place(index), by.stride * sizeof(float));
  const auto decode = by.stride <= lanes       ? decode_looked_up<F, 1>
                      : by.stride <= 2 * lanes ? decode_looked_up<F, 2>
                                               : decode_looked_up<F, 4>;
  decode(row, by.columns, scales, zeros, begin, end, step, to);
  return true;
}

#endif

// Row `index` of a matrix, which stands at `row`, with the factors beside it.
inline void decode_vectors(Format format, const std::byte* row, const BlockScales& by, std::size_t index,
                           std::size_t begin, std::size_t count, std::size_t interleave, float* to) {
#if HWY_TARGET <= HWY_AVX2
  if (by.columns != nullptr && by.zeros != nullptr && (format == Format::i4_16 || format == Format::i8_16)) {
    const auto decode = format == Format::i4_16 ? decode_by_column<Format::i4_16> : decode_by_column<Format::i8_16>;
    if (decode(row, by, index, begin, begin + count, interleave * lanes, to)) {
      return;
    }
  }
#endif
  decode_vectors(format, row, begin, count, interleave, to);
  if (!by.empty()) {
    scale_vectors(by, index, begin, count, interleave * lanes, to);
  }
}

inline void decode_vectors(const Matrix& w, std::size_t row, std::size_t begin, std::size_t count,
                           std::size_t interleave, float* to) {
  decode_vectors(w.format, w.row(row), w.scales, row, begin, count, interleave, to);
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
