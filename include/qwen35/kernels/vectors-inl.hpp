// SPDX-License-Identifier: Apache-2.0
// Vectors of floats for one instruction set: loads, tails, sums of lanes, exponential. Hides Highway 1.0.3's gaps.
//
// A *-inl.hpp file is compiled once for each instruction set, in a namespace of its own, by dispatch.hpp; it is not to
// be included alone.
#include <qwen35/core/format.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <hwy/highway.h>

#if defined(QWEN35_KERNELS_VECTORS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_VECTORS_INL_HPP
#undef QWEN35_KERNELS_VECTORS_INL_HPP
#else
#define QWEN35_KERNELS_VECTORS_INL_HPP
#endif

#undef QWEN35_UNROLL
#if HWY_COMPILER_CLANG
#define QWEN35_UNROLL _Pragma("clang loop unroll(full)")
#else
#define QWEN35_UNROLL _Pragma("GCC unroll 16")
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::ScalableTag<float>;
using Vec = hn::Vec<Tag>;
inline constexpr std::size_t lanes = hn::MaxLanes(Tag());
static_assert(lanes == 1 || lanes == 4 || lanes == 8 || lanes == 16, "vectors of 1, 4, 8 or 16 floats");

// (Of x86's instruction sets the newer ones have the smaller numbers, and those of other processors are larger.)
// Columns of a register tile of four rows: 4 x 6 accumulators fill 32 registers, 4 x 3 fill 16. Plain code is not worth
// the compile time.
#if HWY_TARGET <= HWY_AVX3 || HWY_TARGET == HWY_NEON
inline constexpr std::size_t tile_columns = 6;
#elif HWY_TARGET == HWY_SCALAR
inline constexpr std::size_t tile_columns = 1;
#else
inline constexpr std::size_t tile_columns = 3;
#endif

// A function around a register tile. GCC tuned for a named processor (-march=native, -mtune=haswell) reads what several
// multiply-adds share from memory again for each of them, at half the speed; its general tuning does not.
#if HWY_ARCH_X86 && HWY_COMPILER_GCC_ACTUAL
#define QWEN35_TILE_FUNCTION HWY_NOINLINE __attribute__((target("tune=generic")))
#else
#define QWEN35_TILE_FUNCTION HWY_NOINLINE
#endif

HWY_INLINE Vec zero() {
  return hn::Zero(Tag());
}
HWY_INLINE Vec broadcast(float value) {
  return hn::Set(Tag(), value);
}

HWY_INLINE Vec load(const float* p) {
#if HWY_TARGET == HWY_SCALAR
  float value;
  std::memcpy(&value, p, sizeof(value));
  return broadcast(value);
#else
  return hn::LoadU(Tag(), p);
#endif
}
HWY_INLINE void store(Vec v, float* p) {
  hn::StoreU(v, Tag(), p);
}

// The first `count` < lanes floats, the other lanes 0. Reads nothing beyond them.
HWY_INLINE Vec load_first(const float* p, std::size_t count) {
#if HWY_TARGET <= HWY_AVX2
  return hn::MaskedLoad(hn::FirstN(Tag(), count), Tag(), p);
#else
  HWY_ALIGN float padded[lanes] = {};
  std::memcpy(padded, p, count * sizeof(float));
  return hn::Load(Tag(), padded);
#endif
}
HWY_INLINE void store_first(Vec v, float* p, std::size_t count) {
  HWY_ALIGN float padded[lanes];
  hn::Store(v, Tag(), padded);
  std::memcpy(p, padded, count * sizeof(float));
}

// Asks for the cache line `ahead` bytes after `p`, which may lie beyond the data. (Forced inline: GCC 12 takes a
// function that only prefetches for one without effect, and drops the call.)
HWY_INLINE void fetch(const std::byte* p, std::size_t ahead) {
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(p) + ahead));
}

// The same into the second-level cache alone.
HWY_INLINE void fetch_near(const std::byte* p, std::size_t ahead) {
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(p) + ahead), 0, 2);
}

// What kernels/formats/<name>-inl.hpp gives of a format:
//   static Vec load(const std::byte* row, std::size_t i)       values i, i + 1, ... of a row; i is a multiple of
//   `lanes`
//                                                              from the start of a block
//   static void store(Vec v, std::byte* row, std::size_t i)    optional: its definition's encode in vectors
//   static constexpr bool streams = true                       optional: rows are fast enough to read that products of
//                                                              few tokens decode them anew for each tile of tokens;
//                                                              each such format has its own copy of that kernel
template <Format>
struct VectorsOf;

// For instruction sets without a way of their own.
template <Format F>
HWY_INLINE Vec load_scalar(const std::byte* row, std::size_t i) {
  HWY_ALIGN float values[lanes];
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    typename StoredAs<F>::Block block;
    std::memcpy(&block, row + (i + lane) * sizeof(block), sizeof(block));
    StoredAs<F>::decode(block, values + lane);
  }
  return load(values);
}

