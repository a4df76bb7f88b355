// SPDX-License-Identifier: Apache-2.0
#include <qwen35/cache/cache_layout.hpp>
#include <qwen35/config/presets.hpp>

#include "support/small_layout.hpp"

#include <doctest/doctest.h>

using namespace qwen35;

namespace {

constexpr CacheLayout layout = test_support::small_layout;

}  // namespace

TEST_CASE("a layout says where things stand") {
  static_assert(layout.state_stride() == 16 && layout.state_floats() == 16);
  static_assert(layout.head_bytes() == 8 && layout.slot_bytes() == 2 * 2 * 2 * 8);
  static_assert(layout.page_bytes() == 64 * 64);
  static_assert(layout.key_offset(0) == 0 && layout.value_offset(0) == 2 * 64 * 8);
  static_assert(layout.key_offset(1) == 2 * layout.value_offset(0));
  static_assert(pages_for(0) == 0 && pages_for(1) == 1 && pages_for(64) == 1 && pages_for(65) == 2);
}

TEST_CASE("the layout of a config") {
  constexpr CacheLayout large = cache_layout<configs::Qwen35_35B_A3B>(DType::bf16);
  static_assert(large.linear_layers == 30 && large.full_layers == 10);
  static_assert(large.slot_bytes() == 20 * 1024);
  static_assert(large.recurrent_floats == 32 * 128 * 128 && large.conv_floats == 3 * 8192);
  static_assert(large.state_bytes() == 30 * 4 * (32 * 128 * 128 + 3 * 8192));
  static_assert(cache_layout<configs::Qwen35_35B_A3B>().slot_bytes() == 40 * 1024);
  CHECK(large != cache_layout<configs::Qwen35_35B_A3B>());
  CHECK(cache_layout<configs::Shapes>() == cache_layout<configs::Shapes::text_config>());
}
