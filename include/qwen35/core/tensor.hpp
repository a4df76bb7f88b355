// SPDX-License-Identifier: Apache-2.0
// Row-major arrays with a shape: `Tensor` owns its values, `TensorView` looks at someone's.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/core/lifetime.hpp>

#include <array>
#include <cstddef>
#include <initializer_list>
#include <iosfwd>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// Up to five extents, outermost first.
class Shape {
 public:
  static constexpr std::size_t max_rank = 5;

  constexpr Shape() = default;
  constexpr Shape(std::initializer_list<std::size_t> extents) {
    for (const std::size_t extent : extents) {
      push_back(extent);
    }
  }

  constexpr void push_back(std::size_t extent) {
    if (rank_ == max_rank) {
      raise<InputError>("a tensor has at most five axes");
    }
    extents_[rank_++] = extent;
  }
  constexpr std::size_t rank() const { return rank_; }
  constexpr std::size_t operator[](std::size_t axis) const { return extents_[axis]; }
  constexpr std::size_t size() const {  // number of values; 1 for rank 0
    std::size_t product = 1;
    for (std::size_t axis = 0; axis < rank_; ++axis) {
      product *= extents_[axis];
    }
    return product;
  }
  friend constexpr bool operator==(const Shape&, const Shape&) = default;

 private:
  std::array<std::size_t, max_rank> extents_{};
  std::size_t rank_ = 0;
};

inline std::string to_string(const Shape& shape) {
  std::string out = "[";
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
    out += (axis == 0 ? "" : ", ") + std::to_string(shape[axis]);
  }
  return out + "]";
}
template <class Traits>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const Shape& shape) {
  return out << to_string(shape);
}

template <class T>
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Shape shape) : shape_(shape), values_(shape.size()) {}
  // Raises InputError when the number of values is not that of the shape.
  Tensor(Shape shape, std::vector<T> values) : shape_(shape), values_(std::move(values)) {
    require<InputError>(values_.size() == shape_.size(), "tensor of shape ", to_string(shape_), " given ",
                        values_.size(), " values");
  }

  const Shape& shape() const { return shape_; }
  std::size_t size() const { return values_.size(); }
  bool empty() const { return values_.empty(); }
  T* data() QWEN35_LIFETIMEBOUND { return values_.data(); }
  const T* data() const QWEN35_LIFETIMEBOUND { return values_.data(); }
  T& operator[](std::size_t i) { return values_[i]; }
  const T& operator[](std::size_t i) const { return values_[i]; }
  auto begin() { return values_.begin(); }
  auto end() { return values_.end(); }
  auto begin() const { return values_.begin(); }
  auto end() const { return values_.end(); }

  // Row `i` of the last axis, counted over all other axes.
  std::span<T> row(std::size_t i) QWEN35_LIFETIMEBOUND { return {data() + i * width(), width()}; }
  std::span<const T> row(std::size_t i) const QWEN35_LIFETIMEBOUND { return {data() + i * width(), width()}; }

 private:
  std::size_t width() const { return shape_.rank() == 0 ? 1 : shape_[shape_.rank() - 1]; }

  Shape shape_{0};
  std::vector<T> values_;
};

// A view of constant values, which must outlive it: one of a temporary tensor or vector does not compile. From a flat
// sequence it is a batch of one: shape `[1, n]`.
template <class T>
class TensorView {
 public:
  constexpr TensorView() = default;
  constexpr TensorView(const T* data, Shape shape) : data_(data), shape_(shape) {}
  TensorView(const Tensor<T>& tensor QWEN35_LIFETIMEBOUND) : data_(tensor.data()), shape_(tensor.shape()) {}
  TensorView(const std::vector<T>& values QWEN35_LIFETIMEBOUND) : data_(values.data()), shape_{1, values.size()} {}
  TensorView(const Tensor<T>&& temporary) = delete;
  TensorView(const std::vector<T>&& temporary) = delete;
  // Integers of 64 bits where those of 32 are meant, or the other way round.
  template <class Other, std::enable_if_t<std::is_integral_v<Other> && std::is_integral_v<T> &&
                                              sizeof(Other) * sizeof(T) == 32 && sizeof(Other) != sizeof(T),
                                          int> = 0>
  TensorView(const std::vector<Other>& values) = delete;
  constexpr TensorView(std::span<const T> values) : data_(values.data()), shape_{1, values.size()} {}
  // Lives as long as the full expression: for use in a call's argument list.
  constexpr TensorView(std::initializer_list<T> values) : TensorView(values.begin(), Shape{1, values.size()}) {}

  // False for a default-constructed view: "not given".
  constexpr explicit operator bool() const { return data_ != nullptr; }
  constexpr const Shape& shape() const { return shape_; }
  constexpr std::size_t size() const { return data_ == nullptr ? 0 : shape_.size(); }
  constexpr const T* data() const { return data_; }
  constexpr const T& operator[](std::size_t i) const { return data_[i]; }

 private:
  const T* data_ = nullptr;
  Shape shape_{0};
};

QWEN35_END_NAMESPACE