// Four sums: a vector, or where vectors have one lane an array.
#if HWY_TARGET == HWY_SCALAR
struct Sums {
  float value[4];
};
HWY_INLINE Sums sum_lanes(Vec a, Vec b, Vec c, Vec d) {
  return {{hn::GetLane(a), hn::GetLane(b), hn::GetLane(c), hn::GetLane(d)}};
}
HWY_INLINE Sums load_sums(const float* p) {
  return {{p[0], p[1], p[2], p[3]}};
}
HWY_INLINE Sums add_sums(Sums a, Sums b) {
  return {{a.value[0] + b.value[0], a.value[1] + b.value[1], a.value[2] + b.value[2], a.value[3] + b.value[3]}};
}
HWY_INLINE void store_sums(Sums sums, float* p) {
  std::memcpy(p, sums.value, sizeof(sums.value));
}
#else
using SumsTag = hn::CappedTag<float, 4>;
using Sums = hn::Vec<SumsTag>;
HWY_INLINE Sums load_sums(const float* p) {
  return hn::LoadU(SumsTag(), p);
}
HWY_INLINE Sums add_sums(Sums a, Sums b) {
  return hn::Add(a, b);
}
HWY_INLINE void store_sums(Sums sums, float* p) {
  hn::StoreU(sums, SumsTag(), p);
}

// Sums of the lanes of four vectors, each in the same order: halves onto each other down to four lanes, then
// (l0 + l2) + (l1 + l3), or (l0 + l1) + (l2 + l3) with 16 lanes.
HWY_INLINE Sums sum_lanes(Vec a, Vec b, Vec c, Vec d) {
  const Tag tag;
#if HWY_TARGET <= HWY_AVX2
  const hn::Half<Tag> half;
  const auto ab = hn::Add(hn::ConcatLowerLower(tag, b, a), hn::ConcatUpperUpper(tag, b, a));
  const auto cd = hn::Add(hn::ConcatLowerLower(tag, d, c), hn::ConcatUpperUpper(tag, d, c));
#if HWY_TARGET == HWY_AVX2
  const auto pairs =
      hn::Add(hn::InterleaveLower(tag, ab, cd), hn::InterleaveUpper(tag, ab, cd));  // blocks a c a c, b d b d
  const auto whole = hn::Add(pairs, hn::Shuffle1032(pairs));
  return hn::InterleaveLower(half, hn::LowerHalf(half, whole), hn::UpperHalf(half, whole));
#else
  const auto blocks =
      hn::Add(hn::OddEvenBlocks(cd, ab), hn::SwapAdjacentBlocks(hn::OddEvenBlocks(ab, cd)));  // blocks a, c, b, d
  const auto pairs = hn::Add(blocks, hn::Shuffle2301(blocks));
  const auto whole = hn::Add(pairs, hn::Shuffle1032(pairs));
  const auto mixed =
      hn::InterleaveLower(half, hn::LowerHalf(half, whole), hn::UpperHalf(half, whole));  // blocks a b a b, c d c d
  const hn::Half<hn::Half<Tag> > quarter;
  return hn::ConcatLowerLower(quarter, hn::UpperHalf(quarter, mixed), hn::LowerHalf(quarter, mixed));
#endif
#else
  const auto ab = hn::Add(hn::InterleaveLower(tag, a, b), hn::InterleaveUpper(tag, a, b));
  const auto cd = hn::Add(hn::InterleaveLower(tag, c, d), hn::InterleaveUpper(tag, c, d));
  return hn::Add(hn::ConcatLowerLower(tag, cd, ab), hn::ConcatUpperUpper(tag, cd, ab));
#endif
}
#endif

// e^x within one unit in the last place for |x| < 87; 0 below -87.3, and at most e^88.3. The polynomial is Cephes'
// expf; exact at 0.
HWY_INLINE Vec exp(Vec x) {
#if HWY_TARGET == HWY_SCALAR
  return broadcast(std::exp(hn::GetLane(x)));
#else
  const Tag tag;
  const hn::RebindToSigned<Tag> integer;
  const Vec lowest = broadcast(-87.3f);
  const Vec clamped = hn::Max(lowest, hn::Min(broadcast(88.3f), x));  // in this order a NaN stays
  // Beside 1.5 * 2^23 a float has no room for fractions: the sum is rounded, and its lowest bits are the integer.
  const Vec large = broadcast(12582912.0f);
  const Vec rounded = hn::MulAdd(clamped, broadcast(1.44269504088896341f), large);
  const Vec n = hn::Sub(rounded, large);
  const Vec r = hn::NegMulAdd(n, broadcast(-2.12194440e-4f), hn::NegMulAdd(n, broadcast(0.693359375f), clamped));
  Vec p = broadcast(1.9875691500e-4f);
  p = hn::MulAdd(p, r, broadcast(1.3981999507e-3f));
  p = hn::MulAdd(p, r, broadcast(8.3334519073e-3f));
  p = hn::MulAdd(p, r, broadcast(4.1665795894e-2f));
  p = hn::MulAdd(p, r, broadcast(1.6666665459e-1f));
  p = hn::MulAdd(p, r, broadcast(5.0000001201e-1f));
  p = hn::MulAdd(p, hn::Mul(r, r), hn::Add(r, broadcast(1.0f)));
  const auto power =
      hn::BitCast(tag, hn::Add(hn::ShiftLeft<23>(hn::BitCast(integer, rounded)), hn::Set(integer, 127 << 23)));
  return hn::IfThenElse(hn::Lt(x, lowest), zero(), hn::Mul(p, power));
#endif
}

HWY_INLINE Vec silu(Vec x) {
  return hn::Div(x, hn::Add(broadcast(1.0f), exp(hn::Neg(x))));
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
