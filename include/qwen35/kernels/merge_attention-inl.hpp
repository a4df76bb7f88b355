// SPDX-License-Identifier: Apache-2.0
// The outputs of attention from the sums over the spans of a context, put together in their order ("online softmax",
// arXiv 1805.02867).
#include <qwen35/kernels/tasks.hpp>
#include <qwen35/kernels/vectors-inl.hpp>

#include <limits>

#if defined(QWEN35_KERNELS_MERGE_ATTENTION_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_MERGE_ATTENTION_INL_HPP
#undef QWEN35_KERNELS_MERGE_ATTENTION_INL_HPP
#else
#define QWEN35_KERNELS_MERGE_ATTENTION_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

// The sums of a query over the spans before, in `out`, and over one more. (Not inline: a multiplication and an addition
// may become one instruction, and in every place the same ones have to.)
HWY_NOINLINE inline void merge_span(const float* sums, float maximum, float total, std::size_t head_dim, bool first,
                                    float* state, float* out) {
  constexpr float nothing = -std::numeric_limits<float>::infinity();
  if (first) {
    std::memcpy(out, sums, head_dim * sizeof(float));
    state[0] = maximum;
    state[1] = total;
    return;
  }
  if (maximum == nothing && total == 0.0f) {  // it sees no key of the span
    return;
  }
  const float now = maximum > state[0] ? maximum : state[0], origin = now == nothing ? 0.0f : now;
  HWY_ALIGN float factors[2 * lanes];
  store(exp(broadcast(state[0] - origin)), factors);
  store(exp(broadcast(maximum - origin)), factors + lanes);
  const Vec before = broadcast(factors[0]), more = broadcast(factors[lanes]);
  for (std::size_t d = 0; d < head_dim; d += lanes) {
    const std::size_t count = head_dim - d < lanes ? head_dim - d : lanes;
    const Vec own = count < lanes ? load_first(out + d, count) : load(out + d);
    const Vec merged = hn::MulAdd(own, before, hn::Mul(load(sums + d), more));
    count < lanes ? store_first(merged, out + d, count) : store(merged, out + d);
  }
  state[0] = now;
  state[1] = state[1] * factors[0] + total * factors[lanes];
}

HWY_INLINE void finish_query(std::size_t head_dim, float total, float* out) {
  const Vec factor = broadcast(total == 0.0f ? 0.0f : 1.0f / total);
  for (std::size_t d = 0; d < head_dim; d += lanes) {
    const std::size_t count = head_dim - d < lanes ? head_dim - d : lanes;
    const Vec own = count < lanes ? load_first(out + d, count) : load(out + d);
    const Vec finished = hn::MulAdd(own, factor, zero());  // adding 0 makes -0 and 0 the same
    count < lanes ? store_first(finished, out + d, count) : store(finished, out + d);
  }
}

inline void merge_attention(const MergeAttentionTask& task) {
  const std::size_t stride = attention_sums(task.head_dim), width = attention_width(task.head_dim);
  for (std::size_t query = 0; query < task.queries; ++query) {
    for (std::size_t span = 0; span < task.spans; ++span) {
      const float* const sums = task.sums + (span * task.queries + query) * stride;
      merge_span(sums, sums[width], sums[width + 1], task.head_dim, task.first && span == 0, task.state + 2 * query,
                 task.out[query]);
    }
    if (task.last) {
      finish_query(task.head_dim, task.state[2 * query + 1], task.out[query]);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
