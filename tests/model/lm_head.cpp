// SPDX-License-Identifier: Apache-2.0
#include <qwen35/model/lm_head.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

#include <random>

using namespace qwen35;
using test_support::message_of;

TEST_CASE("which positions are kept") {
  using Positions = std::vector<std::size_t>;
  CHECK(LogitsToKeep().positions(3) == Positions{0, 1, 2});
  CHECK(LogitsToKeep(2).positions(3) == Positions{1, 2});
  CHECK(LogitsToKeep(9).positions(3) == Positions{0, 1, 2});
  CHECK(LogitsToKeep(1).positions(0).empty());
  CHECK(LogitsToKeep(std::vector<std::int32_t>{2, 0, -1, -3, 2}).positions(3) == Positions{2, 0, 2, 0, 2});
  CHECK(LogitsToKeep(std::vector<std::int32_t>{}).positions(3).empty());
  for (const std::int32_t index : {3, -4}) {
    CHECK(message_of<InputError>([&] { LogitsToKeep(std::vector<std::int32_t>{index}).positions(3); }) ==
          concat("logits_to_keep: index ", index, " of a sequence of 3"));
  }
  CHECK_THROWS_AS(LogitsToKeep(-1).positions(3), InputError);
}

TEST_CASE("logits of the kept positions are products with the head's rows, with the same bits however many are kept") {
  constexpr std::size_t batch = 2, length = 3, hidden_size = 19, vocab = 23;
  std::mt19937 generator(3);
  std::normal_distribution<float> normal;
  Tensor<float> hidden({batch, length, hidden_size});
  std::vector<float> head(vocab * hidden_size);
  for (float& value : hidden) {
    value = normal(generator);
  }
  for (float& value : head) {
    value = normal(generator);
  }
  const Matrix weight(reinterpret_cast<const std::byte*>(head.data()), Format::f32, vocab, hidden_size);
  const Tensor<float> all = lm_head(weight, hidden, 0);
  CHECK(all.shape() == Shape{batch, length, vocab});
  for (std::size_t row = 0; row < batch * length; ++row) {
    for (std::size_t n = 0; n < vocab; ++n) {
      double sum = 0.0;
      for (std::size_t k = 0; k < hidden_size; ++k) {
        sum += static_cast<double>(hidden.row(row)[k]) * static_cast<double>(head[n * hidden_size + k]);
      }
      CHECK(static_cast<double>(all.row(row)[n]) == doctest::Approx(sum).epsilon(1e-5));
    }
  }
  const auto same_rows = [&](const Tensor<float>& some, const std::vector<std::size_t>& positions) {
    bool same = some.shape() == Shape{batch, positions.size(), vocab};
    for (std::size_t b = 0; same && b < batch; ++b) {
      for (std::size_t i = 0; i < positions.size(); ++i) {
        const std::span<const float> wanted = all.row(b * length + positions[i]);
        same = same && std::equal(wanted.begin(), wanted.end(), some.row(b * positions.size() + i).begin());
      }
    }
    return same;
  };
  CHECK(same_rows(lm_head(weight, hidden, 1), {2}));
  CHECK(same_rows(lm_head(weight, hidden, std::vector<std::int32_t>{-1, 0, 1}), {2, 0, 1}));
  CHECK(same_rows(lm_head(weight, hidden, std::vector<std::int32_t>{}), {}));
}
