// SPDX-License-Identifier: Apache-2.0
#include <qwen35/config/config_name.hpp>
#include <qwen35/config/presets.hpp>

#include <doctest/doctest.h>

namespace config_name_test {

struct Own {};
template <class T>
struct Of {};

}  // namespace config_name_test

namespace {

struct Unnamed {
  struct text_config {};
};

}  // namespace

TEST_CASE("a config is called what the program calls it") {
  using qwen35::config_name, qwen35::configs::Qwen35_35B_A3B;
  struct Local {};
  static_assert(config_name<qwen35::configs::Shapes>() == "Shapes");
  CHECK(config_name<Qwen35_35B_A3B>() == "Qwen35_35B_A3B");
  CHECK(config_name<Qwen35_35B_A3B::text_config>() == "Qwen35_35B_A3B::text_config");
  CHECK(config_name<Local>() == "Local");
  CHECK(config_name<Unnamed::text_config>() == "Unnamed::text_config");
  CHECK(config_name<config_name_test::Own>().ends_with("config_name_test::Own"));
  CHECK(config_name<config_name_test::Of<Unnamed>>().find("config_name_test::Of<") != std::string_view::npos);
}
