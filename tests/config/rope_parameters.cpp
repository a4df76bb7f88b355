// SPDX-License-Identifier: Apache-2.0
#include <qwen35/config/rope_parameters.hpp>

#include <doctest/doctest.h>

using namespace qwen35;

static_assert(FactorList{1.0, 2.0} == FactorList{1.0, 2.0} && FactorList{1.0, 2.0} != FactorList{1.0, 2.5} &&
              FactorList{1.0} != FactorList{1.0, 1.0});
static_assert(RopeParameters{} ==
              RopeParameters{.rope_theta = 10000.0, .partial_rotary_factor = 0.25, .mrope_section = {11, 11, 10}});
static_assert(RopeParameters{.rope_type = RopeType::linear, .factor = 2.0} !=
              RopeParameters{.rope_type = RopeType::linear});

TEST_CASE("a list of factors has at most 256 entries") {
  FactorList list;
  for (int i = 0; i < 256; ++i) {
    list.push_back(i);
  }
  CHECK(list[255] == 255.0);
  CHECK_THROWS_AS(list.push_back(0.0), ConfigError);
  CHECK(list.size() == 256);
}

TEST_CASE("rope types carry the config file's names") {
  CHECK(name(RopeType::default_) == "default");
  CHECK(name(RopeType::dynamic) == "dynamic");
  CHECK(name(RopeType::yarn) == "yarn");
  CHECK(name(RopeType::longrope) == "longrope");
  CHECK(name(RopeType::llama3) == "llama3");
  CHECK(name(RopeType::linear) == "linear");
}
