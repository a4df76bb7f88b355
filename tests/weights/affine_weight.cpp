// SPDX-License-Identifier: Apache-2.0
#include <qwen35/json/parse.hpp>
#include <qwen35/weights/affine_weight.hpp>
#include <qwen35/weights/binder.hpp>
#include <qwen35/weights/pack_source.hpp>

#include "safetensors_writer.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

using namespace qwen35;
using namespace weights_test;

namespace {

// A value is scale * code + bias, the last two of its group.
struct AffineLayer {
  std::size_t bits, group_size;
  Extents shape;
  std::string dtype = "BF16";
  std::vector<std::uint32_t> codes{};
  std::vector<float> scales{}, biases{};

  std::size_t cols() const { return shape.back(); }
  std::size_t groups() const { return scales.size(); }

  void fill() {
    std::mt19937 random(static_cast<unsigned>(bits * 1000 + group_size));
    std::size_t size = 1;
    for (const std::size_t extent : shape) {
      size *= extent;
    }
    for (std::size_t i = 0; i < size; ++i) {
      codes.push_back(static_cast<std::uint32_t>(random() >> 7) & ((1u << bits) - 1));
    }
    const auto rounded = [&](float value) {
      visit(*dtype_of(dtype), [&]<class Stored>(Stored) {
        typename Stored::Block block;
        Stored::encode(&value, block);
        Stored::decode(block, &value);
      });
      return value;
    };
    for (std::size_t i = 0; i < size / group_size; ++i) {
      const float sign = i % 3 == 0 ? -1.0f : 1.0f, size_of = i % 11 == 0 ? 0x1p-13f : i % 7 == 0 ? 8.0f : 0.01f;
      scales.push_back(rounded(sign * size_of * (1.0f + static_cast<float>(random() % 1000) / 1000)));
      biases.push_back(i % 5 == 0 ? 0.0f : rounded(-scales.back() * static_cast<float>(random() % 20)));
    }
  }

  std::vector<float> values() const {
    std::vector<float> out;
    for (std::size_t i = 0; i < codes.size(); ++i) {
      const float product = scales[i / group_size] * static_cast<float>(codes[i]);
      out.push_back(product + biases[i / group_size]);
    }
    return out;
  }

  std::vector<RawTensor> tensors() const {
    Bytes packed(codes.size() * bits / 8);
    for (std::size_t i = 0; i < codes.size(); ++i) {
      for (std::size_t bit = 0; bit < bits; ++bit) {
        const std::size_t place = i * bits + bit;
        packed[place / 8] |= static_cast<std::byte>((codes[i] >> bit & 1u) << place % 8);
      }
    }
    Extents words = shape, per_group = shape;
    words.back() = shape.back() * bits / 32;
    per_group.back() = shape.back() / group_size;
    return {{"m.up.weight", words, "U32", std::move(packed)},
            TestTensor{"m.up.scales", per_group, scales, dtype},
            TestTensor{"m.up.biases", per_group, biases, dtype}};
  }
};

AffineLayer layer(std::size_t bits, std::size_t group_size, const Extents& shape, const std::string& dtype = "BF16") {
  AffineLayer out{bits, group_size, shape, dtype};
  out.fill();
  return out;
}

struct Fixture {
  Bytes settings, file;
  Checkpoint checkpoint;
  BoundStorage storage;
  Binder binder;

  explicit Fixture(std::span<const RawTensor> tensors, const std::string& config = R"({"quantization":{"bits":4}})",
                   Binding binding = Binding::whole)
      : settings(bytes_of(config)),
        file(write_safetensors(tensors, 1)),
        checkpoint(Checkpoint::from_bytes({{"config.json", settings}, {"m.safetensors", file}})),
        binder(checkpoint, storage, binding) {}

