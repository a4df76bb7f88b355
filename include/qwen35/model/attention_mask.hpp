// SPDX-License-Identifier: Apache-2.0
// The `attention_mask` argument in its three forms.
#pragma once

#include <qwen35/core/lifetime.hpp>
#include <qwen35/core/tensor.hpp>

#include <cstdint>
#include <type_traits>

QWEN35_BEGIN_NAMESPACE

// `[batch, past + sequence]` integers, booleans or floats (1: a token, 0: masked), or a ready-made 4-D mask `[batch or
// 1, heads or 1, sequence, past + sequence]`: booleans (1: visible) or floats that are added to the scores. A
// ready-made mask is used verbatim by the full-attention layers and does nothing in the linear ones.
class AttentionMask {
 public:
  AttentionMask() = default;
  template <class Values>
  requires(!std::is_same_v<std::remove_cvref_t<Values>, AttentionMask> &&
           std::is_convertible_v<Values, TensorView<std::int32_t>>) AttentionMask(Values&& values)
      : integers_(std::forward<Values>(values)) {}
  AttentionMask(std::initializer_list<std::int32_t> values) : integers_(values) {}
  AttentionMask(TensorView<std::uint8_t> visible) : booleans_(visible) {}
  AttentionMask(TensorView<bool> visible)
      : booleans_(reinterpret_cast<const std::uint8_t*>(visible.data()), visible.shape()) {}
  AttentionMask(const Tensor<std::uint8_t>& visible QWEN35_LIFETIMEBOUND) : booleans_(visible) {}
  AttentionMask(const Tensor<std::uint8_t>&& temporary) = delete;
  AttentionMask(TensorView<float> additive) : additive_(additive) {}
  AttentionMask(const Tensor<float>& additive QWEN35_LIFETIMEBOUND) : additive_(additive) {}
  AttentionMask(const Tensor<float>&& temporary) = delete;

  explicit operator bool() const {
    return static_cast<bool>(integers_) || static_cast<bool>(booleans_) || static_cast<bool>(additive_);
  }
  const Shape& shape() const {
    return integers_ ? integers_.shape() : booleans_ ? booleans_.shape() : additive_.shape();
  }
  bool is_ready_made() const { return static_cast<bool>(*this) && shape().rank() == 4; }
  // Floats that are added to the scores.
  bool is_additive() const { return static_cast<bool>(additive_) && additive_.shape().rank() == 4; }
  // Whether value i of a mask that is not additive is not 0. Raises InputError for a float that is neither 1 nor 0: an
  // additive mask without its four axes.
  bool visible(std::size_t i) const;
  TensorView<float> additive() const { return additive_; }

 private:
  TensorView<std::int32_t> integers_;
  TensorView<std::uint8_t> booleans_;
  TensorView<float> additive_;
};

#if QWEN35_BODIES

QWEN35_BODY bool AttentionMask::visible(std::size_t i) const {
  if (!additive_) {
    return integers_ ? integers_[i] != 0 : booleans_[i] != 0;
  }
  if (additive_[i] != 0.0f && additive_[i] != 1.0f) {
    decline<InputError>(concat("attention_mask[", i, "] is ", additive_[i],
                               ", expected 1 or 0: a mask that is added to the scores has four axes"));
  }
  return additive_[i] != 0.0f;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
