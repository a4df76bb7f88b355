// SPDX-License-Identifier: Apache-2.0
#include <qwen35/config/presets.hpp>
#include <qwen35/model/instantiate.hpp>

#include <doctest/doctest.h>

// Declared as elsewhere, then compiled here: the order in which a program meets the two.
QWEN35_EXTERN(qwen35::configs::Shapes)
QWEN35_INSTANTIATE(qwen35::configs::Shapes)

TEST_CASE("a model compiled in one file runs") {
  const auto model = qwen35::CausalLM<qwen35::configs::Shapes>::from_pretrained(QWEN35_SOURCE_DIR "/examples/shapes");
  const auto out = model.forward({.input_ids = {434, 10, 20}});
  CHECK(out.logits.shape() == qwen35::Shape{1, 3, 512});
}
