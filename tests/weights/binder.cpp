// SPDX-License-Identifier: Apache-2.0
#include <qwen35/json/parse.hpp>
#include <qwen35/weights/binder.hpp>

#include "safetensors_writer.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

using namespace qwen35;
using namespace weights_test;

namespace {

const Bytes config = bytes_of("{}");

// A checkpoint in memory, whose data starts `padding` bytes later than it might.
struct Fixture {
  Bytes file;
  Checkpoint checkpoint;
  BoundStorage storage;
  Binder binder;

  explicit Fixture(const std::vector<TestTensor>& tensors, std::size_t padding = 0)
      : Fixture(write_safetensors(tensors, padding), config, {}) {}
  Fixture(Bytes tensors, const Bytes& settings, const CheckpointOptions& options)
      : file(std::move(tensors)),
        checkpoint(Checkpoint::from_bytes({{"config.json", settings}, {"m.safetensors", file}}, options)),
        binder(checkpoint, storage) {}

  std::string said() {
    return message_of<CheckpointError>(
        [&] { binder.finish([](const std::string& name) { return name == "ignored"; }); });
  }
};

std::vector<float> floats(const float* data, std::size_t count) {
  return {data, data + count};
}

}  // namespace

TEST_CASE("matrices are views of the file") {
  std::mt19937 random(3);
  const std::vector<TestTensor> tensors = {
      random_tensor("f32", {3, 4}, random), random_tensor("bf16", {3, 4}, random, "BF16"),
      random_tensor("f16", {2, 3, 4}, random, "F16"), random_tensor("conv", {3, 2, 1, 2}, random)};
  std::size_t views = 0, copies = 0;
  for (std::size_t padding = 0; padding < 4; ++padding) {
    Fixture fixture(tensors, padding);
    const Matrix f32 = fixture.binder.matrix("f32", {3, 4});
    const Matrix bf16 = fixture.binder.matrix("bf16", {3, 4});
    const Matrix f16 = fixture.binder.stacked("f16", {2, 3, 4});
    const Matrix conv = fixture.binder.matrix("conv", {3, 2, 1, 2});
    CHECK(fixture.said() == "");
    CHECK((f32.format == DType::f32 && f32.rows == 3 && f32.cols == 4));
    CHECK((bf16.format == DType::bf16 && bf16.rows == 3 && bf16.cols == 4));
    CHECK((f16.format == DType::f16 && f16.rows == 6 && f16.cols == 4));
    CHECK((conv.format == DType::f32 && conv.rows == 3 && conv.cols == 4));
    const Matrix* const all[] = {&f32, &bf16, &f16, &conv};
    for (std::size_t i = 0; i < 4; ++i) {
      CHECK(reinterpret_cast<std::uintptr_t>(all[i]->data) % row_bytes(all[i]->format, 1) == 0);
      CHECK(Bytes(all[i]->data, all[i]->data + all[i]->bytes()) == encode(tensors[i].values, tensors[i].dtype));
      const bool inside =
          all[i]->data >= fixture.file.data() && all[i]->data < fixture.file.data() + fixture.file.size();
      views += inside ? 1 : 0;
      copies += inside ? 0 : 1;
    }
    CHECK(fixture.storage.copies.size() == copies);
    copies = 0;
  }
  CHECK(views == 6);  // of four places one is right for all four tensors, another for the two of two bytes a value
}

TEST_CASE("vectors become f32") {
  std::mt19937 random(4);
  const std::vector<TestTensor> tensors = {random_tensor("f32", {5}, random),
                                           random_tensor("f16", {5}, random, "F16"),
                                           random_tensor("bf16", {5}, random, "BF16"),
                                           {"conv", {2, 1, 3}, {1, 2, 3, 4, 5, 6}, "F16"}};
  Fixture fixture(tensors, 1);
  const float* const f32 = fixture.binder.vector("f32", {5});
  const float* const f16 = fixture.binder.vector("f16", {5});
  const float* const bf16 = fixture.binder.vector("bf16", {5}, Meaning::one_plus);
  const float* const conv = fixture.binder.vector("conv", {2, 1, 3});
  CHECK(fixture.said() == "");
  CHECK(floats(f32, 5) == tensors[0].values);
  CHECK(floats(f16, 5) == tensors[1].values);
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(bf16[i] == 1.0f + tensors[2].values[i]);
  }
  CHECK(floats(conv, 6) == std::vector<float>{1, 4, 2, 5, 3, 6});
  const BoundStorage moved = std::move(fixture.storage);
  CHECK(f32 == moved.vectors[0].values.data());
}

