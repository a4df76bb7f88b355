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

struct TokenRows {
  const float* k;
  const float* q;
  const float* next_k;  // of the next token; of this one again at the end, its result unused
};

template <std::size_t Vectors>
HWY_INLINE void step_row(float* at, std::size_t vector_step, Vec decay, const Vec* delta, const TokenRows& x,
                         std::size_t i, Vec* o, Vec* u) {
  Vec fresh[Vectors];
  QWEN35_UNROLL
  for (std::size_t v = 0; v < Vectors; ++v) {
    fresh[v] = hn::MulAdd(broadcast(x.k[i]), delta[v], hn::Mul(load(at + v * vector_step), decay));
  }
  QWEN35_UNROLL
  for (std::size_t v = 0; v < Vectors; ++v) {
    o[v] = hn::MulAdd(fresh[v], broadcast(x.q[i]), o[v]);
    u[v] = hn::MulAdd(fresh[v], broadcast(x.next_k[i]), u[v]);
  }
  // (Stored when all are loaded: vectors are a multiple of 4 KiB apart, which a load that follows takes for the same
  // place.)
  QWEN35_UNROLL
  for (std::size_t v = 0; v < Vectors; ++v) {
    store(fresh[v], at + v * vector_step);
  }
}

// Updates the columns of vectors `vector_step` floats apart with one token; gives their output and the next token's S^T
// k.
template <std::size_t Vectors>
HWY_INLINE void step_token(float* state, std::size_t vector_step, std::size_t key_dim, Vec decay, const Vec* delta,
                           const TokenRows& x, Vec* out, Vec* next) {
  Vec o[4][Vectors], u[4][Vectors];
  QWEN35_UNROLL
  for (std::size_t i = 0; i < 4 * Vectors; ++i) {
    o[i / Vectors][i % Vectors] = u[i / Vectors][i % Vectors] = zero();
  }
  std::size_t i = 0;
  for (; i + 4 <= key_dim; i += 4) {
    QWEN35_UNROLL
    for (std::size_t c = 0; c < 4; ++c) {
      step_row<Vectors>(state + (i + c) * delta_tile, vector_step, decay, delta, x, i + c, o[c], u[c]);
    }
  }
  QWEN35_UNROLL
  for (std::size_t c = 0; c < 3; ++c) {
    if (i + c < key_dim) {
      step_row<Vectors>(state + (i + c) * delta_tile, vector_step, decay, delta, x, i + c, o[c], u[c]);
    }
  }
  QWEN35_UNROLL
  for (std::size_t v = 0; v < Vectors; ++v) {
    out[v] = hn::Add(hn::Add(o[0][v], o[1][v]), hn::Add(o[2][v], o[3][v]));
    next[v] = hn::Add(hn::Add(u[0][v], u[1][v]), hn::Add(u[2][v], u[3][v]));
  }
}

// Tokens stand so far apart that few of them have room in a set of a cache, and each begins a page: what the next but
// one needs is asked for. (A third of the time of 512 tokens was waiting for it.)
inline constexpr std::size_t delta_fetch_tokens = 2;
HWY_INLINE void fetch_values(const float* x, std::size_t count, std::size_t stride) {
  for (std::size_t i = 0; i < count; i += 16) {
    fetch(reinterpret_cast<const std::byte*>(x + i), delta_fetch_tokens * stride * sizeof(float));
  }
}

// All tokens on the columns of so many vectors from `column` on; the last may have fewer than `lanes`.
template <std::size_t Vectors>
inline void step_columns(const DeltaRuleTask& task, std::size_t column) {
  const std::size_t vector_step = lanes == delta_tile ? task.key_dim * delta_tile : lanes;
  float* const state = task.state + column / delta_tile * task.key_dim * delta_tile + column % delta_tile;
  const std::size_t columns = task.value_dim - column < lanes ? task.value_dim - column : lanes;
  Vec seen[Vectors];
  for (std::size_t v = 0; v < Vectors; ++v) {
    seen[v] = read_state(state + v * vector_step, task.k, task.key_dim);
  }
  for (std::size_t t = 0; t < task.tokens; ++t) {
    const float* const k = task.k + t * task.qk_stride;
    const float* const v = task.v + t * task.v_stride + column;
    if (t + delta_fetch_tokens < task.tokens) {
      fetch_values(k, task.key_dim, task.qk_stride);
      fetch_values(task.q + t * task.qk_stride, task.key_dim, task.qk_stride);
      fetch_values(v, (Vectors - 1) * lanes + 1, task.v_stride);
    }
    const Vec decay = broadcast(task.decay[t * task.gate_stride]);
    const Vec beta = broadcast(task.beta[t * task.gate_stride]);
    Vec delta[Vectors];
    QWEN35_UNROLL
    for (std::size_t i = 0; i < Vectors; ++i) {
      const Vec value = Vectors > 1 || columns == lanes ? load(v + i * lanes) : load_first(v, columns);
      delta[i] = hn::Mul(beta, hn::NegMulAdd(decay, seen[i], value));
    }
    Vec out[Vectors];
    step_token<Vectors>(state, vector_step, task.key_dim, decay, delta,
                        {k, task.q + t * task.qk_stride, t + 1 < task.tokens ? k + task.qk_stride : k}, out, seen);
    float* const to = task.out + t * task.out_stride + column;
    QWEN35_UNROLL
    for (std::size_t i = 0; i < Vectors; ++i) {
      if (Vectors > 1 || columns == lanes) {
        store(out[i], to + i * lanes);
      } else {
        store_first(out[i], to, columns);
      }
    }
  }
}

// Two vectors of columns at once where there are registers for their sums: twice as many chains, and half as many reads
// of k and q.
inline void step_all_columns(const DeltaRuleTask& task) {
  std::size_t column = 0;
#if HWY_TARGET <= HWY_AVX3
  static_assert(lanes == delta_tile);
  for (; task.value_dim - column >= 2 * lanes; column += 2 * lanes) {
    step_columns<2>(task, column);
  }
#endif
  for (; column < task.value_dim; column += lanes) {
    step_columns<1>(task, column);
  }
}

// So many tokens go through all columns before the next: all begin pages, so that few of them have room in a set of the
// second-level cache, too. (512 tokens are 1.3 times as fast with AVX2, with AVX-512 and two vectors at once 1.7 times.
// Emerald Rapids.)
inline constexpr std::size_t delta_tokens = 16;

inline void gated_delta_rule(const DeltaRuleTask& task) {
  DeltaRuleTask part = task;
  for (std::size_t token = 0; token < task.tokens; token += delta_tokens) {
    part.tokens = task.tokens - token < delta_tokens ? task.tokens - token : delta_tokens;
    step_all_columns(part);
    part.q += part.tokens * task.qk_stride;
    part.k += part.tokens * task.qk_stride;
    part.v += part.tokens * task.v_stride;
    part.decay += part.tokens * task.gate_stride;
    part.beta += part.tokens * task.gate_stride;
    part.out += part.tokens * task.out_stride;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
