// SPDX-License-Identifier: Apache-2.0
// Types written by qwen35_add_config: each must describe the file it was written from, shapes and values.
#include <qwen35/config/config_file.hpp>
#include <qwen35/config/presets.hpp>

#include <qwen35_config/dense_composite.hpp>
#include <qwen35_config/dense_text.hpp>
#include <qwen35_config/loosely_written.hpp>
#include <qwen35_config/moe_odd.hpp>
#include <qwen35_config/nearly_empty.hpp>
#include <qwen35_config/shapes_from_file.hpp>

#include "config_test.hpp"

#include <doctest/doctest.h>

using namespace qwen35;

namespace {

template <class C>
void describes(const std::string& file) {
  config_test::check_values<C>(check<C>(config_test::recorded(file)));
}

}  // namespace

TEST_CASE("the types describe their files") {
  describes<shapes_from_file>("shapes.json");
  describes<dense_text>("dense_text.json");
  describes<moe_odd>("moe_odd.json");
  describes<dense_composite>("dense_composite.json");
  describes<nearly_empty>("nearly_empty.json");
  describes<loosely_written>("loosely_written.json");
}

TEST_CASE("text-only and composite, dense and experts") {
  CHECK(is_multimodal<shapes_from_file>);
  CHECK_FALSE(is_multimodal<dense_text>);
  CHECK_FALSE(is_multimodal<moe_odd>);
  CHECK(is_multimodal<dense_composite>);
  CHECK(is_moe<shapes_from_file>);
  CHECK_FALSE(is_moe<dense_text>);
  CHECK(is_moe<moe_odd>);
  CHECK_FALSE(is_moe<dense_composite>);
  CHECK(tied_embeddings<dense_text>);
  CHECK(tied_embeddings<dense_composite>);
  CHECK_FALSE(tied_embeddings<dense_composite::text_config>);
}

TEST_CASE("numbers keep every digit") {
  CHECK(dense_text::rms_norm_eps == 1.0000000000000002e-05);
  CHECK(dense_text::rope_parameters.rope_theta == 12345.678901234567);
  CHECK(dense_text::rope_parameters.factor == 4.0);
  CHECK(dense_text::eos_token_id == TokenIds{3, 4, 5});
  CHECK(moe_odd::rope_parameters.rope_theta == 1e7);
  CHECK(moe_odd::rope_parameters.long_factor == FactorList{4, 5, 6, 7.25});
  CHECK(moe_odd::initializer_range == 1e-3);
  CHECK(shapes_from_file::text_config::rms_norm_eps == 1e-6);
  CHECK(loosely_written::text_config::rms_norm_eps == 1e-5);
  CHECK(loosely_written::text_config::initializer_range == 0.5);
}

TEST_CASE("the shapes model from its file is the preset") {
  using Preset = configs::Shapes;
  CHECK(shapes_from_file::text_config::layer_types == Preset::text_config::layer_types);
  CHECK(shapes_from_file::text_config::rope_parameters == Preset::text_config::rope_parameters);
  CHECK(shapes_from_file::vision_config::num_position_embeddings == Preset::vision_config::num_position_embeddings);
  CHECK(shapes_from_file::image_token_id == Preset::image_token_id);
}
