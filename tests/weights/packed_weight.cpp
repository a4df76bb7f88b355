// SPDX-License-Identifier: Apache-2.0
#include <qwen35/weights/binder.hpp>

#include "packed_writer.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <functional>
#include <limits>

using namespace qwen35;
using namespace weights_test;
using Zeros = QuantisedLayer::Zeros;

namespace {

// Every code in each row, zero points at their ends, scales of every size.
QuantisedLayer layer(std::size_t bits, std::size_t rows, std::size_t cols, std::size_t group_size,
                     const std::string& scale_dtype, bool symmetric = false) {
  QuantisedLayer out;
  std::mt19937 random(static_cast<unsigned>(bits + cols + group_size));
  out.module = "m.up_proj";
  out.rows = rows;
  out.cols = cols;
  out.groups = (cols + group_size - 1) / group_size;
  out.bits = bits;
  out.scale_dtype = scale_dtype;
  for (std::size_t i = 0; i < rows * cols; ++i) {
    out.codes.push_back(static_cast<std::uint32_t>(random() >> 7) & ((1u << bits) - 1));
  }
  for (std::size_t i = 0; i < rows * out.groups; ++i) {
    out.zeros.push_back(symmetric ? 1u << (bits - 1) : static_cast<std::uint32_t>(i) * 5 & ((1u << bits) - 1));
    float scale = std::ldexp(static_cast<float>(random() % 4000 + 1), -16);
    scale = i % 11 == 0 ? std::ldexp(1.0f, -24) : i % 13 == 0 ? 65504.0f : scale;
    visit(*dtype_of(scale_dtype), [&]<class Stored>(Stored) {
      typename Stored::Block block;
      Stored::encode(&scale, block);
      Stored::decode(block, &scale);
    });
    out.scales.push_back(scale);
  }
  for (std::size_t k = 0; k < cols; ++k) {
    out.group_of_column.push_back(static_cast<std::uint32_t>(k / group_size));
  }
  return out;
}

const std::string gptq = R"("quant_method":"gptq","bits":4,"group_size":128)";

struct Fixture {
  Bytes settings, file;
  Checkpoint checkpoint;
  BoundStorage storage;
  Binder binder;

  Fixture(std::span<const RawTensor> tensors, const std::string& config, std::size_t padding = 0,
          const CheckpointOptions& options = {})
      : settings(bytes_of(config.empty() ? "{}" : "{\"quantization_config\":{" + config + "}}")),
        file(write_safetensors(tensors, padding)),
        checkpoint(Checkpoint::from_bytes({{"config.json", settings}, {"m.safetensors", file}}, options)),
        binder(checkpoint, storage) {}

  std::string said() {
    return message_of<CheckpointError>([&] { binder.finish([](std::string_view) { return false; }); });
  }
};

std::vector<float> values_of(const Matrix& matrix) {
  std::vector<float> out(matrix.rows * matrix.cols);
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    kernels::decode_row({matrix, i, &out[i * matrix.cols]});
  }
  return out;
}

void check_values(const QuantisedLayer& expected, std::span<const RawTensor> tensors, const std::string& config,
                  Format format) {
  for (std::size_t padding = 0; padding < 2; ++padding) {
    Fixture fixture(tensors, config, padding);
    CHECK(fixture.binder.has("m.up_proj.weight"));
    const Matrix matrix = fixture.binder.matrix("m.up_proj.weight", {expected.rows, expected.cols});
    CHECK(fixture.said() == "");
    REQUIRE_FALSE(matrix.empty());
    CHECK(name(matrix.format) == name(format));
    CHECK((matrix.rows == expected.rows && matrix.cols == expected.cols));
    CHECK_FALSE(fixture.binder.uses_checkpoint());
    const std::vector<float> found = values_of(matrix), wanted = expected.values();
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      wrong += std::bit_cast<std::uint32_t>(found[i]) == std::bit_cast<std::uint32_t>(wanted[i]) ? 0u : 1u;
    }
    CHECK(wrong == 0);
  }
}

}  // namespace