TEST_CASE("everything that does not fit stands in one error") {
  std::mt19937 random(5);
  Fixture fixture({random_tensor("m", {3, 4}, random), random_tensor("flat", {12}, random),
                   random_tensor("v", {5, 1}, random), random_tensor("stack", {6, 4}, random),
                   random_tensor("conv", {2, 3}, random), random_tensor("left", {1}, random),
                   random_tensor("ignored", {1}, random), random_tensor("fine", {1}, random)});
  CHECK(fixture.binder.matrix("m", {4, 3}).empty());
  CHECK(fixture.binder.matrix("flat", {3, 4}).empty());
  CHECK(fixture.binder.vector("v", {5}) == nullptr);
  CHECK(fixture.binder.stacked("stack", {2, 3, 4}).empty());
  CHECK(fixture.binder.vector("conv", {2, 1, 3}) == nullptr);
  CHECK(fixture.binder.matrix("absent", {7, 8}).empty());
  CHECK(fixture.binder.vector("fine", {1}) != nullptr);
  CHECK(fixture.binder.vector("fine", {1}) == nullptr);
  CHECK(fixture.said() ==
        "checkpoint: does not hold this model, 8 problems:\n"
        "  m: shape [3, 4], expected [4, 3]\n"
        "  flat: shape [12], expected [3, 4]\n"
        "  v: shape [5, 1], expected [5]\n"
        "  stack: shape [6, 4], expected [2, 3, 4]\n"
        "  conv: shape [2, 3], expected [2, 1, 3]\n"
        "  absent: missing, expected shape [7, 8]\n"
        "  fine: taken twice\n"
        "  left: not part of the model");
}

TEST_CASE("formats that are no matrix formats here") {
  const Bytes file = raw_safetensors(
      R"({"a":{"dtype":"F8_E5M2","shape":[2,4],"data_offsets":[0,8]},"b":{"dtype":"I64","shape":[1],"data_offsets":[8,16]}})",
      Bytes(16));
  const Checkpoint checkpoint = Checkpoint::from_bytes({{"config.json", config}, {"m.safetensors", file}});
  BoundStorage storage;
  Binder binder(checkpoint, storage);
  CHECK(binder.matrix("a", {2, 4}).empty());
  CHECK(binder.vector("b", {2}) == nullptr);
  CHECK(message_of<CheckpointError>([&] { binder.finish([](std::string_view) { return false; }); }) ==
        "checkpoint: does not hold this model, 3 problems:\n"
        "  a: dtype F8_E5M2, expected one of F32, F16, BF16, F8_E4M3\n"
        "  b: shape [1], expected [2]\n"
        "  b: dtype I64, expected one of F32, F16, BF16, F8_E4M3");
}

TEST_CASE("a long list is cut") {
  Fixture fixture({{"a", {1}, {0.0f}, "F32"}});
  for (int i = 0; i < 120; ++i) {
    fixture.binder.vector(concat("v", i), {3});
  }
  const std::string said = fixture.said();
  CHECK(contains(said, "121 problems:"));
  CHECK(contains(said, "\n  v49: missing, expected shape [3]\n  and 71 more"));
  CHECK_FALSE(contains(said, "v50"));
}

TEST_CASE("every tensor in the format that was asked for, rounded to the nearest even value") {
  std::mt19937 random(6);
  std::vector<TestTensor> tensors = {random_tensor("f32", {3, 300}, random),
                                     random_tensor("f16", {2, 5}, random, "F16"),
                                     random_tensor("bf16", {4}, random, "BF16")};
  tensors[0].values[0] = 1.00390625f;  // halfway between two bf16 values: to the even one, 1
  tensors[0].values[1] = 1.01171875f;  // the same: up, to 1.015625
  tensors[0].values[2] = 1e30f;        // too large for f16
  const Bytes file = write_safetensors(tensors, 1);
  const auto open = [&](Format format) {
    return Checkpoint::from_bytes({{"config.json", config}, {"m.safetensors", file}}, {.dtype = format});
  };
  for (const Format format : {Format::f32, Format::f16, Format::bf16}) {
    const std::string dtype = dtype_name(format);
    const Checkpoint checkpoint = open(format);
    BoundStorage storage;
    Binder binder(checkpoint, storage);
    const Matrix all[] = {binder.matrix("f32", {3, 300}), binder.matrix("f16", {2, 5})};
    const float* const vector = binder.vector("bf16", {4}, Meaning::one_plus);
    binder.finish([](std::string_view) { return false; });
    for (std::size_t i = 0; i < 2; ++i) {
      CHECK(all[i].format == format);
      CHECK(Bytes(all[i].data, all[i].data + all[i].bytes()) == encode(tensors[i].values, dtype));
    }
    CHECK(storage.stored(vector)->format == format);
    CHECK(storage.stored(vector + 1) == nullptr);
    for (std::size_t i = 0; i < 4; ++i) {
      const float stored = format == Format::f16 ? f16_to_f32(f32_to_f16(tensors[2].values[i])) : tensors[2].values[i];
      CHECK(vector[i] == 1.0f + stored);
    }
    CHECK_FALSE(binder.uses_checkpoint());  // the data is not aligned, so nothing is a view
  }
  // Too narrow for vectors: they stay as they are.
  const Checkpoint checkpoint = open(Format::f8_e4m3);
  BoundStorage storage;
  Binder binder(checkpoint, storage);
  CHECK(binder.matrix("f32", {3, 300}).format == Format::f8_e4m3);
  CHECK(storage.stored(binder.vector("bf16", {4}))->format == Format::bf16);
}

namespace {

// Every code, NaN too.
RawTensor f8_tensor(const std::string& name, const Extents& shape) {
  std::size_t size = 1;
  for (const std::size_t extent : shape) {
    size *= extent;
  }
  Bytes codes(size);
  for (std::size_t i = 0; i < size; ++i) {
    codes[i] = static_cast<std::byte>(i * 7 + i / 251);
  }
  return {name, shape, "F8_E4M3", std::move(codes)};
}

const Bytes fp8_config =
    bytes_of(R"({"quantization_config":{"quant_method":"fp8","fmt":"e4m3","weight_block_size":[16,32]}})");

bool same_bits(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) || (std::isnan(a) && std::isnan(b));
}

