// SPDX-License-Identifier: Apache-2.0
// A tensor as a std::mdspan, or as another class with its constructor, without a copy. Which one is the caller's
// choice, so that this needs no C++23.
#pragma once

#include <qwen35/core/tensor.hpp>

#include <array>
#include <cstddef>

QWEN35_BEGIN_NAMESPACE

namespace detail {

template <class Mdspan>
std::array<std::size_t, Mdspan::rank()> mdspan_extents(const Shape& shape) {
  require<InputError>(shape.rank() == Mdspan::rank(), "a tensor of shape ", to_string(shape), " as an mdspan of rank ",
                      Mdspan::rank());
  std::array<std::size_t, Mdspan::rank()> out{};
  for (std::size_t axis = 0; axis < out.size(); ++axis) {
    out[axis] = shape[axis];
  }
  return out;
}

}  // namespace detail

// auto logits = as_mdspan<std::mdspan<const float, std::dextents<std::size_t, 3>>>(output.logits);
// It lives as long as the tensor. Raises InputError for another rank.
template <class Mdspan, class T>
Mdspan as_mdspan(Tensor<T>& tensor QWEN35_LIFETIMEBOUND) {
  return Mdspan(tensor.data(), detail::mdspan_extents<Mdspan>(tensor.shape()));
}
template <class Mdspan, class T>
Mdspan as_mdspan(const Tensor<T>& tensor QWEN35_LIFETIMEBOUND) {
  return Mdspan(tensor.data(), detail::mdspan_extents<Mdspan>(tensor.shape()));
}
template <class Mdspan, class T>
Mdspan as_mdspan(const Tensor<T>&& temporary) = delete;

QWEN35_END_NAMESPACE
