// SPDX-License-Identifier: Apache-2.0
#include <qwen35/core/mdspan_view.hpp>
#include <qwen35/core/tensor.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

#include <algorithm>
#include <numeric>
#include <ranges>
#include <sstream>

using namespace qwen35;
using test_support::message_of;

TEST_CASE("a shape counts its values, and has at most five axes") {
  static_assert(Shape{2, 3, 4}.size() == 24 && Shape{2, 3, 4}.rank() == 3 && Shape{2, 3, 4}[1] == 3);
  static_assert(Shape{}.size() == 1 && Shape{}.rank() == 0 && Shape{7, 0}.size() == 0);
  CHECK(Shape{2, 3} == Shape{2, 3});
  CHECK(Shape{2, 3} != Shape{3, 2});
  CHECK(Shape{2, 3} != Shape{2, 3, 1});
  CHECK(to_string(Shape{2, 3}) == "[2, 3]");
  CHECK(to_string(Shape{}) == "[]");
  std::ostringstream line;
  line << Shape{2, 3};
  CHECK(line.str() == "[2, 3]");
  Shape shape{1, 2, 3, 4};
  shape.push_back(5);
  CHECK(shape.size() == 120);
  CHECK(message_of<InputError>([&] { shape.push_back(6); }) == "a tensor has at most five axes");
}

TEST_CASE("a tensor owns its values, row-major") {
  CHECK(Tensor<float>().empty());
  CHECK(Tensor<float>().shape() == Shape{0});
  Tensor<int> tensor({2, 2, 3});
  CHECK(std::accumulate(tensor.begin(), tensor.end(), 0) == 0);  // new values are zeros
  std::iota(tensor.begin(), tensor.end(), 0);
  for (std::size_t row = 0; row < 4; ++row) {
    const std::span<const int> values = std::as_const(tensor).row(row);
    CHECK(values.size() == 3);
    CHECK(values[2] == static_cast<int>(3 * row + 2));
  }
  tensor.row(3)[0] = -1;
  CHECK(tensor[9] == -1);
  const Tensor<int> copy = tensor;
  tensor[0] = 8;
  CHECK(copy[0] == 0);
  CHECK(Tensor<int>({}, {5}).row(0)[0] == 5);
  CHECK(message_of<InputError>([] { Tensor<int>({2, 2}, {1, 2, 3}); }) == "tensor of shape [2, 2] given 3 values");
}

TEST_CASE("a view looks at values of others, flat ones as a batch of one") {
  CHECK(!TensorView<float>());
  CHECK(TensorView<float>().size() == 0);
  const Tensor<int> tensor({2, 2}, {1, 2, 3, 4});
  const TensorView<int> whole = tensor;
  CHECK(whole);
  CHECK(whole.data() == tensor.data());
  CHECK(whole.shape() == tensor.shape());
  const std::vector<int> flat{1, 2, 3};
  CHECK(TensorView<int>(flat).shape() == Shape{1, 3});
  CHECK(TensorView<int>(std::span<const int>(flat))[2] == 3);
  const auto last = [](TensorView<int> view) { return view[view.size() - 1]; };
  CHECK(last({7, 8, 9}) == 9);
  const std::vector<int> none;
  CHECK(TensorView<int>(none).size() == 0);
}

// What std::mdspan has of what is used.
template <class T, std::size_t Rank>
struct Grid {
  static constexpr std::size_t rank() { return Rank; }
  Grid(T* values, const std::array<std::size_t, Rank>& sizes) : data(values), extents(sizes) {}
  T& at(std::size_t i, std::size_t j) const { return data[i * extents[1] + j]; }
  T* data;
  std::array<std::size_t, Rank> extents;
};

TEST_CASE("tensors are contiguous ranges, and mdspans where a class of them is at hand") {
  static_assert(std::ranges::contiguous_range<Tensor<float>> && std::ranges::sized_range<const Tensor<float>>);
  static_assert(std::is_constructible_v<std::span<const float>, const Tensor<float>&>);
  Tensor<float> tensor({2, 3}, {1, 2, 3, 4, 5, 6});
  CHECK(*std::ranges::max_element(tensor) == 6.0f);
  const auto grid = as_mdspan<Grid<float, 2>>(tensor);
  CHECK(grid.at(1, 0) == 4.0f);
  grid.at(1, 2) = 7.0f;
  CHECK(tensor[5] == 7.0f);
  CHECK(as_mdspan<Grid<const float, 2>>(std::as_const(tensor)).at(0, 2) == 3.0f);
  CHECK(message_of<InputError>([&] { as_mdspan<Grid<float, 3>>(tensor); }) ==
        "a tensor of shape [2, 3] as an mdspan of rank 3");
}