// Row by row, value by value: f8 * factor.
template <class Factor>
void check_scaled(const Matrix& matrix, const RawTensor& weight, const Factor& factor) {
  REQUIRE_FALSE(matrix.empty());
  CAPTURE(weight.name);
  std::vector<float> row(matrix.cols);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    kernels::decode_row({matrix, i, row.data()});
    for (std::size_t k = 0; k < matrix.cols; ++k) {
      const auto code = std::to_integer<std::uint8_t>(weight.bytes[i * matrix.cols + k]);
      wrong += same_bits(row[k], f8_e4m3_to_f32(code) * factor(i, k)) ? 0u : 1u;
    }
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("FP8: every stored value times the factor of its block, row or tensor") {
  std::mt19937 random(7);
  const auto factors = [&](const std::string& name, const Extents& shape, const std::string& dtype) {
    TestTensor out = random_tensor(name, shape, random, dtype);
    out.values[0] = std::ldexp(1.0f, dtype == "F16" ? -24 : -130);  // subnormal
    return out;
  };
  // 40 x 70 in blocks of 16 x 32: the last ones are cut short.
  const RawTensor weights[] = {f8_tensor("a.weight", {40, 70}),          f8_tensor("b.weight", {40, 70}),
                               f8_tensor("c.weight", {40, 70}),          f8_tensor("d.weight", {40, 70}),
                               f8_tensor("e.gate_up_proj", {3, 24, 70}), f8_tensor("f.weight", {40, 70}),
                               f8_tensor("g.gate_up_proj", {3, 24, 70}), f8_tensor("h.weight", {40, 70}),
                               f8_tensor("i.gate_up_proj", {1, 40, 70})};
  const TestTensor scales[] = {factors("a.weight_scale_inv", {3, 3}, "F32"),
                               factors("b.weight_scale_inv", {3, 3}, "BF16"),
                               factors("c.weight_scale", {40, 1}, "BF16"),
                               factors("d.weight_scale", {}, "F32"),
                               factors("e.gate_up_proj_scale_inv", {3, 2, 3}, "F32"),
                               factors("f.weight_scale", {40}, "F16"),
                               factors("g.gate_up_proj_scale", {3, 1, 1}, "BF16"),
                               factors("i.gate_up_proj_scale_inv", {1, 3, 3}, "F32")};
  std::vector<RawTensor> all(std::begin(weights), std::end(weights));
  all.insert(all.end(), std::begin(scales), std::end(scales));
  all.push_back({"h.weight_scale_inv", {3, 3}, "F8_E8M0", Bytes(9, std::byte{130})});  // 8
  all.push_back(TestTensor{"d.input_scale", {1}, {1.0f}});
  for (std::size_t padding = 0; padding < 2; ++padding) {
    Fixture fixture(write_safetensors(all, padding), fp8_config, {});
    const auto matrix = [&](const char* name) { return fixture.binder.matrix(name, {40, 70}); };
    const Matrix a = matrix("a.weight"), b = matrix("b.weight"), c = matrix("c.weight"), d = matrix("d.weight"),
                 f = matrix("f.weight"), h = matrix("h.weight");
    const Matrix e = fixture.binder.stacked("e.gate_up_proj", {3, 24, 70}),
                 g = fixture.binder.stacked("g.gate_up_proj", {3, 24, 70}),
                 one = fixture.binder.stacked("i.gate_up_proj", {1, 40, 70});
    CHECK(fixture.said() == "");
    CHECK(fixture.binder.uses_checkpoint());
    for (const Matrix* view : {&a, &b, &c, &d, &e, &f, &g, &h, &one}) {
      CHECK(view->format == Format::f8_e4m3);
      CHECK((view->data > fixture.file.data() && view->data < fixture.file.data() + fixture.file.size()));
    }
    const auto in_blocks = [&](const TestTensor& of) {
      return [&of](std::size_t i, std::size_t k) { return of.values[i / 16 * 3 + k / 32]; };
    };
    check_scaled(a, weights[0], in_blocks(scales[0]));
    check_scaled(b, weights[1], in_blocks(scales[1]));
    check_scaled(c, weights[2], [&](std::size_t i, std::size_t) { return scales[2].values[i]; });
    check_scaled(d, weights[3], [&](std::size_t, std::size_t) { return scales[3].values[0]; });
    // Blocks begin anew with each expert.
    check_scaled(e, weights[4], [&](std::size_t i, std::size_t k) {
      return scales[4].values[(i / 24 * 2 + i % 24 / 16) * 3 + k / 32];
    });
    check_scaled(f, weights[5], [&](std::size_t i, std::size_t) { return scales[5].values[i]; });
    check_scaled(g, weights[6], [&](std::size_t i, std::size_t) { return scales[6].values[i / 24]; });
    check_scaled(h, weights[7], [](std::size_t, std::size_t) { return 8.0f; });
    check_scaled(one, weights[8], in_blocks(scales[7]));
  }
  // In another format each value is rounded once more.
  Fixture wide(write_safetensors(all), fp8_config, {.dtype = Format::bf16});
  const Matrix a = wide.binder.matrix("a.weight", {40, 70});
  CHECK((a.format == Format::bf16 && a.scales.empty()));
  for (std::size_t i = 0; i < 40; ++i) {
    std::vector<float> row(70);
    kernels::decode_row({a, i, row.data()});
    for (std::size_t k = 0; k < 70; ++k) {
      const float value = f8_e4m3_to_f32(std::to_integer<std::uint8_t>(weights[0].bytes[i * 70 + k])) *
                          scales[0].values[i / 16 * 3 + k / 32];
      CHECK(same_bits(row[k], bf16_to_f32(f32_to_bf16(value))));
    }
  }
}

TEST_CASE("FP8 of ModelOpt: one factor for all, said in config.json or beside it") {
  const RawTensor weight = f8_tensor("a.weight", {40, 70});
  const auto file = [&](const std::vector<RawTensor>& others) {
    std::vector<RawTensor> all = others;
    all.push_back(weight);
    all.push_back({"a.input_scale", {}, "F32", Bytes(4)});
    return write_safetensors(all);
  };
  const RawTensor factor = TestTensor{"a.weight_scale", {}, {0.0123f}};
  const Bytes sound = file({factor}), bare = file({}), none = bytes_of("{}");
  const Bytes quantised =
      bytes_of(R"({"producer":{"name":"modelopt"},"quantization":{"quant_algo":"FP8","kv_cache_quant_algo":"FP8",
      "exclude_modules":["lm_head","*gate*"]}})");
  const auto said = [&](const Bytes& tensors, const Bytes& own_file) {
    const Checkpoint checkpoint =
        Checkpoint::from_bytes({{"config.json", none}, {"hf_quant_config.json", own_file}, {"m.safetensors", tensors}});
    BoundStorage storage;
    Binder binder(checkpoint, storage);
    const Matrix matrix = binder.matrix("a.weight", {40, 70});
    const std::string text =
        message_of<CheckpointError>([&] { binder.finish([](std::string_view) { return false; }); });
    if (text.empty()) {
      check_scaled(matrix, weight, [](std::size_t, std::size_t) { return 0.0123f; });
    }
    return text;
  };
  CHECK(said(sound, quantised) == "");
  CHECK(contains(said(bare, quantised), "a.weight_scale_inv: missing (and weight_scale is too)"));
  CHECK(contains(said(file({{"a.weight_scale", {2}, "F32", Bytes(8)}}), quantised), "a.weight_scale: shape [2]"));
  CHECK(contains(said(file({{"a.weight_scale", {}, "I32", Bytes(4)}}), quantised), "a.weight_scale: dtype I32"));
  for (const std::string other : {R"({"quantization":{"quant_algo":"W4A8_AWQ"}})", R"({"quantization":4})", "4"}) {
    CAPTURE(other);
    CHECK_THROWS_AS(said(sound, bytes_of(other)), ConfigError);
  }
  // What config.json says goes before.
  const Bytes fp8 = bytes_of(R"({"quantization_config":{"quant_method":"fp8"}})"), strange = bytes_of("{}");
  const Checkpoint both =
      Checkpoint::from_bytes({{"config.json", fp8}, {"hf_quant_config.json", strange}, {"m.safetensors", sound}});
  CHECK(quantization_of(both).method == QuantizationConfig::Method::fp8);
}

