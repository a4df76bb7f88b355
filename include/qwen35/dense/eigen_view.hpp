// SPDX-License-Identifier: Apache-2.0
// Results as Eigen matrices, without a copy. Not part of model.hpp: only programs that use Eigen include it.
#pragma once

#include <qwen35/core/tensor.hpp>

#include <Eigen/Core>

QWEN35_BEGIN_NAMESPACE

// Row-major, because tensors are. Nothing is aligned beyond the element, so that files compiled with different vector
// flags agree.
template <class T>
using EigenRows = Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>, Eigen::Unaligned>;
template <class T>
using ConstEigenRows =
    Eigen::Map<const Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>, Eigen::Unaligned>;

namespace detail {

inline std::pair<Eigen::Index, Eigen::Index> eigen_extents(const Shape& shape) {
  require<InputError>(shape.rank() > 0, "a tensor without axes is no matrix");
  const std::size_t width = shape[shape.rank() - 1];
  return {static_cast<Eigen::Index>(width == 0 ? 0 : shape.size() / width), static_cast<Eigen::Index>(width)};
}

}  // namespace detail

// A tensor `[..., width]` as the matrix `[product of the other axes, width]`; it lives as long as the tensor. Raises
// InputError for rank 0.
template <class T>
EigenRows<T> eigen_rows(Tensor<T>& tensor) {
  const auto [rows, cols] = detail::eigen_extents(tensor.shape());
  return {tensor.data(), rows, cols};
}
template <class T>
ConstEigenRows<T> eigen_rows(const Tensor<T>& tensor) {
  const auto [rows, cols] = detail::eigen_extents(tensor.shape());
  return {tensor.data(), rows, cols};
}

QWEN35_END_NAMESPACE
