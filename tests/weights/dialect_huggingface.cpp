// SPDX-License-Identifier: Apache-2.0
#include <qwen35/weights/dialect_huggingface.hpp>

#include "safetensors_writer.hpp"

#include <doctest/doctest.h>

using namespace qwen35;
using namespace weights_test;

namespace {

HuggingFaceNames map_of(std::initializer_list<const char*> names) {
  std::vector<TestTensor> tensors;
  for (const char* const name : names) {
    tensors.push_back({name, {1}, {0.0f}, "F32"});
  }
  const Bytes file = write_safetensors(tensors), config = bytes_of("{}");
  return HuggingFaceNames::of(Checkpoint::from_bytes({{"config.json", config}, {"m.safetensors", file}}));
}

}  // namespace

TEST_CASE("where the text model stands") {
  CHECK(map_of({"model.language_model.embed_tokens.weight", "lm_head.weight"}).text == "model.language_model.");
  CHECK(map_of({"model.embed_tokens.weight", "lm_head.weight"}).text == "model.");
  CHECK(map_of({"language_model.model.embed_tokens.weight"}).text == "language_model.model.");
  CHECK(map_of({"language_model.embed_tokens.weight"}).text == "language_model.");
  CHECK(map_of({"embed_tokens.weight"}).text == "");
  CHECK(map_of({"model.language_model.layers.0.input_layernorm.weight"}).text ==
        "model.language_model.");  // the embedding is missing
  CHECK(map_of({"layers.0.input_layernorm.weight"}).text == "");
  CHECK(map_of({"mtp.embed_tokens.weight", "model.visual.pos_embed.weight"}).text == "model.");  // nothing of it
}

TEST_CASE("where the head stands") {
  CHECK(map_of({"lm_head.weight"}).lm_head == "lm_head.weight");
  CHECK(map_of({"language_model.lm_head.weight"}).lm_head == "language_model.lm_head.weight");
  CHECK(map_of({"model.lm_head.weight"}).lm_head == "model.lm_head.weight");
  CHECK(map_of({"language_model.lm_head.qweight"}).lm_head == "language_model.lm_head.weight");
  CHECK(map_of({"model.lm_head.weight_packed"}).lm_head == "model.lm_head.weight");
  CHECK(map_of({"a"}).lm_head == "lm_head.weight");
}

TEST_CASE("where the vision tower stands") {
  CHECK(map_of({"model.visual.pos_embed.weight"}).visual == "model.visual.");
  CHECK(map_of({"visual.pos_embed.weight"}).visual == "visual.");
  CHECK(map_of({"patch_embed.proj.weight"}).visual == "");
  CHECK(map_of({"a"}).visual == "model.visual.");
}

TEST_CASE("tensors that the text model passes over") {
  CHECK(HuggingFaceNames::is_visual("model.visual.pos_embed.weight"));
  CHECK(HuggingFaceNames::is_visual("visual.merger.norm.bias"));
  CHECK_FALSE(HuggingFaceNames::is_visual("model.layers.0.visual.weight"));
  CHECK(HuggingFaceNames::is_multi_token_prediction("mtp.fc.weight"));
  CHECK(HuggingFaceNames::is_multi_token_prediction("model.language_model.mtp.fc.weight"));
  CHECK_FALSE(HuggingFaceNames::is_multi_token_prediction("model.mtps.fc.weight"));
  CHECK(HuggingFaceNames::is_rotary_buffer("model.layers.3.self_attn.rotary_emb.inv_freq"));
  CHECK_FALSE(HuggingFaceNames::is_rotary_buffer("model.layers.3.self_attn.q_proj.weight"));
  CHECK(HuggingFaceNames::is_cache_scale("model.layers.3.self_attn.k_proj.k_scale"));
  CHECK(HuggingFaceNames::is_cache_scale("model.layers.3.self_attn.v_scale"));
  CHECK_FALSE(HuggingFaceNames::is_cache_scale("model.layers.3.self_attn.v_proj.weight_scale"));
}