TEST_CASE("FP8: what does not fit is an error with the tensor's name") {
  const auto said = [](std::vector<RawTensor> tensors, const Bytes& settings = fp8_config) {
    tensors.insert(tensors.begin(), f8_tensor("a.weight", {40, 70}));
    Fixture fixture(write_safetensors(tensors), settings, {});
    fixture.binder.matrix("a.weight", {40, 70});
    return fixture.said();
  };
  const auto scales = [](const Extents& shape, const std::string& dtype, std::size_t bytes) {
    return RawTensor("a.weight_scale_inv", shape, dtype, Bytes(bytes));
  };
  CHECK(contains(said({}), "a.weight_scale_inv: missing (and weight_scale is too)"));
  CHECK(said({}, config) == "");  // a folder that does not say that it is quantised
  CHECK(said({scales({3, 3}, "F32", 36)}) == "");
  for (const Extents& shape :
       {Extents{3, 4}, {4, 3}, {2, 3}, {9}, {3}, {70, 1}, {1, 3, 3}, {2}, {0}, {40, 0}, {0, 3}}) {
    std::size_t bytes = 4;
    for (const std::size_t extent : shape) {
      bytes *= extent;
    }
    CAPTURE(shape_json(shape));
    CHECK(contains(said({scales(shape, "F32", bytes)}), "a.weight_scale_inv: shape ["));
  }
  for (const std::string dtype : {"I32", "F64", "I8", "F8_E4M3", "U8"}) {
    const std::size_t bytes = dtype == "F64" ? 72 : dtype == "I32" ? 36 : 9;
    CHECK(contains(said({scales({3, 3}, dtype, bytes)}),
                   "a.weight_scale_inv: dtype " + dtype + ", expected F32, F16, BF16 or F8_E8M0"));
  }
  // A config that says blocks has blocks, whatever else would fit too; one that says none has one factor for all.
  const Bytes whole_config =
      bytes_of(R"({"quantization_config":{"quant_method":"fp8","fmt":"e4m3","weight_block_size":null}})");
  const Bytes default_config = bytes_of(R"({"quantization_config":{"quant_method":"fp8"}})");
  for (const Extents& shape : {Extents{1, 1}, {1}, {}, {40, 1}, {40}, {1, 3}, {3, 1}}) {
    std::size_t bytes = 4;
    for (const std::size_t extent : shape) {
      bytes *= extent;
    }
    CAPTURE(shape_json(shape));
    CHECK(contains(said({scales(shape, "F32", bytes)}), "expected one factor for each block of 16 x 32 of a.weight"));
    CHECK((said({scales(shape, "F32", bytes)}, whole_config) == "") == (bytes == 4 || bytes == 160));
    // One block of 128 x 128 has all of it.
    CHECK((said({scales(shape, "F32", bytes)}, default_config) == "") == (bytes == 4));
  }
  // Factors must be numbers.
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    RawTensor factors = scales({3, 3}, "F32", 36);
    std::memcpy(factors.bytes.data() + 28, &bad, 4);
    CHECK(contains(said({factors}), concat("a.weight_scale_inv: the factor at [2, 1] is ", bad)));
  }
  CHECK(contains(said({{"a.weight_scale_inv", {3, 3}, "F8_E8M0", Bytes(9, std::byte{255})}}),
                 "the factor at [0, 0] is nan, expected a finite number"));
  Fixture both(
      write_safetensors(std::vector<RawTensor>{
          f8_tensor("a.weight", {40, 70}), scales({3, 3}, "F32", 36), {"a.weight_scale", {1}, "F32", Bytes(4)}}),
      fp8_config, {});
  both.binder.matrix("a.weight", {40, 70});
  CHECK(contains(both.said(), "a.weight_scale: stands beside a.weight_scale_inv: two sets of factors for one weight"));
}