  std::string said() {
    return message_of<CheckpointError>([&] { binder.finish([](std::string_view) { return false; }); });
  }
};

void check_values(const AffineLayer& expected, Format format) {
  CAPTURE(expected.bits);
  CAPTURE(expected.group_size);
  CAPTURE(expected.dtype);
  Fixture fixture(expected.tensors());
  const Shape shape = expected.shape.size() == 2 ? Shape{expected.shape[0], expected.shape[1]}
                                                 : Shape{expected.shape[0], expected.shape[1], expected.shape[2]};
  CHECK(fixture.binder.has("m.up.weight"));
  const Matrix matrix =
      shape.rank() == 2 ? fixture.binder.matrix("m.up.weight", shape) : fixture.binder.stacked("m.up.weight", shape);
  CHECK(fixture.said() == "");
  REQUIRE_FALSE(matrix.empty());
  CHECK(name(matrix.format) == name(format));
  CHECK_FALSE(fixture.binder.uses_checkpoint());
  const Matrix singles = fixture.binder.single_values(matrix);
  CHECK(singles.format == Format::f32);
  const std::vector<float> wanted = expected.values();
  CHECK(matrix.rows * matrix.cols == wanted.size());
  for (const Matrix* const found : {&matrix, &singles}) {
    std::vector<float> row(matrix.cols);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < matrix.rows; ++i) {
      kernels::decode_row({*found, i, row.data()});
      for (std::size_t k = 0; k < matrix.cols; ++k) {
        wrong +=
            std::bit_cast<std::uint32_t>(row[k]) == std::bit_cast<std::uint32_t>(wanted[i * matrix.cols + k]) ? 0u : 1u;
      }
    }
    CHECK(wrong == 0);
  }
}

}  // namespace

TEST_CASE("integers of MLX with scales and biases are what their definition says, to the bit") {
  for (const std::string dtype : {"BF16", "F16"}) {
    for (const std::size_t bits : {2u, 3u, 4u, 5u, 6u, 8u}) {
      const bool four = bits <= 4;
      check_values(layer(bits, 32, {12, 96}, dtype), four ? Format::a4_32 : Format::a8_32);
      check_values(layer(bits, 64, {12, 192}, dtype), four ? Format::a4_64 : Format::a8_64);
      check_values(layer(bits, 128, {12, 256}, dtype), four ? Format::a4_64 : Format::a8_64);
      check_values(layer(bits, 64, {3, 8, 128}, dtype), four ? Format::a4_64 : Format::a8_64);
    }
  }
}

TEST_CASE("scales and biases that blocks do not hold make f32 of a weight") {
  for (const std::size_t bits : {4u, 6u, 8u}) {
    check_values(layer(bits, 64, {12, 192}, "F32"), Format::f32);
  }
  AffineLayer tiny = layer(8, 64, {12, 192});
  tiny.biases[5] = std::ldexp(tiny.scales[5], -30);
  check_values(tiny, Format::f32);
  AffineLayer small = layer(4, 64, {12, 192});  // below f16's numbers
  small.scales[3] = 0x1p-120f;
  small.biases[3] = -0x1.8p-121f;
  check_values(small, Format::a4_64);
}