TEST_CASE("integers of GPTQ, AWQ and compressed-tensors are what their definitions say, to the bit") {
  struct Size {
    std::size_t bits, cols, group_size;
    Format format;
  };
  for (const Size& size :
       {Size{4, 256, 128, Format::i4_128}, Size{4, 192, 64, Format::i4_64}, Size{4, 96, 32, Format::i4_32},
        Size{4, 256, 256, Format::i4_128}, Size{4, 96, 96, Format::i4_32}, Size{8, 256, 128, Format::i8_128},
        Size{8, 128, 64, Format::i8_32}, Size{8, 96, 32, Format::i8_32}}) {
    for (const std::string dtype : {"F16", "BF16"}) {
      CAPTURE(size.bits);
      CAPTURE(size.group_size);
      const QuantisedLayer zero = layer(size.bits, 24, size.cols, size.group_size, dtype);
      const QuantisedLayer middle = layer(size.bits, 24, size.cols, size.group_size, dtype, true);
      const std::string bits = size.bits == 4 ? "4" : "8";
      const std::string v1 = R"("quant_method":"gptq","bits":)" + bits, v2 = v1 + R"(,"checkpoint_format":"gptq_v2")";
      for (const bool index : {false, true}) {
        check_values(zero, zero.gptq(true, index), v1, size.format);
        check_values(zero, zero.gptq(true, index), "", size.format);
        check_values(zero, zero.gptq(false, index), v2, size.format);
        for (const std::string& config : {v1, v2}) {
          const std::string sym = config + R"(,"sym":true)";
          check_values(middle, middle.gptq(config == v1, index), config, size.format);
          check_values(middle, middle.gptq(true, index), sym, size.format);
          check_values(middle, middle.gptq(false, index), sym, size.format);
          check_values(zero, zero.gptq(config == v1, index), sym, size.format);
        }
      }
      if (size.bits == 4) {
        check_values(zero, zero.awq(), R"("quant_method":"awq","bits":4)", size.format);
        check_values(zero, zero.awq(), "", size.format);
      }
      const std::string compressed = R"("quant_method":"compressed-tensors","format":"pack-quantized")";
      for (const bool index : {false, true}) {
        check_values(middle, middle.compressed(Zeros::none, index), compressed, size.format);
        check_values(zero, zero.compressed(Zeros::packed, index), compressed, size.format);
        check_values(zero, zero.compressed(Zeros::bytes, index), compressed, size.format);
      }
      if (size.bits == 8) {
        check_values(middle, middle.compressed_bytes(false), compressed, size.format);
        check_values(zero, zero.compressed_bytes(true), compressed, size.format);
      }
    }
  }
}

TEST_CASE("scales of f32, of whole tensors and of a last group that is shorter") {
  const std::string compressed = R"("quant_method":"compressed-tensors")";
  QuantisedLayer exact = layer(4, 24, 192, 64, "F32");
  exact.scales[5] = 0.1f;  // 24 bits
  check_values(exact, exact.compressed(Zeros::packed, false), compressed, Format::i4_32_f32);
  check_values(exact, exact.awq(), R"("quant_method":"awq")", Format::i4_32_f32);
  QuantisedLayer bytes = layer(8, 24, 192, 64, "F32", true);
  bytes.scales[5] = 0.1f;
  check_values(bytes, bytes.compressed(Zeros::none, false), compressed, Format::i8_32_f32);
  const QuantisedLayer short_scales = layer(4, 24, 192, 64, "F32");
  check_values(short_scales, short_scales.awq(), "", Format::i4_64);

  QuantisedLayer whole = layer(8, 24, 128, 128, "BF16", true);
  std::fill(whole.scales.begin(), whole.scales.end(), 0.375f);
  for (const Extents& shape : {Extents{}, Extents{1}, Extents{1, 1}, Extents{24}, Extents{24, 1}}) {
    std::vector<RawTensor> tensors = whole.compressed_bytes(false);
    const std::size_t count = shape.empty() || shape[0] == 1 ? 1 : 24;
    tensors[1] = TestTensor{"m.up_proj.weight_scale", shape, std::vector<float>(count, 0.375f), "BF16"};
    check_values(whole, tensors, compressed, Format::i8_128);
  }
  const QuantisedLayer cut = layer(4, 24, 192, 128, "F16");
  check_values(cut, cut.gptq(true, false), gptq, Format::i4_64);
  check_values(cut, cut.gptq(true, true), "", Format::i4_64);
}