TEST_CASE("folders that are quantised in other ways say what is read instead") {
  const auto said = [](const std::string& settings) {
    return message_of<ConfigError>([&] { QuantizationConfig::of(json::parse(settings)); });
  };
  const auto refused = [&](const std::string& object, const std::string& method) {
    CAPTURE(object);
    for (const std::string& whole :
         {R"({"quantization_config":)" + object + "}", R"({"text_config":{"quantization_config":)" + object + "}}"}) {
      const std::string text = said(whole);
      CHECK(contains(text,
                     "quantization_config: weights quantised by " + method + " are not read. What is: folders in FP8"));
    }
  };
  refused(R"({"quant_method":"bitsandbytes","load_in_4bit":true})", "bitsandbytes");
  refused(R"({"load_in_8bit":true})", "bitsandbytes");
  refused(R"({"quant_method":"modelopt","quant_algo":"W4A8_AWQ"})", "modelopt as W4A8_AWQ");
  refused(R"({"quant_method":"modelopt","quantization":{"quant_algo":"INT4_AWQ"}})", "modelopt as INT4_AWQ");
  refused(R"({"quant_method":"modelopt"})", "modelopt as nothing said");
  refused(R"({"quant_method":"modelopt","quant_algo":"MIXED_PRECISION","quantized_layers":{"a":{"quant_algo":"FP8"},
      "b":{"quant_algo":"W8A16"}}})",
          "modelopt as W8A16");
  refused(R"({"quant_method":"modelopt","quant_algo":"NVFP4_AWQ"})", "modelopt as NVFP4_AWQ");
  refused(R"({"quant_method":"compressed-tensors","format":"mxfp4-pack-quantized"})",
          "compressed-tensors as mxfp4-pack-quantized");
  refused(R"({"quant_method":"compressed-tensors","config_groups":{"g":{"format":"mxfp4-pack-quantized"}}})",
          "compressed-tensors as mxfp4-pack-quantized");
  refused(R"({"quant_method":"compressed-tensors","sparsity_config":{"format":"sparse-24-bitmask"}})",
          "compressed-tensors as sparse-24-bitmask");
  refused(R"({"group_size":32,"bits":4,"mode":"mxfp4"})", "MLX as mxfp4");
  refused(R"({"group_size":64,"bits":4,"m.gate":{"group_size":32,"bits":8,"mode":"mxfp8"}})", "MLX as mxfp8");
  refused(R"({"group_size":64,"bits":4,"desc_act":false})", "an unnamed method (quant_method is missing)");
  refused(R"({"quant_method":"mxfp4"})", "mxfp4");
  refused(R"({"quant_method":"exl2"})", "exl2");
  refused(R"({"quant_method":"hqq"})", "hqq");
  refused(R"({"quant_method":"aqlm"})", "aqlm");
  refused(R"({"quant_method":"fp8","fmt":"e5m2"})", "fp8 as e5m2");
  refused(R"({"quant_method":"gptq","bits":3})", "gptq of 3 bits");
  refused(R"({"quant_method":"gptq","bits":4,"checkpoint_format":"marlin"})", "gptq as marlin");
  refused(R"({"quant_method":"awq","bits":8})", "awq of 8 bits");
  refused(R"({"quant_method":"awq","bits":4,"version":"gemv"})", "awq as gemv");
  refused(R"({"quant_method":"awq","bits":4,"checkpoint_format":"gemv_fast"})", "awq as gemv_fast");
  refused(R"({"quant_method":"awq","bits":4,"format":"llm-awq"})", "awq as llm-awq");
  refused(R"({"quant_method":"awq","bits":4,"backend":"llm-awq","version":"gemm"})", "awq as llm-awq");
  refused(R"({"quant_method":"auto-round","bits":4,"packing_format":"auto_round:gptqmodel"})",
          "auto-round as auto_round:gptqmodel");
  refused(R"({"quant_method":"auto-round","bits":4})", "auto-round as nothing said");
  refused(R"({"quant_method":"auto-round","bits":2,"packing_format":"auto_round:auto_gptq"})", "gptq of 2 bits");
  refused(R"({"quant_method":"compressed-tensors","format":"pack-quantized","config_groups":{"g":{"weights":
      {"num_bits":2}}}})",
          "compressed-tensors of 2 bits");
  refused(R"({"quant_method":"compressed-tensors","format":"mixed-precision","config_groups":{"g":{"format":
      "pack-quantized","weights":{"num_bits":3}}}})",
          "compressed-tensors of 3 bits");
  for (const std::string location : {"input", "output", "attn_q", "k_cache"}) {
    refused(
        R"({"quant_method":"compressed-tensors","transform_config":{"config_groups":{"R4":{"type":"hadamard","apply":
        [{"targets":["re:.*down_proj$"],"location":"weight_input"},{"location":")" +
            location + R"("}]}}}})",
        "compressed-tensors with rotated activations (transform_config, location " + location + ")");
  }
  for (const std::string format : {"marlin-24", "mxfp4-pack-quantized", "fakequant"}) {
    refused(R"({"quant_method":"compressed-tensors","format":")" + format + R"("})", "compressed-tensors as " + format);
  }
  for (const std::string method : {"fbgemm_fp8", "quark", "torchao", "quanto", "gguf", "qqq", "bitnet"}) {
    refused(R"({"quant_method":")" + method + R"("})", method);
  }
  refused("{}", "an unnamed method (quant_method is missing)");
  CHECK(contains(said(R"({"quantization":{"group_size":16,"bits":4,"mode":"nvfp4"}})"), "quantised by MLX as nvfp4"));
  CHECK(contains(said(R"({"quantization":{"group_size":64,"bits":4,"m.gate":[]}})"),
                 "quantization.m.gate: expected an object of a module's settings"));
  CHECK(contains(said(R"({"quantization":{"bits":4,"m.gate":{"group_size":-1}}})"), "quantization.m.gate.group_size"));
  CHECK(contains(said(R"({"quantization_config":4})"), "quantization_config: expected an object"));
  CHECK(contains(said(R"({"quantization_config":{"quant_method":4}})"), "quant_method: expected a string"));
  CHECK(contains(said(R"({"quantization_config":{"quant_method":"fp8","weight_block_size":[128]}})"), "two sizes"));
  CHECK(contains(said(R"({"quantization_config":{"quant_method":"fp8","weight_block_size":[0,1]}})"), "above 0"));
  CHECK(contains(said(R"({"quantization_config":{"quant_method":"gptq","bits":"many"}})"), "bits: expected"));
  CHECK(contains(said(R"({"quantization_config":{"quant_method":"gptq","bits":4,"group_size":-2}})"), "group_size"));

  const QuantizationConfig none = QuantizationConfig::of(json::parse("{}"));
  CHECK((none.method == QuantizationConfig::Method::none && none.block_rows == 128 && none.block_cols == 128));
  const QuantizationConfig gptq = QuantizationConfig::of(json::parse(
      R"({"quantization_config":{"quant_method":"gptq","bits":4,"group_size":-1,"checkpoint_format":"gptq_v2"}})"));
  CHECK((gptq.method == QuantizationConfig::Method::gptq && gptq.group_size == 0 && !gptq.zeros_minus_one));
  const QuantizationConfig awq = QuantizationConfig::of(
      json::parse(R"({"quantization_config":{"quant_method":"awq","bits":4,"group_size":64,"version":"gemm"}})"));
  CHECK((awq.method == QuantizationConfig::Method::awq && awq.group_size == 64));
  const QuantizationConfig blocks = QuantizationConfig::of(json::parse(
      R"({"quantization_config":{"quant_method":"compressed-tensors","format":"float-quantized","config_groups":
      {"a":{"weights":null},"b":{"weights":{"num_bits":8,"block_structure":[64,32],"group_size":null}}}}})"));
  CHECK((blocks.method == QuantizationConfig::Method::compressed_tensors && blocks.block_rows == 64 &&
         blocks.block_cols == 32));
}

