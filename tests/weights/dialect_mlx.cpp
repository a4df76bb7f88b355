// SPDX-License-Identifier: Apache-2.0
#include <qwen35/weights/dialect_mlx.hpp>
#include <qwen35/weights/dialect_of.hpp>

#include "safetensors_writer.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace qwen35;
using namespace weights_test;

namespace {

const std::string layer = "language_model.model.layers.0.";

TestTensor numbered(const std::string& name, const Extents& shape) {
  TestTensor out{name, shape, {}, "F32"};
  std::size_t size = 1;
  for (const std::size_t extent : shape) {
    size *= extent;
  }
  for (std::size_t i = 0; i < size; ++i) {
    out.values.push_back(static_cast<float>(i));
  }
  return out;
}

struct Fixture {
  Bytes settings, file;
  Checkpoint checkpoint;
  BoundStorage storage;
  Binder binder;
  std::unique_ptr<Dialect> dialect;

  explicit Fixture(const std::vector<RawTensor>& tensors, const std::string& config = "{}",
                   ModelPart part = ModelPart::text)
      : settings(bytes_of(config)),
        file(write_safetensors(tensors)),
        checkpoint(Checkpoint::from_bytes({{"config.json", settings}, {"m.safetensors", file}})),
        binder(checkpoint, storage),
        dialect(dialect_of(checkpoint, part)) {}

  bool is_mlx() const { return dynamic_cast<const MlxDialect*>(dialect.get()) != nullptr; }
  std::string said() {
    return message_of<CheckpointError>(
        [&] { binder.finish([&](std::string_view name) { return dialect->passes_over(name); }); });
  }
};

const TestTensor embedding = numbered("language_model.model.embed_tokens.weight", {2, 2});
const TestTensor taps = numbered(layer + "linear_attn.conv1d.weight", {3, 4, 1});

std::vector<float> row_of(const Matrix& matrix, std::size_t i) {
  std::vector<float> out(matrix.cols);
  kernels::decode_row({matrix, i, out.data()});
  return out;
}

}  // namespace

TEST_CASE("which folders are MLX's") {
  CHECK(Fixture({embedding, taps}).is_mlx());
  CHECK(Fixture({embedding, numbered(layer + "mlp.switch_mlp.up_proj.weight", {1, 2, 2})}).is_mlx());
  CHECK(Fixture({embedding}, R"({"quantization":{"group_size":64,"bits":4}})").is_mlx());
  CHECK(Fixture({embedding}, R"({"quantization_config":{"group_size":64,"bits":4}})").is_mlx());
  CHECK_FALSE(Fixture({embedding}).is_mlx());
  CHECK_FALSE(Fixture({embedding, numbered(layer + "linear_attn.conv1d.weight", {3, 1, 4})}).is_mlx());
  CHECK_FALSE(Fixture({embedding, numbered(layer + "linear_attn.conv1d.weight", {3, 1, 1})}).is_mlx());
}

TEST_CASE("norms have their 1, taps their own order of axes") {
  const std::string prefix = "layers.0.";
  Fixture fixture({embedding, taps, numbered(layer + "input_layernorm.weight", {3}),
                   numbered(layer + "linear_attn.norm.weight", {3}), numbered(layer + "linear_attn.A_log", {3}),
                   numbered("vision_tower.pos_embed.weight", {2, 2})});
  const float *norm = nullptr, *gated = nullptr, *decay = nullptr, *conv = nullptr;
  const auto bind = [&](const Parameter& parameter, const float*& out) {
    fixture.dialect->bind(fixture.binder, parameter, out);
  };
  bind({prefix, "input_layernorm.weight", {3}, Initial::zeros, Meaning::one_plus}, norm);
  bind({prefix, "linear_attn.norm.weight", {3}}, gated);
  bind({prefix, "linear_attn.A_log", {3}, Initial::log_uniform, Meaning::minus_exp}, decay);
  bind({prefix, "linear_attn.conv1d.weight", {3, 1, 4}}, conv);
  fixture.binder.check(embedding.name, {2, 2});
  CHECK(fixture.said() == "");
  CHECK((norm[0] == 0 && norm[2] == 2));  // not 3
  CHECK((gated[0] == 0 && gated[2] == 2));
  CHECK(decay[2] == -std::exp(2.0f));
  CHECK((conv[0] == 0 && conv[1] == 4 && conv[3] == 1));  // [taps, channels]
  CHECK(fixture.storage.stored(norm) == nullptr);         // in no folder's form

  // Nothing shows whether the 1 is there.
  for (const Extents& shape : {Extents{3, 1, 4}, {3, 1, 1}, {3}}) {
    Fixture unknown({embedding, numbered(layer + "linear_attn.conv1d.weight", shape),
                     numbered(layer + "input_layernorm.weight", {3})},
                    R"({"quantization":{"bits":4}})");
    unknown.dialect->bind(unknown.binder, {prefix, "input_layernorm.weight", {3}, Initial::zeros, Meaning::one_plus},
                          norm);
    CHECK(contains(unknown.said(), layer + "input_layernorm.weight: is it stored as in MLX, with the 1 of 1 + w added? "
                                           "No linear_attn.conv1d.weight [channels, taps, 1]"));
  }
  Fixture mixed({embedding, taps, numbered("language_model.model.layers.1.linear_attn.conv1d.weight", {3, 1, 4})});
  mixed.dialect->bind(mixed.binder, {"layers.1.", "linear_attn.conv1d.weight", {3, 1, 4}}, conv);
  CHECK(contains(mixed.said(), "layers.1.linear_attn.conv1d.weight: shape [3, 1, 4], expected [3, 4, 1]"));
}

