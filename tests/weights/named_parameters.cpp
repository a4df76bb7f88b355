// SPDX-License-Identifier: Apache-2.0
#include <qwen35/config/presets.hpp>
#include <qwen35/weights/bind.hpp>
#include <qwen35/weights/named_parameters.hpp>

#include "small_models.hpp"
#include "text_tensors.hpp"

#include <doctest/doctest.h>

#include <map>

using namespace qwen35;
using namespace weights_test;

namespace {

const Bytes config = bytes_of("{}");

Bytes bytes_of(const NamedParameter& parameter) {
  Bytes out;
  for (const Matrix& piece : parameter.pieces) {
    out.insert(out.end(), piece.data, piece.data + piece.bytes());
  }
  return out;
}

// Every tensor that was written is in the list under its name, with its shape and the bytes of its format.
void check_list(const std::vector<NamedParameter>& list, const std::vector<TestTensor>& tensors) {
  std::map<std::string, const NamedParameter*> by_name;
  for (const NamedParameter& parameter : list) {
    CHECK_MESSAGE(by_name.emplace(parameter.name, &parameter).second, parameter.name);
  }
  CHECK(by_name.size() == tensors.size());
  for (const TestTensor& tensor : tensors) {
    CAPTURE(tensor.name);
    REQUIRE(by_name.count(tensor.name) == 1);
    const NamedParameter& parameter = *by_name[tensor.name];
    CHECK(to_string(parameter.shape) == shape_text(tensor.shape));
    CHECK(name(parameter.format) == (tensor.dtype == "F32" ? "f32" : "bf16"));
    CHECK(bytes_of(parameter) == encode(tensor.values, tensor.dtype));
    CHECK(parameter.bytes() == bytes_of(parameter).size());
  }
}

}  // namespace

TEST_CASE("the list has what the file has, whatever the file calls it") {
  const std::vector<TestTensor> tensors = text_tensors<SmallText>({.root = "model."});
  for (const bool per_expert : {false, true}) {
    const Bytes file =
        write_safetensors(text_tensors<SmallText>({.root = "model.language_model.", .per_expert = per_expert}), 1);
    const auto weights =
        bind_text<SmallText>(Checkpoint::from_bytes({{"config.json", config}, {"m.safetensors", file}}));
    check_list(named_parameters(weights, HuggingFaceNames::of_causal_lm(), true), tensors);
    // Without the head.
    std::vector<TestTensor> body = text_tensors<SmallText>({.root = ""});
    std::erase_if(body, [](const TestTensor& tensor) { return tensor.name == "lm_head.weight"; });
    check_list(named_parameters(weights, HuggingFaceNames::of_part(), false), body);
    CHECK(named_parameters(weights, HuggingFaceNames::of_conditional_generation(), true)[0].name ==
          "model.language_model.embed_tokens.weight");
  }
}

TEST_CASE("weights that never were in a file are listed as what they would be in one") {
  TextWeights<SmallText> weights = empty_text_weights<SmallText>();
  std::vector<float> norm(6, 1.25f), a(2, -0.5f), conv(4 * 16);
  for (std::size_t i = 0; i < conv.size(); ++i) {
    conv[i] = static_cast<float>(i);  // [tap, channel]
  }
  weights.norm.weight = norm.data();
  weights.linear_layers[0].mixer.a = a.data();
  weights.linear_layers[0].mixer.conv1d = conv.data();
  ParameterList list(weights.storage);
  const auto& mixer = weights.linear_layers[0].mixer;
  list.read({"", "norm.weight", {6}, Initial::zeros, Meaning::one_plus}, weights.norm.weight);
  list.read({"", "A_log", {2}, Initial::log_uniform, Meaning::minus_exp}, mixer.a);
  list.read({"", "conv1d.weight", {16, 1, 4}}, mixer.conv1d);
  const auto values = [&](std::size_t index) { return reinterpret_cast<const float*>(list.out[index].pieces[0].data); };
  CHECK(values(0)[5] == 0.25f);
  CHECK(values(1)[1] == doctest::Approx(std::log(0.5)));
  CHECK(values(2)[3 * 4 + 1] == 16.0f + 3.0f);  // channel 3, tap 1
  CHECK(list.out[2].shape == Shape{16, 1, 4});
}

TEST_CASE("experts of different formats are f32 together") {
  const float row[] = {1.0f, 2.0f};
  const std::uint16_t half_row[] = {0x3c00, 0x4000};
  const Matrix wide(reinterpret_cast<const std::byte*>(row), Format::f32, 1, 2);
  const Matrix half(reinterpret_cast<const std::byte*>(half_row), Format::f16, 1, 2);
  const Matrix out(reinterpret_cast<const std::byte*>(row), Format::f32, 2, 1);
  const BoundStorage none;
  ParameterList list(none);
  list.read(ExpertsParameter{"mlp.experts.", 2, 1, 2}, {{half, half, out}, {half, wide, out}});
  REQUIRE(list.out.size() == 2);
  CHECK(list.out[0].name == "mlp.experts.gate_up_proj");
  CHECK(list.out[0].shape == Shape{2, 2, 2});
  CHECK(list.out[0].format == Format::f32);
  CHECK(list.out[0].bytes() == 4 * 2 * 4);
  CHECK(list.out[1].shape == Shape{2, 2, 1});
}

// The reference's own counts (transformers 5.12.1, the configs on the meta device).
TEST_CASE("published models have as many parameters as in the reference") {
  CHECK(num_text_parameters<configs::Qwen35_35B_A3B>(true) == 34'660'610'688);
  CHECK(num_text_parameters<configs::Qwen35_35B_A3B>(false) == 34'152'051'328);
  CHECK(num_vision_parameters<configs::Qwen35_35B_A3B::vision_config>() == 446'571'248);
  CHECK(num_text_parameters<configs::Qwen35_0_8B>(true) +
            num_vision_parameters<configs::Qwen35_0_8B::vision_config>() ==
        852'985'920);  // the head is tied
}