TEST_CASE("quantization_config in the forms that tools write") {
  using Method = QuantizationConfig::Method;
  const auto of = [](const std::string& text) { return QuantizationConfig::of(json::parse(text)); };
  // GPTQModel, with modules that are left out or have other bits; its newer name for the format.
  const QuantizationConfig gptq = of(R"({"quantization_config":{"bits":4,"checkpoint_format":"gptq","damp_percent":0.05,
      "desc_act":false,"dynamic":{"-:.*attn.*":{},"-:.*shared_expert.*":{},"+:.*lm_head.*":{"bits":8,"group_size":64}},
      "group_size":128,"hyb_act":false,"lm_head":true,"meta":{"quantizer":["gptqmodel:5.0.0"],"uri":null},
      "pack_dtype":"int32","quant_method":"gptq","static_groups":false,"sym":true,"true_sequential":true}})");
  CHECK((gptq.method == Method::gptq && gptq.group_size == 128 && gptq.zeros_minus_one && gptq.symmetric));
  CHECK_FALSE(of(R"({"quantization_config":{"quant_method":"gptq","bits":4,"format":"gptq_v2"}})").zeros_minus_one);
  // transformers' GPTQConfig, in the text part of a composite config.
  CHECK(of(R"({"text_config":{"quantization_config":{"quant_method":"gptq","bits":8,"group_size":-1,"backend":"auto",
      "batch_size":1,"block_name_to_quantize":"model.layers","checkpoint_format":"gptq","dataset":null,"tokenizer":null,
      "desc_act":true,"modules_in_block_to_quantize":[["self_attn.k_proj"],["mlp.experts.0.up_proj"]],"sym":false}}})")
            .method == Method::gptq);
  // AutoRound, in the layout of GPTQ where zero points are the middle, else in AWQ's.
  const QuantizationConfig rounded =
      of(R"({"quantization_config":{"autoround_version":"0.9.5","bits":4,"data_type":"int",
      "block_name_to_quantize":"model.language_model.layers","extra_config":{"model.language_model.layers.0.mlp.gate":
      {"bits":16,"data_type":"float"}},"group_size":128,"iters":200,"packing_format":"auto_round:auto_gptq",
      "quant_method":"auto-round","sym":true}})");
  CHECK((rounded.method == Method::gptq && rounded.group_size == 128 && rounded.zeros_minus_one));
  CHECK(of(R"({"quantization_config":{"quant_method":"auto-round","packing_format":"auto_round:auto_awq","bits":4}})")
            .method == Method::awq);
  // AutoAWQ, and what writes its layout after it.
  const QuantizationConfig awq = of(R"({"quantization_config":{"backend":"autoawq","bits":4,"do_fuse":false,
      "exllama_config":null,"fuse_max_seq_len":null,"group_size":32,"modules_to_fuse":null,"quant_method":"awq",
      "modules_to_not_convert":["visual","mlp.gate","shared_expert_gate"],"version":"gemm","zero_point":true}})");
  CHECK((awq.method == Method::awq && awq.group_size == 32));
  CHECK(
      of(R"({"quantization_config":{"bits":4,"checkpoint_format":"gemm","desc_act":false,"format":"gemm","group_size":128,
      "pack_dtype":"int32","quant_method":"awq","sym":false,"version":"gemm","zero_point":true}})")
          .method == Method::awq);  // GPTQModel
  // The publisher's FP8, whose list of other modules is not needed.
  const QuantizationConfig fp8 = of(R"({"quantization_config":{"activation_scheme":"dynamic","fmt":"e4m3",
      "modules_to_not_convert":["lm_head","model.language_model.embed_tokens","model.language_model.layers.0.mlp.gate",
      "model.visual.merger.linear_fc1","mtp.fc"],"quant_method":"fp8","weight_block_size":[128,128]}})");
  CHECK((fp8.method == Method::fp8 && fp8.block_rows == 128 && fp8.block_cols == 128));
  CHECK(of(R"({"quantization_config":{"quant_method":"fp8","activation_scheme":"static","weight_block_size":null,
      "ignored_layers":[]}})")
            .method == Method::fp8);
  // MLX, whose settings stand there twice, with modules that have others or are left out.
  const std::string affine = R"({"bits":4,"group_size":128,"mode":"affine","language_model.model.layers.0.mlp.gate":
      {"bits":8,"group_size":64},"language_model.model.layers.0.mlp.shared_expert_gate":true,"lm_head":false})";
  for (const std::string& written :
       {R"({"quantization":)" + affine + R"(,"quantization_config":)" + affine + "}",
        R"({"quantization":)" + affine + "}", R"({"quantization_config":)" + affine + "}"}) {
    const QuantizationConfig mlx = of(written);
    CHECK((mlx.method == Method::mlx && mlx.group_size_of("language_model.model.layers.0.mlp.gate") == 64 &&
           mlx.group_size_of("lm_head") == 128));
  }
  // ModelOpt, in the form of config.json and in that of its own file.
  const QuantizationConfig modelopt = of(R"({"quantization_config":{"config_groups":{"group_0":{"input_activations":
      {"dynamic":false,"num_bits":8,"type":"float"},"targets":["Linear"],"weights":{"dynamic":false,"num_bits":8,"type":
      "float"}}},"ignore":["lm_head","*mlp.gate","model.visual*","mtp*"],"kv_cache_scheme":{"dynamic":false,"num_bits":8,
      "type":"float"},"producer":{"name":"modelopt","version":"0.41.0"},"quant_algo":"FP8","quant_method":"modelopt"}})");
  CHECK((modelopt.method == Method::modelopt && !modelopt.in_blocks));
  CHECK(of(R"({"quantization_config":{"quant_method":"modelopt","producer":{"name":"modelopt","version":"0.29.0"},
      "quantization":{"quant_algo":"FP8","kv_cache_quant_algo":"FP8","exclude_modules":["lm_head","*gate*"]}}})")
            .method == Method::modelopt);
  CHECK(of(R"({"quantization_config":{"quant_method":"modelopt","quant_algo":"MIXED_PRECISION","quantized_layers":{
      "model.language_model.layers.0.self_attn.q_proj":{"quant_algo":"FP8"}}}})")
            .method == Method::modelopt);
  for (const std::string method : {"modelopt", "modelopt_fp4"}) {
    CHECK(of(R"({"quantization_config":{"quant_method":")" + method + R"(","quant_algo":"MIXED_PRECISION",
        "quantized_layers":{"model.layers.0.self_attn.q_proj":{"quant_algo":"FP8"},"model.layers.0.mlp.experts":{
        "quant_algo":"NVFP4","group_size":16}}}})")
              .method == Method::modelopt);
  }
  // llm-compressor.
  const QuantizationConfig compressed = of(R"({"quantization_config":{"config_groups":{"group_0":{"format":
      "pack-quantized","input_activations":null,"output_activations":null,"targets":["Linear"],"weights":{"actorder":
      "static","block_structure":null,"dynamic":false,"group_size":128,"num_bits":4,"observer":"minmax","strategy":
      "group","symmetric":true,"type":"int"}}},"format":"pack-quantized","global_compression_ratio":null,"ignore":
      ["lm_head","re:.*mlp.gate$"],"kv_cache_scheme":null,"quant_method":"compressed-tensors","quantization_status":
      "compressed","sparsity_config":{},"transform_config":{},"version":"0.12.2"}})");
  CHECK((compressed.method == Method::compressed_tensors && compressed.group_size == 128));
  // FP8 in blocks for some modules and packed integers for others; rotations that are in the weights; keys in 8 bits.
  const QuantizationConfig mixed = of(R"({"text_config":{"model_type":"qwen3_5_moe_text"},"quantization_config":{
      "config_groups":{"group_0":{"format":"float-quantized","input_activations":{"dynamic":true,"group_size":128,
      "num_bits":8,"strategy":"group","type":"float"},"targets":["re:.*self_attn.*_proj$"],"weights":{"block_structure":
      [64,96],"num_bits":8,"strategy":"block","type":"float"}},"group_1":{"format":"pack-quantized","targets":
      ["re:.*mlp.experts.*"],"weights":{"actorder":"weight","group_size":32,"num_bits":4,"strategy":"group","symmetric":
      false,"type":"int","zp_dtype":"torch.int8"}}},"format":"mixed-precision","ignore":["re:.*mlp.gate$","lm_head",
      "re:.*visual.*"],"kv_cache_scheme":{"dynamic":false,"num_bits":8,"strategy":"tensor","symmetric":true,"type":
      "float"},"quant_method":"compressed-tensors","quantization_status":"frozen","transform_config":{"config_groups":
      {"R1":{"apply":[{"ignore":[],"inverse":false,"location":"weight_output","targets":["re:.*o_proj$"]}],"type":
      "hadamard"}}},"version":"0.13.0"}})");
  CHECK((mixed.method == Method::compressed_tensors && mixed.group_size == 32 && mixed.block_rows == 64 &&
         mixed.block_cols == 96));
  // FP8 with a factor for each group of a row's columns; integers of less than 8 bits that are stored in 8.
  const QuantizationConfig grouped = of(R"({"quantization_config":{"quant_method":"compressed-tensors","format":
      "float-quantized","config_groups":{"g":{"weights":{"group_size":64,"num_bits":8,"strategy":"group","type":"float"}}}}})");
  CHECK(grouped.block_cols == 64);
  // Groups of NVFP4 are not those of FP8's factors.
  const QuantizationConfig fp4 = of(R"({"quantization_config":{"quant_method":"compressed-tensors","format":
      "nvfp4-pack-quantized","config_groups":{"g":{"weights":{"group_size":16,"num_bits":4,"strategy":"tensor_group",
      "type":"float"}}}}})");
  CHECK((fp4.method == Method::compressed_tensors && fp4.block_cols == 128));
  CHECK(of(R"({"quantization_config":{"quant_method":"compressed-tensors","format":"int-quantized","config_groups":{"g":
      {"weights":{"group_size":null,"num_bits":6,"strategy":"channel","type":"int"}}}}})")
            .group_size == 0);
}

TEST_CASE("a large matrix that takes another format is cancelled between its pieces") {
  constexpr std::size_t rows = 40, cols = std::size_t{1} << 20;  // pieces of 16 rows
  const std::vector<std::byte> stored(rows * cols);
  BoundStorage storage;
  std::vector<std::size_t> told;
  Cancellation cancellation;
  const CallScope scope(cancellation, [&](std::string_view what, std::size_t done, std::size_t total) {
    CHECK(what == "convert");
    CHECK(total == 4 * rows * cols);
    told.push_back(done / (4 * cols));
    if (told.size() == 2) {
      cancellation.cancel();
    }
  });
  CHECK_THROWS_AS(storage.convert({stored.data(), Format::f8_e4m3, rows, cols}, Format::f32), CancelledError);
  CHECK(told == std::vector<std::size_t>{0, 16});
}
