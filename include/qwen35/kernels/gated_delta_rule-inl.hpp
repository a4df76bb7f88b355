// SPDX-License-Identifier: Apache-2.0
// The gated delta rule, one column tile of the state after the other.
//
// A tile of 16 columns (8 KiB for 128 key values) stays in the first-level cache while it runs over all tokens. With S'
// = decay S the rule reads
//   u = S'^T k,  d = beta (v - u),  S = S' + k d^T,  o = S^T q,
// so one pass per token does it: update with token t, and from the fresh value add to o_t and to the next token's S^T
// k.
#include <qwen35/kernels/vectors-inl.hpp>

#if defined(QWEN35_KERNELS_GATED_DELTA_RULE_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_GATED_DELTA_RULE_INL_HPP
#undef QWEN35_KERNELS_GATED_DELTA_RULE_INL_HPP
#else
#define QWEN35_KERNELS_GATED_DELTA_RULE_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

// A sum over the key values in four chains: chain c takes i = c, c + 4, ...
struct Chains {
  Vec c0, c1, c2, c3;
  HWY_INLINE Vec sum() const { return hn::Add(hn::Add(c0, c1), hn::Add(c2, c3)); }
};
HWY_INLINE Chains zero_chains() {
  return {zero(), zero(), zero(), zero()};
}

// S^T x for the vector of columns at `state` (rows 16 floats apart).
HWY_INLINE Vec read_state(const float* state, const float* x, std::size_t key_dim) {
  Chains u = zero_chains();
  std::size_t i = 0;
  for (; i + 4 <= key_dim; i += 4) {
    const float* const at = state + i * delta_tile;
    u.c0 = hn::MulAdd(load(at), broadcast(x[i]), u.c0);
    u.c1 = hn::MulAdd(load(at + delta_tile), broadcast(x[i + 1]), u.c1);
    u.c2 = hn::MulAdd(load(at + 2 * delta_tile), broadcast(x[i + 2]), u.c2);
    u.c3 = hn::MulAdd(load(at + 3 * delta_tile), broadcast(x[i + 3]), u.c3);
  }
  if (i < key_dim) u.c0 = hn::MulAdd(load(state + i * delta_tile), broadcast(x[i]), u.c0);
  if (i + 1 < key_dim) u.c1 = hn::MulAdd(load(state + (i + 1) * delta_tile), broadcast(x[i + 1]), u.c1);
  if (i + 2 < key_dim) u.c2 = hn::MulAdd(load(state + (i + 2) * delta_tile), broadcast(x[i + 2]), u.c2);
  return u.sum();
}

struct TokenStep {
  Vec decay, delta;
  const float* k;
  const float* q;
  const float* next_k;  // of the next token; of this one again at the end, its result unused
};

HWY_INLINE void step_row(float* at, const TokenStep& step, std::size_t i, Vec& o, Vec& u) {
  const Vec fresh = hn::MulAdd(broadcast(step.k[i]), step.delta, hn::Mul(load(at), step.decay));
  store(fresh, at);
  o = hn::MulAdd(fresh, broadcast(step.q[i]), o);
  u = hn::MulAdd(fresh, broadcast(step.next_k[i]), u);
}

// Updates the columns with one token; gives its output and the next token's S^T k.
HWY_INLINE void step_token(float* state, std::size_t key_dim, const TokenStep& step, Vec& out, Vec& next) {
  Chains o = zero_chains(), u = zero_chains();
  std::size_t i = 0;
  for (; i + 4 <= key_dim; i += 4) {
    float* const at = state + i * delta_tile;
    step_row(at, step, i, o.c0, u.c0);
    step_row(at + delta_tile, step, i + 1, o.c1, u.c1);
    step_row(at + 2 * delta_tile, step, i + 2, o.c2, u.c2);
    step_row(at + 3 * delta_tile, step, i + 3, o.c3, u.c3);
  }
  if (i < key_dim) step_row(state + i * delta_tile, step, i, o.c0, u.c0);
  if (i + 1 < key_dim) step_row(state + (i + 1) * delta_tile, step, i + 1, o.c1, u.c1);
  if (i + 2 < key_dim) step_row(state + (i + 2) * delta_tile, step, i + 2, o.c2, u.c2);
  out = o.sum();
  next = u.sum();
}

// Tokens stand so far apart that few of them have room in a set of a cache, and each begins a page: what the next but
// one needs is asked for. (A third of the time of 512 tokens was waiting for it.)
inline constexpr std::size_t delta_fetch_tokens = 2;
HWY_INLINE void fetch_values(const float* x, std::size_t count, std::size_t stride) {
  for (std::size_t i = 0; i < count; i += 16) {
    fetch(reinterpret_cast<const std::byte*>(x + i), delta_fetch_tokens * stride * sizeof(float));
  }
}

inline void gated_delta_rule(const DeltaRuleTask& task) {
  if (task.tokens == 0) {
    return;
  }
  for (std::size_t column = 0; column < task.value_dim; column += lanes) {
    float* const state = task.state + column / delta_tile * task.key_dim * delta_tile + column % delta_tile;
    const std::size_t columns = task.value_dim - column < lanes ? task.value_dim - column : lanes;
    Vec seen = read_state(state, task.k, task.key_dim);
    for (std::size_t t = 0; t < task.tokens; ++t) {
      const float* const k = task.k + t * task.qk_stride;
      const float* const v = task.v + t * task.v_stride + column;
      if (t + delta_fetch_tokens < task.tokens) {
        fetch_values(k, task.key_dim, task.qk_stride);
        fetch_values(task.q + t * task.qk_stride, task.key_dim, task.qk_stride);
        fetch_values(v, 1, task.v_stride);
      }
      const Vec decay = broadcast(task.decay[t * task.gate_stride]);
      const Vec value = columns == lanes ? load(v) : load_first(v, columns);
      const Vec delta = hn::Mul(broadcast(task.beta[t * task.gate_stride]), hn::NegMulAdd(decay, seen, value));
      const TokenStep step{decay, delta, k, task.q + t * task.qk_stride, t + 1 < task.tokens ? k + task.qk_stride : k};
      Vec out;
      step_token(state, task.key_dim, step, out, seen);
      float* const to = task.out + t * task.out_stride + column;
      if (columns == lanes) {
        store(out, to);
      } else {
        store_first(out, to, columns);
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