TEST_CASE("columns in groups by their activations, groups of any size, f32 scales with zero points in 8 bits") {
  const auto beside = [](const QuantisedLayer& expected, const std::vector<RawTensor>& tensors,
                         const std::string& config) {
    check_values(expected, tensors, config, expected.bits == 4 ? Format::i4_16 : Format::i8_16);
  };
  for (const std::size_t bits : {4u, 8u}) {
    for (const std::size_t group_size : {128u, 32u}) {
      QuantisedLayer ordered = layer(bits, 24, 256, group_size, "F16");
      std::shuffle(ordered.group_of_column.begin(), ordered.group_of_column.end(), std::mt19937(3));
      beside(ordered, ordered.gptq(true, true),
             R"("quant_method":"gptq","desc_act":true,"bits":)" + std::to_string(bits));
      QuantisedLayer zero = layer(bits, 24, 256, group_size, "BF16");
      zero.group_of_column = ordered.group_of_column;
      beside(zero, zero.compressed(Zeros::packed, true), "");
      beside(zero, zero.compressed(Zeros::bytes, true), "");
    }
  }
  const QuantisedLayer small = layer(4, 24, 96, 16, "F16"), odd = layer(8, 24, 96, 48, "F16");
  beside(small, small.gptq(true, false), gptq);
  beside(odd, odd.gptq(true, false), "");
  QuantisedLayer fine = layer(8, 24, 256, 128, "F32");
  fine.scales[0] = 0.1f;
  beside(fine, fine.compressed_bytes(true), "");
}

TEST_CASE("rows that 32 does not divide, as those of the picture towers' 4304, are f32") {
  const QuantisedLayer groups = layer(4, 24, 48, 16, "F16"), whole = layer(8, 24, 44, 44, "BF16");
  const QuantisedLayer words = layer(4, 24, 20, 20, "F32");
  check_values(groups, groups.gptq(true, false), gptq, Format::f32);
  check_values(groups, groups.awq(), "", Format::f32);
  check_values(groups, groups.compressed(Zeros::bytes, true), "", Format::f32);
  check_values(whole, whole.compressed_bytes(true), "", Format::f32);
  check_values(whole, whole.compressed(Zeros::packed, false), "", Format::f32);
  check_values(words, words.compressed(Zeros::packed, false), "", Format::f32);
}

TEST_CASE("a row count that is no multiple of a word; another format that was asked for") {
  const QuantisedLayer odd = layer(4, 21, 128, 64, "F16");
  check_values(odd, odd.gptq(true, false), gptq, Format::i4_64);
  const QuantisedLayer zero = layer(4, 21, 128, 64, "F16");
  check_values(zero, zero.compressed(Zeros::packed, false), "", Format::i4_64);
  Fixture wide(odd.gptq(true, false), gptq, 0, {.dtype = Format::f32});
  const Matrix matrix = wide.binder.matrix("m.up_proj.weight", {21, 128});
  CHECK(matrix.format == Format::f32);
  CHECK(values_of(matrix) == odd.values());
}