TEST_CASE("broken folders of MLX: each thing that does not fit is an error with the tensor's name") {
  const std::vector<RawTensor> sound = layer(4, 64, {12, 192}).tensors();
  const auto said = [](const std::vector<RawTensor>& tensors, Binding binding = Binding::whole) {
    Fixture fixture(tensors, R"({"quantization":{"bits":4}})", binding);
    CHECK(fixture.binder.matrix("m.up.weight", {12, 192}).empty());
    return fixture.said();
  };
  const auto changed = [&](std::size_t part, const std::string& dtype, const Extents& shape) {
    std::vector<RawTensor> tensors = sound;
    std::size_t size = dtype == "U32" || dtype == "F32" || dtype == "I32" ? 4
                       : dtype == "U8" || dtype == "F8_E8M0"              ? 1
                                                                          : 2;
    for (const std::size_t extent : shape) {
      size *= extent;
    }
    tensors[part].dtype = dtype;
    tensors[part].shape = shape;
    tensors[part].bytes.resize(size);
    // Both ways of binding say the same.
    const std::string text = said(tensors);
    CHECK(said(tensors, Binding::look) == text);
    return text;
  };
  CHECK(said(sound, Binding::look) == "");
  for (std::size_t part = 1; part < 3; ++part) {
    std::vector<RawTensor> tensors = sound;
    tensors.erase(tensors.begin() + static_cast<std::ptrdiff_t>(part));
    CHECK(contains(said(tensors), sound[part].name + ": missing, expected beside the module's other tensors"));
    CHECK(contains(changed(part, "I32", {12, 3}), sound[part].name + ": dtype I32, expected F16, BF16 or F32"));
    CHECK(contains(changed(part, "F8_E8M0", {12, 3}), sound[part].name + ": dtype F8_E8M0"));
    CHECK(contains(changed(part, "BF16", {12, 4}), sound[part].name + ": shape [12, 4], expected "));
    CHECK(contains(changed(part, "BF16", {36}), sound[part].name + ": shape [36], expected "));
    CHECK(contains(changed(part, "BF16", {}), sound[part].name + ": shape [], expected "));
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      AffineLayer strange = layer(4, 64, {12, 192});
      (part == 1 ? strange.scales : strange.biases)[3 * 5 + 1] = bad;
      CHECK(contains(said(strange.tensors()), sound[part].name + ": the factor at [5, 1] is "));
    }
  }
  for (const Extents& shape :
       {Extents{12, 25}, {12, 0}, {12, 6}, {12, 42}, {11, 24}, {288}, {1, 12, 24}, {}, {12, 54}}) {
    CHECK(contains(changed(0, "U32", shape), "m.up.weight: shape " + shape_text(shape) +
                                                 ", expected rows of words that hold 2 to 6 or 8 bits a column, of a "
                                                 "weight [12, 192]"));
  }
  CHECK(
      contains(changed(1, "BF16", {12, 1}), "m.up.scales: shape [12, 1], expected rows, then groups of 32, 64 or 128"));
  CHECK(contains(changed(1, "BF16", {12, 6}), "m.up.biases: shape [12, 3], expected the shape of scales, [12, 6]"));
  CHECK(contains(changed(0, "I32", {12, 24}), "m.up.weight: dtype I32, expected one of"));
}

TEST_CASE("shapes of MLX's weights, as their tensors and the config tell them") {
  const std::string config = R"({"quantization":{"bits":4,"group_size":64,"m.up":{"bits":8,"group_size":32}}})";
  const auto shape_of = [&](const AffineLayer& of, const std::string& settings) {
    const Fixture fixture(of.tensors(), settings);
    const std::vector<PackSource> sources = pack_sources(fixture.checkpoint);
    REQUIRE(sources.size() == 1);
    CHECK(sources[0].parts.size() == 3);
    if (!sources[0].weight.shape.empty()) {
      BoundStorage storage;
      const Matrix matrix = pack_matrix(fixture.checkpoint, sources[0], storage);
      std::vector<float> row(matrix.cols);
      kernels::decode_row({matrix, 1, row.data()});
      CHECK(row[3] == of.values()[matrix.cols + 3]);
    }
    return sources[0].weight.shape;
  };
  CHECK(shape_of(layer(8, 32, {12, 96}), config) == Extents{12, 96});
  CHECK(shape_of(layer(4, 64, {12, 192}), R"({"quantization":{"bits":4}})") == Extents{12, 192});
  CHECK(shape_of(layer(3, 128, {3, 4, 256}), R"({"quantization":{"group_size":128}})") == Extents{3, 4, 256});
  CHECK(shape_of(layer(3, 32, {12, 96}), R"({"quantization":{"group_size":128}})").empty());
  CHECK(shape_of(layer(3, 32, {12, 96}), R"({"quantization":{"group_size":48}})").empty());
}
