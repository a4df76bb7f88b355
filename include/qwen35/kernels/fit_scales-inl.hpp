// SPDX-License-Identifier: Apache-2.0
// Scales and offsets for codes of few bits, a vector of them tried at a time: each lane has its own, and all see the
// same values.
#include <qwen35/kernels/tasks.hpp>
#include <qwen35/kernels/vectors-inl.hpp>

#if defined(QWEN35_KERNELS_FIT_SCALES_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_FIT_SCALES_INL_HPP
#undef QWEN35_KERNELS_FIT_SCALES_INL_HPP
#else
#define QWEN35_KERNELS_FIT_SCALES_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

struct TriedScales {
  Vec scale, offset;
};
// Sums over the values: of the errors, and those of FitScalesTask.
struct FitSums {
  Vec error, weight, code, code_code, value, value_code;
};

class ScaleTrials {
 public:
  HWY_INLINE explicit ScaleTrials(const FitScalesTask& task) : task_(task) {}

  // The errors of codes, their sums, or both; what is not asked for is 0. One value after another, so that a result
  // does not depend on how many are tried.
  template <bool Errors, bool Sums>
  HWY_INLINE FitSums pass(const TriedScales& at) const {
    const Vec inverse = inverse_of(at.scale);
    FitSums sum = {zero(), zero(), zero(), zero(), zero(), zero()};
    for (std::size_t j = 0; j < task_.n; ++j) {
      const Vec value = broadcast(task_.values[j]), weight = broadcast(task_.weights[j]);
      const Vec above = hn::Sub(value, at.offset), code = nearest(hn::Mul(above, inverse));
      if constexpr (Errors) {
        const Vec rest = hn::NegMulAdd(at.scale, code, above);
        sum.error = hn::MulAdd(hn::Mul(weight, rest), rest, sum.error);
      }
      if constexpr (Sums) {
        const Vec weighted = hn::Mul(weight, code);
        sum.weight = hn::Add(sum.weight, weight);
        sum.code = hn::MulAdd(weight, code, sum.code);
        sum.code_code = hn::MulAdd(weighted, code, sum.code_code);
        sum.value = hn::MulAdd(weight, value, sum.value);
        sum.value_code = hn::MulAdd(weighted, value, sum.value_code);
      }
    }
    return sum;
  }

  // The best for the codes that `at` gives.
  HWY_INLINE TriedScales improved(const TriedScales& at) const {
    const FitSums sum = pass<false, true>(at);
    const Vec alone = quotient(sum.value_code, sum.code_code);
    if (!task_.offsets_too) {
      return {alone, zero()};
    }
    const Vec determinant = hn::NegMulAdd(sum.code, sum.code, hn::Mul(sum.weight, sum.code_code));
    const Vec scale = quotient(hn::NegMulAdd(sum.code, sum.value, hn::Mul(sum.weight, sum.value_code)), determinant);
    const Vec offset =
        quotient(hn::NegMulAdd(sum.code, sum.value_code, hn::Mul(sum.code_code, sum.value)), determinant);
    auto outside = hn::Lt(scale, zero());
    if (task_.below_zero) {
      outside = hn::Or(outside, hn::Gt(offset, zero()));
    }
    const auto one_code = hn::Not(hn::Gt(determinant, zero()));
    return {hn::IfThenElse(one_code, at.scale, hn::IfThenElse(outside, hn::Max(alone, zero()), scale)),
            hn::IfThenElse(one_code, at.offset, hn::IfThenZeroElse(outside, offset))};
  }

 private:
  HWY_INLINE Vec nearest(Vec quotient) const {
    const Vec inside = hn::Min(hn::Max(quotient, broadcast(task_.lowest)), broadcast(task_.highest));
    // To the nearest even whole number: beside 1.5 * 2^23 there is no room for fractions.
    const Vec large = broadcast(12582912.0f);
    return hn::Sub(hn::Add(inside, large), large);
  }
  static HWY_INLINE Vec inverse_of(Vec scale) {
    const auto divides = hn::Ge(hn::Abs(scale), broadcast(least_fitted_scale));
    return hn::IfThenElseZero(divides, hn::Div(broadcast(1.0f), scale));
  }
  static HWY_INLINE Vec quotient(Vec a, Vec b) { return hn::IfThenElseZero(hn::Gt(b, zero()), hn::Div(a, b)); }

  const FitScalesTask& task_;
};

inline void fit_scales(const FitScalesTask& task) {
  const ScaleTrials trials(task);
  for (std::size_t i = 0; i < task.count; i += lanes) {
    const std::size_t count = task.count - i < lanes ? task.count - i : lanes;
    const auto get = [count](const float* p) HWY_ATTR { return count < lanes ? load_first(p, count) : load(p); };
    const auto put = [count](Vec v, float* p) HWY_ATTR { count < lanes ? store_first(v, p, count) : store(v, p); };
    const TriedScales at = {get(task.scales + i), get(task.offsets + i)};
    if (task.improve) {
      const TriedScales next = trials.improved(at);
      const Vec before = get(task.errors + i), error = trials.pass<true, false>(next).error;
      const auto better = hn::Lt(error, before);
      put(hn::IfThenElse(better, next.scale, at.scale), task.scales + i);
      put(hn::IfThenElse(better, next.offset, at.offset), task.offsets + i);
      put(hn::IfThenElse(better, error, before), task.errors + i);
    } else if (task.sums == nullptr) {
      put(trials.pass<true, false>(at).error, task.errors + i);
    } else {
      const FitSums sum = trials.pass<true, true>(at);
      put(sum.error, task.errors + i);
      put(sum.weight, task.sums + i);
      put(sum.code, task.sums + task.count + i);
      put(sum.code_code, task.sums + 2 * task.count + i);
      put(sum.value, task.sums + 3 * task.count + i);
      put(sum.value_code, task.sums + 4 * task.count + i);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