TEST_CASE("broken folders of integers: each thing that does not fit is an error with the tensor's name") {
  const QuantisedLayer one = layer(4, 24, 256, 128, "F16"), middle = layer(4, 24, 256, 128, "F16", true);
  using Tensors = std::vector<RawTensor>;
  const auto said = [](const Tensors& tensors, const std::string& config) {
    Fixture fixture(tensors, config);
    CHECK(fixture.binder.matrix("m.up_proj.weight", {24, 256}).empty());
    return fixture.said();
  };
  const auto named = [](Tensors& tensors, const std::string& part) -> RawTensor& {
    const auto found =
        std::find_if(tensors.begin(), tensors.end(), [&](const RawTensor& t) { return t.name == "m.up_proj." + part; });
    REQUIRE_MESSAGE(found != tensors.end(), part);
    return *found;
  };
  std::size_t kinds = 0;
  const auto check = [&](const Tensors& sound, const std::string& config, const std::string& part,
                         const std::function<void(RawTensor&)>& change, const std::string& expected) {
    Tensors tensors = sound;
    change(named(tensors, part));
    const std::string text = said(tensors, config);
    CAPTURE(text);
    CHECK(contains(text, "m.up_proj." + expected));
    ++kinds;
  };
  const auto gone = [](RawTensor& tensor) { tensor.name = "other"; };
  const auto shaped = [](const Extents& shape) {
    return [shape](RawTensor& tensor) {
      std::size_t size = tensor.dtype == "I64" ? 8 : tensor.dtype == "F16" ? 2 : tensor.dtype == "I8" ? 1 : 4;
      for (const std::size_t extent : shape) {
        size *= extent;
      }
      tensor.shape = shape;
      tensor.bytes.resize(size);
    };
  };
  const auto typed = [](const std::string& dtype) {
    return [dtype](RawTensor& tensor) {
      std::size_t size = dtype == "I64" || dtype == "F64" ? 8 : dtype == "I16" ? 2 : dtype == "I8" ? 1 : 4;
      for (const std::size_t extent : tensor.shape) {
        size *= extent;
      }
      tensor.dtype = dtype;
      tensor.bytes.resize(size);
    };
  };
  const auto group = [](std::size_t column, std::int32_t value) {
    return [=](RawTensor& tensor) { std::memcpy(tensor.bytes.data() + 4 * column, &value, 4); };
  };

  // The names, shapes and types that two and three layouts have alike.
  for (const bool is_awq : {false, true}) {
    const Tensors sound = is_awq ? layer(4, 24, 256, 128, "F16").awq() : one.gptq(true, true);
    const std::string config = is_awq ? R"("quant_method":"awq","bits":4)" : gptq;
    CHECK(contains(said({}, config), "m.up_proj.weight: missing"));
    check(sound, config, "qweight", gone, "weight: missing");
    check(sound, config, "qzeros", gone, "qzeros: missing");
    check(sound, config, "scales", gone, "scales: missing");
    check(sound, config, "qweight", typed("F32"), "qweight: dtype F32, expected I32 or U32");
    check(sound, config, "qweight", typed("I64"), "qweight: dtype I64");
    check(sound, config, "qzeros", typed("I16"), "qzeros: dtype I16");
    check(sound, config, "scales", typed("I32"), "scales: dtype I32, expected F16 or BF16 or F32");
    check(sound, config, "scales", typed("F64"), "scales: dtype F64");
    check(sound, config, "qweight", shaped({33, 24}), "qweight: shape [33, 24], expected");
    check(sound, config, "qweight", shaped({32, 25}), "qweight: shape [32, 25]");
    check(sound, config, "qweight", shaped({768}), "qweight: shape [768]");
    check(sound, config, "qweight", shaped({1, 32, 24}), "qweight: shape [1, 32, 24]");
    check(sound, config, "qweight", shaped({24, 24}), "qweight: shape [24, 24]");  // 3 bits
    check(sound, config, "qweight", shaped({16, 24}), "qweight: shape [16, 24]");  // 2 bits
    check(sound, config, "qweight", shaped({0, 24}), "qweight: shape [0, 24]");
    check(sound, config, "qzeros", shaped({2, 4}), "qzeros: shape [2, 4], expected [2, 3]");
    check(sound, config, "qzeros", shaped({1, 3}), "qzeros: shape [1, 3]");
    check(sound, config, "qzeros", shaped({6}), "qzeros: shape [6]");
    check(sound, config, "scales", shaped({24, 2}), "scales: shape [24, 2], expected groups of columns, then rows");
    check(sound, config, "scales", shaped({48}), "scales: shape [48]");
    check(sound, config, "scales", shaped({0, 24}), "scales: shape [0, 24]");
  }
  {
    const Tensors plain = one.gptq(true, false), sound = one.gptq(true, true);
    check(plain, gptq, "scales", shaped({3, 24}), "scales: shape [3, 24], expected groups of one size");
    check(plain, gptq, "scales", shaped({16, 24}), "qzeros: shape [2, 3], expected [16, 3]");
    check(sound, gptq, "g_idx", shaped({255}), "g_idx: shape [255], expected [256]");
    check(sound, gptq, "g_idx", typed("I64"), "g_idx: dtype I64, expected I32");
    check(sound, gptq, "g_idx", group(7, 2), "g_idx: column 7 has group 2 of 2");
    check(sound, gptq, "g_idx", group(255, -1), "g_idx: column 255 has group -1 of 2");
  }
  {
    const std::string config = R"("quant_method":"compressed-tensors","format":"pack-quantized")";
    const Tensors sound = layer(4, 24, 256, 128, "F16").compressed(Zeros::packed, true);
    const Tensors bytes = layer(4, 24, 256, 128, "F16").compressed(Zeros::bytes, false);
    check(sound, config, "weight_packed", gone, "weight: missing");
    check(sound, config, "weight_scale", gone, "weight_scale: missing");
    check(sound, config, "weight_shape", gone, "weight_shape: missing");
    check(sound, config, "weight_packed", typed("I64"), "weight_packed: dtype I64, expected I32");
    check(sound, config, "weight_packed", typed("I8"), "weight_packed: dtype I8");
    check(sound, config, "weight_packed", shaped({24, 31}), "weight_packed: shape [24, 31]");
    check(sound, config, "weight_packed", shaped({32, 24}), "weight_packed: shape [32, 24]");
    check(sound, config, "weight_packed", shaped({768}), "weight_packed: shape [768]");
    check(sound, config, "weight_scale", shaped({2, 24}), "weight_scale: shape [2, 24], expected rows, then groups");
    check(sound, config, "weight_scale", shaped({48}), "weight_scale: shape [48]");
    check(sound, config, "weight_scale", shaped({24, 0}), "weight_scale: shape [24, 0]");
    check(sound, config, "weight_scale", typed("I32"), "weight_scale: dtype I32");
    check(sound, config, "weight_zero_point", shaped({24, 2}), "weight_zero_point: shape [24, 2], expected [3, 2]");
    check(sound, config, "weight_zero_point", typed("I64"), "weight_zero_point: dtype I64, expected I32 or I8");
    check(bytes, config, "weight_zero_point", shaped({24}), "weight_zero_point: shape [24], expected [24, 2]");
    check(
        bytes, config, "weight_zero_point", [](RawTensor& t) { t.bytes[3] = std::byte{8}; },
        "weight_zero_point: a zero point of 8, expected one of 4 bits");
    check(
        bytes, config, "weight_zero_point", [](RawTensor& t) { t.bytes[3] = std::byte{0xf7}; },
        "weight_zero_point: a zero point of -9");
    check(sound, config, "weight_shape", shaped({3}), "weight_shape: shape [3], expected [2]");
    check(sound, config, "weight_shape", typed("F32"), "weight_shape: dtype F32, expected I64 or I32");
    check(
        sound, config, "weight_shape", [](RawTensor& t) { t.bytes[8] = std::byte{1}; },
        "weight_shape: holds 24 and 257, expected 24 and 256");
    check(
        sound, config, "weight_shape", [](RawTensor& t) { t.bytes[7] = std::byte{255}; }, "weight_shape: holds -");
    check(sound, config, "weight_g_idx", shaped({1}), "weight_g_idx: shape [1], expected [256]");
    check(sound, config, "weight_g_idx", group(0, 1 << 30), "weight_g_idx: column 0 has group 1073741824 of 2");
  }
  {
    const std::string config = R"("quant_method":"compressed-tensors","format":"int-quantized")";
    const QuantisedLayer whole = layer(8, 24, 256, 256, "F16");
    const Tensors sound = whole.compressed_bytes(true);
    check(sound, config, "weight_scale", gone, "weight_scale: missing");
    check(sound, config, "weight", shaped({24, 255}), "weight: shape [24, 255], expected [24, 256]");
    check(sound, config, "weight_scale", shaped({25, 1}), "weight_scale: shape [25, 1]");
    check(sound, config, "weight_zero_point", typed("F32"), "weight_zero_point: dtype F32");
  }
  CHECK(kinds >= 70);
  // Rows, and bytes of rows, that words do not divide.
  const QuantisedLayer uneven = layer(4, 24, 64, 32, "F16"), odd = layer(8, 24, 34, 34, "F16");
  Fixture bytes_of_rows(odd.compressed_bytes(true), "");
  CHECK(bytes_of_rows.binder.matrix("m.up_proj.weight", {24, 34}).empty());
  CHECK(contains(bytes_of_rows.said(), "m.up_proj.weight: shape [24, 34], expected rows of a multiple of 4 values"));
  Fixture rows(uneven.awq(), R"("quant_method":"awq")");
  CHECK(rows.binder.matrix("m.up_proj.weight", {20, 64}).empty());
  CHECK(contains(rows.said(), "m.up_proj.qweight: shape [64, 3], expected words of 8 rows"));
  // Scales that are no numbers, or infinite, have their place in the error.
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    QuantisedLayer strange = middle;
    strange.scales[2 * 5 + 1] = bad;
    CHECK(
        contains(said(strange.compressed(Zeros::none, false), ""), "m.up_proj.weight_scale: the factor at [5, 1] is "));
    CHECK(contains(said(strange.gptq(true, false), gptq), "m.up_proj.scales: the factor at [1, 5] is "));
  }
  // Columns in groups by their activations, and nothing that says which.
  const auto missing = [&](const Tensors& tensors, const std::string& config, const std::string& part) {
    CHECK(contains(said(tensors, config),
                   part + ": missing, but quantization_config says that columns are put into groups"));
  };
  const std::string ordered = R"("quant_method":"gptq","bits":4,"group_size":128,"desc_act":true)";
  missing(one.gptq(true, false), ordered, "m.up_proj.g_idx");
  const auto compressed = [](const std::string& order) {
    return R"("quant_method":"compressed-tensors","format":"pack-quantized","config_groups":{"g":{"weights":{"actorder":)" +
           order + "}}}";
  };
  const QuantisedLayer zero = layer(4, 24, 256, 128, "F16");
  for (const char* const order : {"\"group\"", "true"}) {
    missing(zero.compressed(Zeros::packed, false), compressed(order), "m.up_proj.weight_g_idx");
  }
  for (const char* const order : {"\"weight\"", "\"static\"", "false", "null"}) {  // put back by who wrote it
    check_values(zero, zero.compressed(Zeros::packed, false), compressed(order), Format::i4_128);
  }
  CHECK(contains(said(zero.compressed(Zeros::none, false),
                      R"("quant_method":"compressed-tensors","format":"pack-quantized","config_groups":{"g":{"weights":
                         {"symmetric":false}}})"),
                 "m.up_proj.weight_zero_point: missing, but quantization_config says symmetric: false"));
  const QuantisedLayer whole = layer(4, 24, 256, 256, "F16");
  check_values(whole, whole.gptq(true, false), ordered, Format::i4_128);  // one group has no order
  // Two weights for one module, which nothing chooses between.
  const auto several = [&](const Tensors& first, const Tensors& second, const std::string& config,
                           const std::string& which) {
    Tensors tensors = first;
    tensors.insert(tensors.end(), second.begin(), second.end());
    CHECK(contains(said(tensors, config),
                   "m.up_proj.weight: this module has several weights, " + which + ": expected one"));
  };
  const Tensors plain{TestTensor{"m.up_proj.weight", {24, 256}, std::vector<float>(24 * 256)}};
  several(plain, one.gptq(true, true), gptq, "weight and qweight");
  several(zero.awq(), plain, "", "weight and qweight");
  several(plain, zero.compressed(Zeros::packed, false), "", "weight and weight_packed");
  several(one.gptq(true, true), zero.compressed(Zeros::packed, false), "", "qweight and weight_packed");
  Tensors bytes = layer(8, 24, 256, 256, "F16").compressed_bytes(false);
  several(bytes, one.gptq(true, true), "", "weight and qweight");
}

