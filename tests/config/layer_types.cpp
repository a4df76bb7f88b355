// SPDX-License-Identifier: Apache-2.0
#include <qwen35/config/layer_types.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace qwen35;

namespace {

template <std::size_t N>
std::string letters(const std::array<LayerType, N>& types) {
  std::string out;
  for (const LayerType type : types) {
    out += type == LayerType::full_attention ? 'F' : 'l';
  }
  return out;
}

}  // namespace

TEST_CASE("every n-th layer is full attention") {
  CHECK(letters(hybrid_layer_types<9>()) == "lllFlllFl");
  CHECK(letters(hybrid_layer_types<5>(2)) ==
        "lFlFl");  // transformers 5.12.1: Qwen3_5MoeTextConfig(num_hidden_layers=5, full_attention_interval=2)
  CHECK(letters(hybrid_layer_types<3>(1)) == "FFF");
  CHECK(letters(hybrid_layer_types<3>(4)) == "lll");
}

TEST_CASE("layer types carry the config file's names") {
  CHECK(name(LayerType::linear_attention) == "linear_attention");
  CHECK(name(LayerType::full_attention) == "full_attention");
}