TEST_CASE("experts are stacked by projection, and routers are single values") {
  const std::string mlp = layer + "mlp.";
  const auto packed = [](const std::string& module, const Extents& words, const Extents& groups) {
    std::size_t size = 4;
    for (const std::size_t extent : words) {
      size *= extent;
    }
    Bytes codes(size);
    for (std::size_t i = 0; i < size; ++i) {
      codes[i] = static_cast<std::byte>(i * 37);
    }
    TestTensor scales = numbered(module + ".scales", groups), biases = numbered(module + ".biases", groups);
    scales.dtype = biases.dtype = "BF16";
    return std::vector<RawTensor>{{module + ".weight", words, "U32", std::move(codes)}, scales, biases};
  };
  std::vector<RawTensor> tensors = {embedding, taps, numbered(mlp + "switch_mlp.up_proj.weight", {3, 2, 32}),
                                    numbered(mlp + "switch_mlp.gate_proj.weight", {3, 2, 32}),
                                    numbered(mlp + "shared_expert_gate.weight", {1, 32})};
  for (const auto& more :
       {packed(mlp + "switch_mlp.down_proj", {3, 32, 4}, {3, 32, 1}), packed(mlp + "gate", {3, 8}, {3, 1})}) {
    tensors.insert(tensors.end(), more.begin(), more.end());
  }
  Fixture fixture(tensors);
  std::vector<MlpWeights> experts;
  fixture.dialect->bind(fixture.binder, ExpertsParameter{"layers.0.mlp.experts.", 3, 2, 32}, experts);
  REQUIRE(experts.size() == 3);
  CHECK(fixture.said() != "");  // the down projection has rows of 2 columns
  Fixture whole(tensors);
  whole.dialect->bind(whole.binder, ExpertsParameter{"layers.0.mlp.experts.", 3, 32, 32}, experts);
  CHECK(contains(whole.said(), mlp + "switch_mlp.up_proj.weight: shape [3, 2, 32], expected [3, 32, 32]"));

  Fixture fits(tensors);
  const Matrix down = fits.binder.stacked(mlp + "switch_mlp.down_proj.weight", {3, 32, 32});
  CHECK(down.format == Format::a4_32);
  CHECK(row_of(down, 33)[0] == 33.0f * static_cast<float>((33 * 16 * 37 & 255) & 15) + 33.0f);
  Matrix router, gate, up;
  fits.dialect->bind(fits.binder, Parameter{"layers.0.", "mlp.gate.weight", {3, 32}}, router);
  fits.dialect->bind(fits.binder, Parameter{"layers.0.", "mlp.shared_expert_gate.weight", {1, 32}}, gate);
  CHECK(router.format == Format::f32);
  CHECK(row_of(router, 2)[0] == 2.0f * static_cast<float>(64 * 37 & 255) + 2.0f);
  CHECK(row_of(gate, 0)[31] == 31);
}

TEST_CASE("the picture tower stands elsewhere, its patches with their channels last") {
  const Extents stored = {2, 2, 3, 3, 4};  // [width, frames, patch, patch, channels]
  Fixture fixture({embedding, taps, numbered("vision_tower.patch_embed.proj.weight", stored)}, "{}", ModelPart::vision);
  Matrix patches;
  fixture.dialect->bind(fixture.binder, Parameter{"", "patch_embed.proj.weight", {2, 4, 2, 3, 3}}, patches);
  CHECK(fixture.said() == "");
  REQUIRE(patches.cols == 72);
  for (std::size_t channel = 0; channel < 4; ++channel) {
    for (std::size_t place = 0; place < 18; ++place) {
      CHECK(row_of(patches, 1)[channel * 18 + place] == static_cast<float>(72 + place * 4 + channel));
    }
  }
  Fixture other({embedding, taps, numbered("vision_tower.patch_embed.proj.weight", {2, 4, 2, 3, 3})}, "{}",
                ModelPart::vision);
  other.dialect->bind(other.binder, Parameter{"", "patch_embed.proj.weight", {2, 4, 2, 3, 3}}, patches);
  CHECK(
      contains(other.said(), "vision_tower.patch_embed.proj.weight: shape [2, 4, 2, 3, 3], expected [2, 2, 3, 3, 4]"));
}
