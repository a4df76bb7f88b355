// SPDX-License-Identifier: Apache-2.0
#include <qwen35/config/presets.hpp>
#include <qwen35/model/instantiate.hpp>

#include <qwen35_config/v00.hpp>

#include <doctest/doctest.h>

// Declared as elsewhere, then compiled here: the order in which a program meets the two.
QWEN35_EXTERN(qwen35::configs::Shapes)
QWEN35_INSTANTIATE(qwen35::configs::Shapes)
QWEN35_EXTERN_MULTIMODAL(v00)
QWEN35_INSTANTIATE_MULTIMODAL(v00)

TEST_CASE("a model compiled in one file runs") {
  const auto model = qwen35::CausalLM<qwen35::configs::Shapes>::from_pretrained(QWEN35_SOURCE_DIR "/examples/shapes");
  const auto out = model.forward({.input_ids = {434, 10, 20}});
  CHECK(out.logits.shape() == qwen35::Shape{1, 3, 512});
}

TEST_CASE("a multimodal model compiled in one file runs") {
  const auto model = qwen35::ConditionalGeneration<v00>::from_pretrained(QWEN35_TEST_DATA "/vision/v00");
  const auto out = model.forward({.input_ids = {9, 10, 11}});
  CHECK(out.logits.shape() == qwen35::Shape{1, 3, 48});
  CHECK(out.rope_deltas.empty());
}