TEST_CASE("modules that were packed elsewhere: the values of tests/data/quantised, to the bit") {
  const MappedFile file(QWEN35_TEST_DATA "/quantised/modules.safetensors");
  const std::vector<TensorInfo> tensors = read_safetensors(file.bytes(), "modules.safetensors");
  std::size_t modules = 0;
  for (const TensorInfo& expected : tensors) {
    if (!expected.name.ends_with(".expected")) {
      continue;
    }
    const std::string module = expected.name.substr(0, expected.name.size() - 9);
    CAPTURE(module);
    std::vector<RawTensor> own;
    for (const TensorInfo& tensor : tensors) {
      if (tensor.name.starts_with(module + ".") && &tensor != &expected) {
        own.emplace_back(tensor.name, tensor.shape, tensor.dtype, Bytes(tensor.bytes.begin(), tensor.bytes.end()));
      }
    }
    Fixture fixture(own, module.starts_with("gptq_v2")
                             ? R"("quant_method":"gptq","bits":4,"checkpoint_format":"gptq_v2")"
                         : module == "modelopt_fp8"  ? R"("quant_method":"modelopt","quant_algo":"FP8")"
                         : module == "fp8_tensor"    ? R"("quant_method":"fp8","weight_block_size":null)"
                         : module.starts_with("fp8") ? R"("quant_method":"fp8","weight_block_size":[16,32])"
                                                     : "");
    const Matrix matrix = fixture.binder.matrix(module + ".weight", {expected.shape[0], expected.shape[1]});
    CHECK(fixture.said() == "");
    const std::vector<float> values = values_of(matrix);
    CHECK(values.size() * sizeof(float) == expected.bytes.size());
    CHECK(std::memcmp(values.data(), expected.bytes.data(), expected.bytes.size()) == 0);
    ++modules;
  }
  CHECK(modules == 33);
}
