// SPDX-License-Identifier: Apache-2.0
#include <qwen35/dense/eigen_view.hpp>

#include <doctest/doctest.h>

using namespace qwen35;

TEST_CASE("a tensor is a matrix of its last axis") {
  Tensor<float> tensor({2, 3, 4});
  for (std::size_t i = 0; i < tensor.size(); ++i) {
    tensor[i] = static_cast<float>(i);
  }
  const Tensor<float>& constant = tensor;
  const auto view = eigen_rows(constant);
  CHECK(view.rows() == 6);
  CHECK(view.cols() == 4);
  CHECK(view(4, 3) == 19.0f);
  CHECK(view.row(5).sum() == 20.0f + 21.0f + 22.0f + 23.0f);
  eigen_rows(tensor).col(0).setConstant(-1.0f);
  CHECK(tensor[20] == -1.0f);
  CHECK(tensor[21] == 21.0f);
  Eigen::Index best = 0;
  view.row(3).maxCoeff(&best);
  CHECK(best == 3);
}

TEST_CASE("an empty tensor is an empty matrix") {
  const Tensor<float> none({0, 5});
  CHECK(eigen_rows(none).rows() == 0);
  const Tensor<float> narrow({3, 0});
  CHECK(eigen_rows(narrow).size() == 0);
  const Tensor<float> scalar(Shape{});
  CHECK_THROWS_AS(eigen_rows(scalar), InputError);
}
